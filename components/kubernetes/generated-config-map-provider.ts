// Provider of GeneratedConfigMap: makes the content from the files of the checkout, and brings it into a ConfigMap. It does not pass through the engine, so
// that it is not in the state.
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import type { V1ConfigMap } from "@kubernetes/client-node";
import { deletePatience, readPatience } from "../trust/connect";
import { fault } from "../trust/fault";
import { checker, diffBy, type Provider } from "../providers/properties";
import { type Patience, retry } from "../trust/retry";
import { type Access, asked, coreApi, type ObjectName, put, unlessMissing } from "./api";

/** What a ConfigMap has, as its own properties of these names: texts, and gzip files in base64. */
export interface Content {
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
}

/** What makes a content: the name of a function of this repository, and its argument, which is plain. */
export interface Recipe {
  name: "program" | "dashboards" | "rules" | "opa" | "envoy";
  args: object;
}

/** The function of each recipe. */
export type Recipes = Readonly<Record<Recipe["name"], (args: never) => Content>>;

/** Inputs of GeneratedConfigMap as the engine hands them to the provider. */
export interface GeneratedConfigMapInputs {
  cloud: string;
  kubeconfig: string;
  object: ObjectName;
  labels: Record<string, string>;
  recipe: Recipe;
  /** `digestOf` the content. */
  digest: string;
}

/** What makes another object of it. */
const PLACE = ["cloud", "object"];
/** What the object is written anew for; the way to this code too, since a step without changes would keep the old one in the state. */
const CONTENT = ["kubeconfig", "labels", "recipe", "digest", "__provider"];

const writePatience: Patience = { limitMs: 60_000 };

/** What a gzip file may become, in bytes: many times what a program is. Somebody may have put another one there. */
const UNPACKED_LIMIT = 32 * 1024 * 1024;

/** SHA-256 in hex over the content, unpacked: different versions of zlib pack the same text differently. */
export function digestOf({ data = {}, binaryData = {} }: Content): string {
  const hash = createHash("sha256");
  const unpacked = Object.entries(binaryData).map(
    ([key, gzip]) =>
      [key, gunzipSync(Buffer.from(gzip, "base64"), { maxOutputLength: UNPACKED_LIMIT })] as const,
  );
  for (const [key, text] of [...Object.entries(data), ...unpacked].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${key}\0${text.length}\0`).update(text);
  }
  return hash.digest("hex");
}

const accessOf = ({ cloud, kubeconfig }: GeneratedConfigMapInputs): Access => ({ cloud, kubeconfig });
const titleOf = ({ namespace, name }: ObjectName) => `ConfigMap ${namespace}/${name}`;

async function write(inputs: GeneratedConfigMapInputs, recipes: Recipes): Promise<void> {
  const { cloud, object, labels, recipe, digest } = inputs;
  const content = recipes[recipe.name](recipe.args as never);
  if (digestOf(content) !== digest) {
    throw fault(`${cloud}: the files of ${titleOf(object)} changed while the program ran; run it again.`, {});
  }
  const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { ...object, labels }, ...content };
  const { api } = await coreApi(accessOf(inputs));
  await retry("the Kubernetes API", writePatience, () =>
    put(
      cloud,
      `write ${titleOf(object)}`,
      () => api.replaceNamespacedConfigMap({ ...object, body }),
      () => api.createNamespacedConfigMap({ namespace: object.namespace, body }),
    ),
  );
}

/** Makes the provider. */
export function makeGeneratedConfigMapProvider(
  recipes: Recipes,
): Provider<GeneratedConfigMapInputs, GeneratedConfigMapInputs> {
  return {
    check: async (_olds, news) => {
      const { failures, must, kubeconfig, object } = checker(news);
      kubeconfig("kubeconfig");
      object("object");
      const isKnown = (value: unknown) => Object.hasOwn(recipes, String((value as Recipe | undefined)?.name));
      must("recipe", isKnown, `must be one of ${Object.keys(recipes).join(", ")}`);
      return { inputs: news, failures };
    },

    diff: diffBy(PLACE, CONTENT),

    create: async (inputs) => {
      await write(inputs, recipes);
      const { cloud, object } = inputs;
      return { id: `${cloud}/${object.namespace}/${object.name}`, outs: inputs };
    },

    update: async (_id, _olds, news) => {
      await write(news, recipes);
      return { outs: news };
    },

    // With other content or labels than were written, the next update finds a difference and writes it anew.
    read: async (id, state) => {
      if (!state) throw new Error("a GeneratedConfigMap cannot be imported; let the program make it");
      const { cloud, object } = state;
      const { api } = await coreApi(accessOf(state));
      const found = await retry("the Kubernetes API", readPatience, () =>
        unlessMissing(
          asked(cloud, `read ${titleOf(object)}`, () => api.readNamespacedConfigMap({ ...object })),
        ),
      );
      if (found === undefined) return { id: "", props: state };
      const now = { ...state, digest: digestFound(found), labels: labelsFound(found, state.labels) };
      return { id, props: now, inputs: now };
    },

    delete: async (_id, state) => {
      const { cloud, object } = state;
      const { api } = await coreApi(accessOf(state));
      await retry("the Kubernetes API", deletePatience, () =>
        unlessMissing(
          asked(cloud, `delete ${titleOf(object)}`, () => api.deleteNamespacedConfigMap({ ...object })),
        ),
      );
    },
  };
}

/** Those of our labels that it has. */
function labelsFound(found: V1ConfigMap, ours: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(found.metadata?.labels ?? {}).filter(([name]) => name in ours));
}

/** Digest of what somebody may have written; none where it is no content of ours. */
function digestFound(content: Content): string {
  try {
    return digestOf(content);
  } catch {
    return "";
  }
}
