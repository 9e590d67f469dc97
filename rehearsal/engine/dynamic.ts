// Dynamic resources: their provider comes as serialized code in the inputs and is run the way Pulumi's own plugin does.
import type { dynamic } from "@pulumi/pulumi";
import requireFromString from "require-from-string";
import type { Handler } from "./handler";
import type { Properties } from "./state";

const PROVIDER_KEY = "__provider";
const loaded = new Map<string, dynamic.ResourceProvider>();

function providerOf(inputs: Properties): dynamic.ResourceProvider {
  const code = inputs[PROVIDER_KEY] as string;
  let provider = loaded.get(code);
  if (!provider) {
    const module = requireFromString(code) as { handler(): dynamic.ResourceProvider };
    provider = module.handler();
    loaded.set(code, provider);
  }
  return provider;
}

/** The code stays with the resource, so that a later run can delete it without the program. */
function withProvider(properties: Properties, from: Properties): Properties {
  return { ...properties, [PROVIDER_KEY]: from[PROVIDER_KEY] };
}

export const dynamicHandler: Handler = {
  async check(old, inputs) {
    const result = await providerOf(inputs).check?.(old?.inputs ?? {}, inputs);
    if (result?.failures?.length) {
      throw new Error(result.failures.map((f) => `${f.property}: ${f.reason}`).join("\n"));
    }
    return withProvider(result?.inputs ?? inputs, inputs);
  },

  async plan(old, inputs) {
    if (!old) return { operation: "create" };
    const diff = (await providerOf(inputs).diff?.(old.id, old.outputs, inputs)) ?? {};
    if (diff.replaces?.length) return { operation: "replace", changed: diff.replaces };
    return { operation: diff.changes === false ? "same" : "update" };
  },

  async create(inputs) {
    const { id, outs } = await providerOf(inputs).create(inputs);
    return { id, outputs: withProvider(outs ?? {}, inputs) };
  },

  async update(old, inputs) {
    const result = await providerOf(inputs).update?.(old.id, old.outputs, inputs);
    return { id: old.id, outputs: withProvider(result?.outs ?? {}, inputs) };
  },

  async read(old) {
    const result = await providerOf(old.outputs).read?.(old.id, old.outputs);
    if (!result) return { id: old.id, outputs: old.outputs };
    if (!result.id) return undefined;
    const inputs = result.inputs && withProvider(result.inputs as Properties, old.outputs);
    return { id: result.id, outputs: withProvider(result.props ?? {}, old.outputs), inputs };
  },

  async delete(old) {
    await providerOf(old.outputs).delete?.(old.id, old.outputs);
  },
};
