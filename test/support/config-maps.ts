// The ConfigMaps that a program stands up, those that its providers make from the checkout among them.
import {
  digestOf,
  type GeneratedConfigMapInputs,
} from "../../components/kubernetes/generated-config-map-provider";
import { recipes } from "../../components/providers/recipes";
import type { Recording, Registered } from "../../infra/plan/recorder";

const CONFIG_MAP = "kubernetes:core/v1:ConfigMap";
export const GENERATED = "pulumi-nodejs:dynamic/agentweave/kubernetes:GeneratedConfigMap";

/** A ConfigMap as its cluster has it. */
export interface StandingConfigMap {
  readonly resource: Registered;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly data: Readonly<Record<string, string>>;
  readonly binaryData: Readonly<Record<string, string>>;
}

/** What the provider makes of a GeneratedConfigMap; fails when that is not what the program meant. */
function generated(resource: Registered): StandingConfigMap {
  const { object, recipe, digest } = resource.inputs as GeneratedConfigMapInputs;
  const content = recipes[recipe.name](recipe.args as never);
  if (digestOf(content) !== digest) throw new Error(`${resource.name} has another digest than its content`);
  return { resource, metadata: object, data: {}, binaryData: {}, ...content };
}

/** All of them. */
export function configMapsOf(recording: Recording): readonly StandingConfigMap[] {
  return recording.resources.flatMap((resource): StandingConfigMap[] => {
    if (resource.type === GENERATED) return [generated(resource)];
    if (resource.type !== CONFIG_MAP) return [];
    const { metadata, data = {}, binaryData = {} } = resource.inputs;
    return [{ resource, metadata, data, binaryData }];
  });
}
