// Whether the pods of a cloud have room on its nodes: judged by a catalogue of machine types, never by asking a cloud.
import type { CloudDraft, CloudDrafts } from "../draft";
import type { Problem } from "../problem";
import { specOf } from "../settle";
import type { MachineType, Platform, Pods, Pool } from "./machine";
import { type Load, pack } from "./pack";
import { meshPods, type PodSettings } from "./pods";

/** Nodes beyond those of the configuration that are tried, where these are too few. */
const MORE_NODES = 20;

/** A pool whose machine type the catalogue has. */
interface KnownPool extends Pool {
  readonly machine: MachineType;
}

/** A cloud as far as its capacity can be judged, or why it cannot. */
type Case =
  | { readonly platform: Platform; readonly pools: readonly KnownPool[]; readonly pods: readonly Pods[] }
  | { readonly notJudged: string };

/** Undefined for a cluster that is there already: its nodes are its owner's. */
function caseOf(cloud: string, entry: CloudDraft, settings: PodSettings): Case | undefined {
  const { capacity } = specOf(entry);
  if (capacity === undefined) return undefined;
  if ("nodes" in entry && entry.nodes?.checkCapacity === false)
    return { notJudged: "nodes.checkCapacity is false" };
  const { platform } = capacity;
  const pools: KnownPool[] = [];
  for (const pool of capacity.pools(entry)) {
    if (pool === undefined) return { notJudged: "its nodes cannot be used as they are written" };
    const machine = platform.types.find(({ name }) => name === pool.type);
    if (machine === undefined) return { notJudged: `the catalogue has no ${pool.type}` };
    pools.push({ ...pool, machine });
  }
  const podAutoscaling = settings.agents?.autoscaling !== undefined;
  return {
    platform,
    pools,
    pods: [...platform.systemPods({ podAutoscaling }), ...meshPods(cloud, settings)],
  };
}

/** Packs the pods onto the nodes of all pools, of which the first may be tried with another type or number. */
function packed(
  [first, ...others]: readonly KnownPool[],
  pods: readonly Pods[],
  instead: Partial<Pick<KnownPool, "machine" | "nodes">> = {},
) {
  const pools = [{ ...first!, ...instead }, ...others];
  return pack(
    pools.flatMap(({ machine, nodes }) => Array.from({ length: nodes }, () => machine)),
    pods,
  );
}

/** What to write instead: the smallest type with such processors, or as many nodes as it takes. */
function advice(platform: Platform, pools: readonly KnownPool[], pods: readonly Pods[]): string {
  const { machine: given, nodes, countPath } = pools[0]!;
  const fits = (instead: Partial<Pick<KnownPool, "machine" | "nodes">>) =>
    !("unplaced" in packed(pools, pods, instead));
  const machine = platform.types
    .filter(({ arch }) => arch === given.arch)
    .sort((a, b) => a.vcpus - b.vcpus)
    .find((machine) => fits({ machine }));
  const enough = Array.from({ length: MORE_NODES }, (_, index) => nodes + 1 + index).find((nodes) =>
    fits({ nodes }),
  );
  const ways = [
    ...(machine === undefined ? [] : [`${machine.name} or a larger one`]),
    ...(enough === undefined ? [] : [`${countPath.join(".")}: ${enough}`]),
  ];
  return ways.length === 0 ? "let the pods request less" : `write ${ways.join(", or ")}`;
}

/** Clouds whose pods have no room on their nodes. */
export function capacityProblems(clouds: CloudDrafts, settings: PodSettings): Problem[] {
  return clouds.flatMap(([cloud, entry]) => {
    const found = caseOf(cloud, entry, settings);
    if (found === undefined || "notJudged" in found) return [];
    const { platform, pools, pods } = found;
    const result = packed(pools, pods);
    if (!("unplaced" in result)) return [];
    const { type, typePath, nodes } = pools[0]!;
    const { name, requests } = result.unplaced;
    const message =
      `is ${JSON.stringify(type)}: on ${nodes} such nodes, the mesh's pods have no room beside ${platform.name}'s own; ` +
      `the first without is ${name} (${Math.round(requests.cpu)}m of CPU, ${Math.round(requests.memory)}Mi); ` +
      `${advice(platform, pools, pods)}, or nodes.checkCapacity: false if you know better`;
    return [{ path: ["clouds", cloud, ...typePath], message }];
  });
}

/** What can be said of a cloud's capacity. */
export interface CapacityNote {
  readonly cloud: string;
  /** Whether the catalogue has its machine types. */
  readonly judged: boolean;
  readonly text: string;
}

function loadText({ requested, room }: Load): string {
  const cores = (millicores: number) => (millicores / 1000).toFixed(1);
  const gib = (mib: number) => (mib / 1024).toFixed(1);
  return (
    `${cores(requested.cpu)} of ${cores(room.cpu)} CPUs, ${gib(requested.memory)} of ${gib(room.memory)} GiB and ` +
    `${requested.pods} of ${room.pods} pods are taken`
  );
}

/**
 * For each cloud with nodes of the program's how much of them is taken, or that this was not judged and why. For a configuration
 * without mistakes.
 */
export function capacityNotes(clouds: CloudDrafts, settings: PodSettings): CapacityNote[] {
  return clouds.flatMap(([cloud, entry]): CapacityNote[] => {
    const found = caseOf(cloud, entry, settings);
    if (found === undefined) return [];
    if ("notJudged" in found) {
      return [{ cloud, judged: false, text: `capacity was not judged: ${found.notJudged}` }];
    }
    const { pools, pods } = found;
    const load = packed(pools, pods);
    if ("unplaced" in load) throw new Error(`the pods of ${cloud} were not checked`);
    const { nodes } = pools[0]!;
    const spare = nodes > 1 && !("unplaced" in packed(pools, pods, { nodes: nodes - 1 }));
    const away = `while a node is away, ${spare ? "all pods still have room" : "some pods wait for it"}`;
    return [{ cloud, judged: true, text: `capacity: ${loadText(load)}; ${away}` }];
  });
}
