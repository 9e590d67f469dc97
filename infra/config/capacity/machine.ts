// Machine types as data: what each provider leaves of a node to pods, and the pods of its own that take their part of that.
import type { Path } from "../problem";

/** CPU in millicores and memory in MiB. */
export interface Room {
  readonly cpu: number;
  readonly memory: number;
}

/** A machine type with what is left to pods on a node of it. */
export interface MachineType {
  /** As the configuration writes it. */
  readonly name: string;
  readonly arch: "amd64" | "arm64";
  readonly vcpus: number;
  readonly allocatable: Room;
  /** Most pods of a node, those in the node's own network among them. */
  readonly pods: number;
}

/** Pods that are all alike. */
export interface Pods {
  readonly name: string;
  /** How many there are; `node`: one on each node. */
  readonly count: number | "node";
  /** What one of them requests. */
  readonly requests: Room;
  /** Whether an update starts a pod before it stops one. Default: no. */
  readonly surges?: boolean;
}

/** A pod of a provider's own, and where its requests are told. */
export interface SystemPods extends Pods {
  readonly source: string;
  /** Where the source leaves out the version or a part of the figure. Default: the figure is the source's. */
  readonly estimate?: true;
}

/** Makes a provider's own pods of what they request by a source that is not the provider's: CPU in millicores, memory in MiB. */
export const estimated =
  (listing: string) =>
  (name: string, count: SystemPods["count"], cpu: number, memory: number, source = listing): SystemPods => ({
    name,
    count,
    requests: { cpu, memory },
    source,
    estimate: true,
  });

/** Nodes that are all alike. */
export interface Pool {
  /** Where the machine type stands in the cloud's entry. */
  readonly typePath: Path;
  readonly type: string;
  /** Where the number of nodes stands in the cloud's entry. */
  readonly countPath: Path;
  /** As many as there may be: where something scales the pool, its most. */
  readonly nodes: number;
}

/** A pool of a cloud's entry; undefined where its type or its number cannot be used. */
export function poolOf(
  typePath: Path,
  type: string | undefined,
  countPath: Path,
  nodes: number | undefined,
): Pool | undefined {
  return type === undefined || nodes === undefined ? undefined : { typePath, type, countPath, nodes };
}

/** The pool that every cloud of the program has, under the provider's own word for the machine's kind. */
export function nodesPool<K extends string>(
  key: K,
  nodes:
    | ({ readonly count?: number | undefined; readonly maxCount?: number | undefined } & {
        readonly [key in K]?: string | undefined;
      })
    | undefined,
  scaled: boolean,
): Pool | undefined {
  const most = scaled && nodes?.maxCount !== undefined ? "maxCount" : "count";
  return poolOf(["nodes", key], nodes?.[key], ["nodes", most], nodes?.[most]);
}

/** What a provider's clusters have room for. */
export interface Platform {
  /** As in "GKE's own pods". */
  readonly name: string;
  /** Of types with as many vCPUs the one that is proposed first comes first: what costs less, and has less memory. */
  readonly types: readonly MachineType[];
  /** What is reserved on a node, by whose word, and what of it is an estimate. */
  readonly sources: Readonly<Record<"cpu" | "memory" | "pods", string>>;
  /** Its pods in a cluster as this program makes it. */
  systemPods(mesh: { readonly podAutoscaling: boolean }): readonly SystemPods[];
}

/** Shape of a machine: vCPUs and GiB of memory. */
export type Shape = readonly [vcpus: number, gib: number];

/** `parts` of the whole by bands of it: `[[1000, 0.06], [2000, 0.01]]` is 6 % of the first thousand and 1 % of the next. */
export function banded(whole: number, bands: readonly (readonly [upTo: number, share: number])[]): number {
  return bands.reduce((sum, [upTo, share], index) => {
    const from = index === 0 ? 0 : bands[index - 1]![0];
    return sum + Math.max(0, Math.min(whole, upTo) - from) * share;
  }, 0);
}

/** CPU that GKE reserves, and EKS after it: 6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % of all others. */
export function reservedCpu(vcpus: number): number {
  return banded(vcpus * 1000, [
    [1000, 0.06],
    [2000, 0.01],
    [4000, 0.005],
    [Infinity, 0.0025],
  ]);
}
