// What a stack would register, with every cloud played by Pulumi's mocks: nothing is asked, nothing is applied.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { PROJECT } from "../../components/project";
import type { NetworkMode } from "../../components/network/mode";
import { type MeshConfig, parseConfig } from "../config";
import { stackFileSettings, stackSettings } from "../config/settings";
import { AgentMesh } from "../mesh";
import { KUBECONFIG, PLANNED_CLOUDS } from "./fakes";
import { record, type Registered } from "./recorder";

/** A resource of a plan, with the part of the mesh that it belongs to. */
export interface Planned extends Registered {
  /** Key of its cloud; `mesh` for what belongs to no cloud alone. */
  readonly cloud: string;
  /** The layer that registers it, by its folder in `components/`; `mesh` for what AgentMesh itself does. */
  readonly layer: string;
  /** Name of the component that it is a child of. */
  readonly component: string;
}

/** What a stack stands up. */
export interface Plan {
  readonly stack: string;
  readonly config: MeshConfig;
  readonly mesh: AgentMesh;
  /** Names of the clouds, sorted. */
  readonly clouds: readonly string[];
  /** Everything that is registered, components and providers included. */
  readonly registered: readonly Registered[];
  /** What of it is stood up: no component, and no provider of Pulumi's. */
  readonly resources: readonly Planned[];
}

/** The layers in the order in which they build on each other; `mesh` has what is between them. */
export const LAYERS = ["clouds", "network", "spire", "trust", "workloads", "observability", "mesh"] as const;

/** Where a stack's configuration comes from, and what takes the place of a part of it. */
export interface PlanOptions {
  /** Takes the place of the stack's own `network.mode`. */
  readonly mode?: NetworkMode;
  /** Top-level keys of the configuration that take the place of the stack's own. Default: none. */
  readonly changed?: object;
  /** Text of the stack's file. Default: `Pulumi.<stack>.yaml` of this repository. */
  readonly file?: string;
}

/**
 * The configuration of a plan. Clusters that exist need not be there: no kubeconfig is read.
 *
 * @throws ConfigError as the program itself does.
 */
export function configOf(stack: string, { mode, changed, file }: PlanOptions = {}): MeshConfig {
  const { raw, problems } =
    file === undefined ? stackSettings(stack, PROJECT) : stackFileSettings(file, stack);
  const network = { ...(raw["network"] as object), ...(mode && { mode }) };
  const settings = { ...raw, ...changed, network };
  return parseConfig(settings, { stack, projectDir: PROJECT, kubeconfigs: "made later" }, problems);
}

/**
 * The plan of a stack.
 *
 * @param stack name of a `Pulumi.<stack>.yaml` of this repository.
 * @throws ConfigError as the program itself does.
 */
export async function planOf(stack: string, options: PlanOptions = {}): Promise<Plan> {
  const config = configOf(stack, options);
  const [mesh, { resources: registered }] = await withKubeconfigs(config, (known) =>
    record(() => new AgentMesh("mesh", known), PLANNED_CLOUDS),
  );
  const clouds = config.clouds.map(({ name }) => name).sort();
  const byUrn = new Map(registered.map((resource) => [resource.urn, resource]));
  const resources = registered
    .filter(({ type }) => !/^(agentweave:|pulumi:(providers:|pulumi:))/.test(type))
    .map((resource) => ({
      ...resource,
      cloud: cloudOf(resource.name, clouds),
      layer: layerOf(resource, byUrn),
      component: byUrn.get(resource.parent)?.name ?? "mesh",
    }));
  return { stack, config, mesh, clouds, registered, resources };
}

/** Runs `use` with a kubeconfig for each cluster that exists, which is not asked. */
async function withKubeconfigs<T>(config: MeshConfig, use: (config: MeshConfig) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), "agentweave-plan-"));
  try {
    const clouds = config.clouds.map((cloud) => {
      if (cloud.provider !== "existing") return cloud;
      const kubeconfig = path.join(folder, cloud.name);
      writeFileSync(kubeconfig, KUBECONFIG(cloud.context));
      return { ...cloud, kubeconfig };
    });
    return await use({ ...config, clouds });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A resource of one cloud has its key as the first part of its name. Keys may have dashes, so the longest that fits. */
function cloudOf(resource: string, clouds: readonly string[]): string {
  const fitting = clouds.filter((cloud) => resource.startsWith(`${cloud}-`));
  return fitting.sort((a, b) => b.length - a.length)[0] ?? "mesh";
}

/** The outermost component within the mesh tells the layer, `agentweave:<layer>:<Component>`; a resource without one is of its own type's. */
function layerOf(resource: Registered, byUrn: ReadonlyMap<string, Registered>): string {
  const parent = byUrn.get(resource.parent);
  const outer = parent === undefined ? "mesh" : layerOf(parent, byUrn);
  return outer === "mesh" ? (/\bagentweave[:/]([a-z]+):/.exec(resource.type)?.[1] ?? "mesh") : outer;
}
