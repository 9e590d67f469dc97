// The embedded runner: Pulumi's mock monitor with real steps behind it. It serves the rehearsal alone, where there is no
// `pulumi`; it knows Kubernetes objects, dynamic resources, passwords and components, and is not a second Pulumi.
import { type RegisterResourceRequest, RegisterResourceResponse } from "@pulumi/pulumi/proto/resource_pb";
import { getProject, getStack } from "@pulumi/pulumi/metadata";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks";
import { type JavaScriptValue, Struct } from "google-protobuf/google/protobuf/struct_pb";
import { say } from "../progress";
import { dynamicHandler } from "./dynamic";
import type { Handler, Operation } from "./handler";
import { kubernetesHandler } from "./kubernetes";
import { passwordHandler, RANDOM_PASSWORD } from "./random";
import type { Properties, ResourceState, State } from "./state";
import { hasUnknown, ignoringChanges, isSecret, markSecrets, plain } from "./values";

type Callback = (error: Error | null, response?: unknown) => void;

const ROOT_STACK = "pulumi:pulumi:Stack";
const KUBERNETES_PROVIDER = "pulumi:providers:kubernetes";
const MARKS: Record<Operation, string> = { create: "+", update: "~", replace: "±", delete: "-", same: " " };

/** How many resources each operation was done to. Components and providers are not counted. */
export type Changes = Record<Operation, number>;

export class Engine extends MockMonitor {
  readonly changes: Changes = { create: 0, update: 0, replace: 0, delete: 0, same: 0 };
  readonly failures: Error[] = [];
  private readonly seen = new Set<string>();
  private readonly handlers = new Map<string, Promise<Handler>>();
  private running = 0;
  private stopped: () => void = () => {};
  /** Resolves when a step has failed and those that ran beside it have ended. */
  readonly failed = new Promise<void>((resolve) => (this.stopped = resolve));

  constructor(
    private readonly state: State,
    private readonly preview: boolean,
  ) {
    super({
      newResource: () => ({ id: "", state: {} }),
      call: ({ token }) => Promise.reject(new Error(`the embedded runner has no function ${token}`)),
    });
  }

  /** What the SDK calls for every resource of the program, once all that it depends on has an answer. */
  override async registerResource(req: RegisterResourceRequest, callback: Callback): Promise<void> {
    const urn = this.urnOf(req);
    if (this.failures.length > 0) return callback(new Error("not started: an earlier step has failed"));
    this.running++;
    try {
      if (this.seen.has(urn)) throw new Error(`two resources have the URN ${urn}`);
      this.seen.add(urn);
      const made = await this.step(urn, req);
      this.resources.set(urn, { urn, id: made.id, state: Struct.fromJavaScript({}) });
      callback(null, response(urn, made));
    } catch (error) {
      this.fail(short(urn), error as Error);
      callback(error as Error);
    } finally {
      this.running--;
      this.stopAfterFailure();
    }
  }

  /** Tells of a failure and lets no further step start. */
  fail(what: string, error: Error): void {
    this.failures.push(error);
    say(` ! ${what}\n   ${error.message.replaceAll("\n", "\n   ")}`);
    this.stopAfterFailure();
  }

  private stopAfterFailure(): void {
    if (this.failures.length > 0 && this.running === 0) this.stopped();
  }

  /** As Pulumi forms it: the types of all parents, then the resource's own (pulumi docs, "Resource URNs"). */
  private urnOf(req: RegisterResourceRequest): string {
    const parents = req.getParent().split("::")[2];
    const types = parents && parents !== ROOT_STACK ? `${parents}$${req.getType()}` : req.getType();
    return ["urn:pulumi:" + getStack(), getProject(), types, req.getName()].join("::");
  }

  private async step(
    urn: string,
    req: RegisterResourceRequest,
  ): Promise<{ id: string; outputs: Properties }> {
    const old = this.state.get(urn);
    const given = (req.getObject()?.toJavaScript() ?? {}) as Properties;
    const marked = old ? ignoringChanges(given, old.inputs, req.getIgnorechangesList()) : given;
    const base = {
      urn,
      type: req.getType(),
      name: req.getName(),
      custom: req.getCustom(),
      provider: req.getProvider(),
      dependencies: [
        req.getParent(),
        req.getProvider().replace(/::[^:]*$/, ""),
        ...req.getDependenciesList(),
      ].filter(Boolean),
    };
    if (!base.custom || base.type.startsWith("pulumi:providers:")) {
      const id = base.custom ? "rehearsal" : "";
      if (!this.preview) this.state.set({ ...base, id, inputs: marked, outputs: marked });
      if (base.type === KUBERNETES_PROVIDER) this.handlers.set(`${urn}::${id}`, handlerFor(marked));
      return { id, outputs: base.custom ? {} : marked };
    }

    const handler = await this.handlerOf(base);
    const unknown = hasUnknown(marked);
    const inputs = unknown ? plain(marked) : await handler.check(plainState(old), plain(marked));
    const { operation, changed } = unknown
      ? {
          operation: old ? ("update" as const) : ("create" as const),
          changed: ["known after the update of what it depends on"],
        }
      : await handler.plan(plainState(old), inputs);
    this.changes[operation]++;
    const started = Date.now();
    if (this.preview) {
      this.report(operation, urn, changed);
      // What an update leaves as it is stays known, an object's address above all; dynamic resources do not promise it.
      const known = handler === dynamicHandler && operation !== "same" ? {} : (old?.outputs ?? {});
      return { id: old?.id ?? "", outputs: { ...known, ...marked } };
    }

    const made = await this.apply(operation, handler, old, inputs, req.getDeletebeforereplace());
    const outputs = markSecrets(made.outputs, marked, req.getAdditionalsecretoutputsList());
    this.state.set({ ...base, id: made.id, inputs: markSecrets(inputs, marked, []), outputs });
    this.report(operation, urn, changed, Date.now() - started);
    return { id: made.id, outputs };
  }

  private async apply(
    operation: Operation,
    handler: Handler,
    old: ResourceState | undefined,
    inputs: Properties,
    deleteFirst: boolean,
  ): Promise<{ id: string; outputs: Properties }> {
    const before = plainState(old);
    // A Kubernetes object has the name the program gives it, so that its successor needs the place.
    const first = deleteFirst || handler !== dynamicHandler;
    switch (operation) {
      case "same":
        return before ?? (await handler.create(inputs));
      case "update":
        return before ? await handler.update(before, inputs) : await handler.create(inputs);
      case "replace": {
        if (first && before) await handler.delete(before);
        const made = await handler.create(inputs);
        if (!first && before) await handler.delete(before);
        return made;
      }
      default:
        return await handler.create(inputs);
    }
  }

  /** Reads every resource anew: those that are gone leave the state, the others are kept as they are now. */
  async refresh(): Promise<void> {
    await Promise.all(
      this.state.all().map(async (old) => {
        if (!old.custom || old.type.startsWith("pulumi:providers:")) return;
        const handler = await this.handlerOf(old);
        const now = await handler.read(plainState(old)!);
        if (!now) {
          say(` - ${short(old.urn)} is gone`);
          this.state.delete(old.urn);
          return;
        }
        const keys = Object.keys(old.outputs).filter((key) => isSecret(old.outputs[key]));
        const inputs = now.inputs ? markSecrets(now.inputs, old.inputs, []) : old.inputs;
        this.state.set({ ...old, id: now.id, inputs, outputs: markSecrets(now.outputs, old.inputs, keys) });
      }),
    );
  }

  /** Deletes what the program no longer has, dependents first; everything, when the program did not run. */
  async deleteUnseen(): Promise<void> {
    const doomed = this.state.all().filter((resource) => !this.seen.has(resource.urn));
    const steps = new Map<string, Promise<void>>();
    const remove = (resource: ResourceState): Promise<void> => {
      let step = steps.get(resource.urn);
      if (!step) {
        const dependents = doomed.filter((other) => other.dependencies.includes(resource.urn));
        step = Promise.all(dependents.map(remove)).then(() => this.deleteOne(resource));
        steps.set(resource.urn, step);
      }
      return step;
    };
    const results = await Promise.allSettled(doomed.map(remove));
    const reasons = new Set(results.filter((r) => r.status === "rejected").map((r) => r.reason as Error));
    for (const reason of reasons) say(` ! ${reason.message}`);
    this.failures.push(...reasons);
  }

  private async deleteOne(resource: ResourceState): Promise<void> {
    const real = resource.custom && !resource.type.startsWith("pulumi:providers:");
    const started = Date.now();
    if (real) this.changes.delete++;
    if (real && !this.preview) await (await this.handlerOf(resource)).delete(plainState(resource)!);
    if (real) this.report("delete", resource.urn, undefined, this.preview ? undefined : Date.now() - started);
    if (!this.preview) this.state.delete(resource.urn);
  }

  private async handlerOf(resource: { type: string; provider: string; urn: string }): Promise<Handler> {
    if (resource.type.startsWith("pulumi-nodejs:dynamic")) return dynamicHandler;
    if (resource.type === RANDOM_PASSWORD) return passwordHandler;
    if (!resource.type.startsWith("kubernetes:")) {
      throw new Error(
        `the embedded runner cannot make ${resource.type}: clouds need the Pulumi CLI (${resource.urn})`,
      );
    }
    let handler = this.handlers.get(resource.provider);
    if (!handler) {
      const provider = this.state.get(resource.provider.replace(/::[^:]*$/, ""));
      if (!provider) throw new Error(`${resource.urn} has no Kubernetes provider of its own`);
      handler = handlerFor(provider.inputs);
      this.handlers.set(resource.provider, handler);
    }
    return handler;
  }

  private report(operation: Operation, urn: string, changed?: string[], ms?: number): void {
    if (operation === "same") return;
    const time = ms === undefined ? "" : ` (${(ms / 1000).toFixed(1)} s)`;
    say(
      ` ${MARKS[operation]} ${short(urn)} ${operation}${changed?.length ? ` [${changed.join(", ")}]` : ""}${time}`,
    );
  }
}

/** Type and name, without the stack and the parents' types. */
function short(urn: string): string {
  const [, , type, name] = urn.split("::");
  return `${type?.split("$").pop()} ${name}`;
}

function plainState(state: ResourceState | undefined): ResourceState | undefined {
  return state && { ...state, inputs: plain(state.inputs), outputs: plain(state.outputs) };
}

function handlerFor(providerInputs: Properties): Promise<Handler> {
  return kubernetesHandler(plain(providerInputs)["kubeconfig"] as string);
}

function response(urn: string, made: { id: string; outputs: Properties }): RegisterResourceResponse {
  const reply = new RegisterResourceResponse();
  reply.setUrn(urn);
  reply.setId(made.id);
  reply.setObject(Struct.fromJavaScript(made.outputs as Record<string, JavaScriptValue>));
  return reply;
}
