// Tries connections in the tests' world: which of them the policies of a cluster allow.
import { FLOWS } from "../../../components/network/flows";
import { NETWORK_MODES, type NetworkMode } from "../../../components/network/mode";
import { type FlowContext, namespacePolicies } from "../../../components/network/policies";
import { allows, type EngineName, type Policy } from "../../support/network-policy";
import type { Recording } from "../../../infra/plan/recorder";
import type { Passing } from "./flows-needed";
import { type PartName, PARTS } from "./flows-needed-observability";
import { contextOf, PLANS, stand, worldOf, type Plan } from "./flows-world";

/** Namespaces of the mesh. */
export const MESH_NAMESPACES = [
  "agentweave",
  "opa",
  "spire",
  "spire-system",
  "spire-oidc",
  "tailscale",
  "observability",
];
/** A cluster, and the engine that decides in it. */
export interface Where {
  readonly mode: NetworkMode;
  readonly part: PartName;
  readonly plan: Plan;
  readonly engine: EngineName;
}

const recordings = new Map<string, Recording>();

/** Stands up a home cluster in every mode and with every plan. It comes before all else. */
export async function standAll(): Promise<void> {
  for (const mode of NETWORK_MODES) {
    for (const plan of Object.keys(PLANS) as Plan[]) {
      recordings.set(`${mode} ${plan}`, await stand(mode, plan, PARTS.home));
    }
  }
}

/** One of them. */
export const made = (mode: NetworkMode, plan: Plan = "overlay") => recordings.get(`${mode} ${plan}`)!;

const worlds = new Map<string, ReturnType<typeof worldOf>>();
function ends(mode: NetworkMode, plan: Plan): ReturnType<typeof worldOf> {
  const key = `${mode} ${plan}`;
  const world = worlds.get(key) ?? worldOf(made(mode, plan), mode, plan);
  worlds.set(key, world);
  return world;
}

/** The policies of a cluster with this part. */
export function policiesIn({ mode, part, plan }: Omit<Where, "engine">, flows = FLOWS): Policy[] {
  return MESH_NAMESPACES.flatMap((namespace) =>
    namespacePolicies(namespace, contextOf(mode, PARTS[part]), PLANS[plan], flows).map(({ name, spec }) => ({
      metadata: { namespace, name },
      spec,
    })),
  );
}

/** Whether a connection passes in a cluster without observability, where what its flows depend on is as usual but for `more`. */
export function passing(
  mode: NetworkMode,
  more: Partial<FlowContext>,
  tried: Passing,
  flows = FLOWS,
): boolean {
  const policies = MESH_NAMESPACES.flatMap((namespace) =>
    namespacePolicies(namespace, { ...contextOf(mode), ...more }, PLANS.overlay, flows).map(
      ({ name, spec }) => ({ metadata: { namespace, name }, spec }),
    ),
  );
  return allowed(policies, [tried], { mode, plan: "overlay", engine: "Kubernetes" }).length > 0;
}

/** The connections among `wanted` that these policies allow. */
export function allowed(
  policies: readonly Policy[],
  wanted: readonly Passing[],
  { mode, plan, engine }: Omit<Where, "part">,
): Passing[] {
  const world = ends(mode, plan);
  const end = (name: string) => {
    const found = world[name];
    if (found === undefined) throw new Error(`the world has no ${name}`);
    return found;
  };
  return wanted.filter(([from, to, protocol, port]) =>
    allows(policies, { from: end(from), to: end(to), protocol, port }, engine),
  );
}
