// Kubernetes objects: planned with the API server's own dry run, applied with server-side apply, awaited until they work.
import { isDeepStrictEqual } from "node:util";
import type { KubernetesObject, KubernetesObjectApi } from "@kubernetes/client-node";
import { bulkhead } from "cockatiel";
import { progress } from "../progress";
import type { Handler, Made } from "./handler";
import { waitsFor } from "./readiness";
import type { Properties, ResourceState } from "./state";

const FIELD_MANAGER = "agentweave-rehearsal";
const WAIT_LIMIT_MS = 300_000;
const POLL_MS = 200;
/** Calls of a cluster that are made side by side: each has a connection of its own, and hundreds would time out in their handshakes. */
const SIDE_BY_SIDE = 8;

type Live = KubernetesObject & { status?: Properties };
type Header = KubernetesObject & { metadata: { name: string; namespace?: string } };

/** The HTTP status of a failed call, and the API server's own words. */
interface ApiFailure {
  code?: number;
  body?: string;
  cause?: { message?: string };
  message?: string;
}

function words(error: unknown): string {
  const { body, cause, message } = error as ApiFailure;
  try {
    return (JSON.parse(body ?? "") as { message: string }).message;
  } catch {
    return [message, cause?.message].filter(Boolean).join(": ");
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What an apply may change: the object without what the API server keeps to itself. */
function comparable(object: Live): unknown {
  const { managedFields, resourceVersion, generation, ...metadata } = object.metadata ?? {};
  const { status, ...rest } = object;
  return JSON.parse(JSON.stringify({ ...rest, metadata }));
}

function changedFields(before: Live, after: Live): string[] {
  const a = comparable(before) as Properties;
  const b = comparable(after) as Properties;
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(
    (key) => !isDeepStrictEqual(a[key], b[key]),
  );
}

let client: Promise<typeof import("@kubernetes/client-node")> | undefined;

/** The client, told to leave policies as they are: its own model of them knows `from` by another name, and drops ours without a word. */
function loadClient() {
  client ??= (async () => {
    const { ObjectSerializer } = await import("@kubernetes/client-node/dist/serializer.js");
    const asIs = (object: unknown) => object;
    ObjectSerializer.registerModel(
      { group: "networking.k8s.io", version: "v1", kind: "NetworkPolicy" },
      { serialize: asIs, deserialize: asIs },
    );
    return import("@kubernetes/client-node");
  })();
  return client;
}

/** A handler for the objects of one cluster, whose context name stands in every error. */
export async function kubernetesHandler(kubeconfig: string): Promise<Handler> {
  const k8s = await loadClient();
  const config = new k8s.KubeConfig();
  config.loadFromString(kubeconfig);
  const context = config.getCurrentContext();
  const api: KubernetesObjectApi = k8s.KubernetesObjectApi.makeApiClient(config);

  const gate = bulkhead(SIDE_BY_SIDE, Number.MAX_SAFE_INTEGER);

  const describe = (object: Header) =>
    `${object.kind} ${object.metadata.namespace ? `${object.metadata.namespace}/` : ""}${object.metadata.name}`;

  /** Runs a call; a failure names the cluster and the object. `undefined` for an object that is not there. */
  async function call<T>(what: string, object: Header, run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await gate.execute(run);
    } catch (error) {
      if ((error as ApiFailure).code === 404 && what !== "apply") return undefined;
      throw Object.assign(new Error(`${context}: ${what} ${describe(object)}: ${words(error)}`), {
        code: (error as ApiFailure).code,
      });
    }
  }

  const get = (object: Header) => call("read", object, () => api.read<Live>(object));
  const apply = async (object: Header, dryRun?: "All") =>
    (await call("apply", object, () =>
      api.patch<Live>(object, undefined, dryRun, FIELD_MANAGER, true, k8s.PatchStrategy.ServerSideApply),
    ))!;

  /** Polls until `done` says so; tells what it waits for, and gives up after a limit. */
  async function wait(what: string, done: () => Promise<string | undefined>): Promise<void> {
    const limit = Date.now() + WAIT_LIMIT_MS;
    const report = progress(`${context}: ${what}`);
    for (;;) {
      const missing = await done();
      if (missing === undefined) return;
      if (Date.now() > limit)
        throw new Error(`${context}: ${what}: still ${missing} after ${WAIT_LIMIT_MS / 1000} s`);
      report(missing);
      await sleep(POLL_MS);
    }
  }

  async function applyAndWait(inputs: Properties): Promise<Made> {
    const object = inputs as unknown as Header;
    let live = await apply(object);
    await wait(describe(object), async () => {
      const missing = waitsFor(live);
      if (missing !== undefined) live = (await get(object)) ?? live;
      return missing;
    });
    const { name, namespace } = object.metadata;
    const outputs = JSON.parse(JSON.stringify(live)) as Properties;
    return { id: namespace ? `${namespace}/${name}` : name, outputs };
  }

  return {
    check(_old, inputs) {
      const object = inputs as unknown as Header;
      if (!object.metadata?.name) throw new Error(`${context}: ${object.kind}: metadata.name must be given`);
      return Promise.resolve(inputs);
    },

    async plan(_old, inputs) {
      const object = inputs as unknown as Header;
      const live = await get(object);
      if (!live) return { operation: "create" };
      try {
        const changed = changedFields(live, await apply(object, "All"));
        return changed.length === 0 ? { operation: "same" } : { operation: "update", changed };
      } catch (error) {
        // 422 is the API server's answer to a change of a field that cannot change.
        if ((error as ApiFailure).code !== 422 || !/immutable|forbidden|may not change/i.test(String(error)))
          throw error;
        return { operation: "replace", changed: [(error as Error).message] };
      }
    },

    create: applyAndWait,
    update: (_old, inputs) => applyAndWait(inputs),

    async read(old) {
      const live = await get(old.inputs as unknown as Header);
      return live && { id: old.id, outputs: JSON.parse(JSON.stringify(live)) as Properties };
    },

    async delete(old: ResourceState) {
      const object = old.inputs as unknown as Header;
      const gone = () =>
        call("delete", object, () =>
          api.delete(object, undefined, undefined, undefined, undefined, "Foreground"),
        );
      if ((await gone()) === undefined) return;
      await wait(`deletion of ${describe(object)}`, async () => ((await get(object)) ? "there" : undefined));
    },
  };
}
