// Packs pods onto nodes.
import type { MachineType, Pods, Room } from "./machine";

/** A node with what is left of it. */
interface Node {
  readonly of: MachineType;
  cpu: number;
  memory: number;
  pods: number;
}

/** What is left to pods on all nodes together, and what of it is requested. */
export interface Load {
  readonly requested: Room & { readonly pods: number };
  readonly room: Room & { readonly pods: number };
}

const total = (parts: readonly (Room & { readonly pods: number })[]) => ({
  cpu: parts.reduce((sum, { cpu }) => sum + cpu, 0),
  memory: parts.reduce((sum, { memory }) => sum + memory, 0),
  pods: parts.reduce((sum, part) => sum + part.pods, 0),
});

/** Part of a node that a pod takes, of what it takes most of. */
const share = ({ cpu, memory }: Room, { allocatable }: MachineType) =>
  Math.max(cpu / allocatable.cpu, memory / allocatable.memory);

/** How full a node is with this pod, of what it is fullest of: above 1 where there is no room for it. */
function fullness({ requests }: Pods, { of, cpu, memory, pods }: Node): number {
  return Math.max(
    1 - (cpu - requests.cpu) / of.allocatable.cpu,
    1 - (memory - requests.memory) / of.allocatable.memory,
    1 - (pods - 1) / of.pods,
  );
}

/** Puts a pod onto the emptiest of the nodes, as Kubernetes' scheduler does where nothing else is said. */
function place(pod: Pods, nodes: readonly Node[]): boolean {
  const [node] = [...nodes].sort((a, b) => fullness(pod, a) - fullness(pod, b));
  if (node === undefined || fullness(pod, node) > 1) return false;
  node.cpu -= pod.requests.cpu;
  node.memory -= pod.requests.memory;
  node.pods -= 1;
  return true;
}

/**
 * Puts all pods onto nodes of these types, the largest first. One pod more of the largest that surge has to fit as well: updates
 * of several wait for each other, but the first needs room.
 *
 * @returns the load, or the pods of which one found no place.
 */
export function pack(machines: readonly MachineType[], pods: readonly Pods[]): Load | { unplaced: Pods } {
  const nodes = machines.map((of): Node => ({ of, ...of.allocatable, pods: of.pods }));
  for (const daemon of pods.filter(({ count }) => count === "node")) {
    if (!nodes.every((node) => place(daemon, [node]))) return { unplaced: daemon };
  }
  const [largest] = [...machines].sort((a, b) => b.allocatable.cpu - a.allocatable.cpu);
  if (largest === undefined) throw new Error("no node to pack pods onto");
  const bySize = pods
    .filter(({ count }) => count !== "node")
    .sort((a, b) => share(b.requests, largest) - share(a.requests, largest));
  const surging = bySize.find(({ surges }) => surges);
  for (const group of bySize) {
    const count = (group.count as number) + (group === surging ? 1 : 0);
    for (let index = 0; index < count; index += 1) {
      if (!place(group, nodes)) return { unplaced: group };
    }
  }
  const room = total(machines.map(({ allocatable, pods }) => ({ ...allocatable, pods })));
  const left = total(nodes);
  return {
    room,
    requested: {
      cpu: room.cpu - left.cpu,
      memory: room.memory - left.memory,
      pods: room.pods - left.pods,
    },
  };
}
