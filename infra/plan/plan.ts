// What a stack would register in a network mode, with every cloud played by Pulumi's mocks: nothing is asked, nothing is applied.
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { ConfigError, type MeshConfig, parseConfig } from "../config";
import { stackFileSettings } from "../config/settings";
import { AgentMesh } from "../mesh";
import { PROJECT } from "../../components/project";
import type { NetworkMode } from "../../components/network/mode";
import { AWS, AZURE, GCP } from "./fakes";
import { record, type Fakes, type Registered } from "./recorder";

/** A resource of a plan, with the part of the mesh that it belongs to. */
export interface Planned extends Registered {
  /** Key of its cloud; `mesh` for what belongs to no cloud alone. */
  readonly cloud: string;
  /** The layer that registers it, by its folder in `components/`. */
  readonly layer: string;
}

/** The layers in the order in which they build on each other. */
export const LAYERS = ["clouds", "network", "spire", "trust", "workloads"] as const;

const FAKES: Fakes = {
  outputs: {
    ...AWS.outputs,
    ...GCP.outputs,
    ...AZURE.outputs,
    "kubernetes:core/v1:Service": { status: { loadBalancer: { ingress: [{ hostname: "lb.example.com" }] } } },
  },
  calls: { ...AWS.calls, ...AZURE.calls },
};

/**
 * Everything that the stack registers, components and providers of Pulumi left out.
 *
 * @param stack name of a `Pulumi.<stack>.yaml` of this repository.
 * @param mode takes the place of the stack's own `network.mode`.
 * @param changed top-level keys of the configuration that take the place of the stack's own. Default: none.
 * @param file text of the stack's file. Default: that of this repository.
 * @throws ConfigError as the program itself does.
 */
export async function planOf(
  stack: string,
  mode: NetworkMode,
  changed: object = {},
  file?: string,
): Promise<readonly Planned[]> {
  const [, plan] = await meshOf(stack, mode, changed, file);
  return plan;
}

/**
 * The plan in each mode, or why there is none: a stack is written for one of them, and may lack what another asks for.
 *
 * @param file text of the stack's file. Default: that of this repository.
 */
export async function plansOf(
  stack: string,
  modes: readonly NetworkMode[],
  file?: string,
): Promise<[NetworkMode, readonly Planned[] | ConfigError][]> {
  const plans: [NetworkMode, readonly Planned[] | ConfigError][] = [];
  for (const mode of modes) {
    try {
      plans.push([mode, await planOf(stack, mode, {}, file)]);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      plans.push([mode, error]);
    }
  }
  return plans;
}

/** The configuration of such a plan. Default of `mode`: the stack's own. */
export function configOf(stack: string, mode?: NetworkMode, changed: object = {}, file?: string): MeshConfig {
  const { raw, problems } = stackFileSettings(
    file ?? readFileSync(path.join(PROJECT, `Pulumi.${stack}.yaml`)),
    stack,
  );
  const network = { ...(raw["network"] as object), ...(mode && { mode }) };
  return parseConfig({ ...raw, ...changed, network }, { stack, projectDir: PROJECT }, problems);
}

/** The mesh of such a plan, and the plan. */
export async function meshOf(
  stack: string,
  mode?: NetworkMode,
  changed?: object,
  file?: string,
): Promise<readonly [AgentMesh, readonly Planned[]]> {
  const config = configOf(stack, mode, changed, file);
  const [mesh, { resources }] = await record(() => new AgentMesh("mesh", config), FAKES);
  const names = config.clouds.map(({ name }) => name);
  const plan = resources
    .filter(({ type }) => !type.startsWith("agentweave:") && !type.startsWith("pulumi:"))
    .map((resource) => ({
      ...resource,
      cloud: cloudOf(resource.name, names),
      layer: layerOf(resource, resources),
    }));
  return [mesh, plan];
}

/** A resource of one cloud has its key as the first part of its name. Keys may have dashes, so the longest that fits. */
function cloudOf(resource: string, clouds: readonly string[]): string {
  const fitting = clouds.filter((cloud) => resource.startsWith(`${cloud}-`));
  return fitting.sort((a, b) => b.length - a.length)[0] ?? "mesh";
}

/** The outermost component within the mesh tells the layer, `agentweave:<layer>:<Component>`; a resource without one is of its own type's. */
function layerOf(resource: Registered, resources: readonly Registered[]): string {
  const parent = resources.find(({ urn }) => urn === resource.parent);
  const outer = parent === undefined ? "mesh" : layerOf(parent, resources);
  return outer === "mesh" ? (/\bagentweave[:/]([a-z]+):/.exec(resource.type)?.[1] ?? "mesh") : outer;
}
