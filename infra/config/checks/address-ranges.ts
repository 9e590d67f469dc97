// Address ranges of the whole mesh: none may overlap another where packets for both can be on the way, nor one that has a meaning already.
import { firstFree, overlaps, prefixLength } from "../../../components/network/cidr";
import type { NetworkMode } from "../../../components/network/mode";
import type { AddressRange } from "../clouds/spec";
import type { CloudDrafts } from "../draft";
import { formatPath, type Path, type Problem } from "../problem";
import { specOf } from "../settle";
import { takenRange } from "../special-ranges";

/** Where a free range is looked for to suggest it (RFC 1918). */
const PRIVATE_SPACE = "10.0.0.0/8";

interface PlacedRange extends Omit<AddressRange, "cidr"> {
  readonly cloud: string;
  readonly path: Path;
  readonly cidr: string;
  /** Whether the range is there already, so that nobody can be told to write another. */
  readonly given: boolean;
}

/** Whether a packet can be meant for either of two ranges: both are of one cloud, or the network brings what is for one of them to where the other is. */
function meet(a: PlacedRange, b: PlacedRange, mode: NetworkMode | undefined): boolean {
  return a.cloud === b.cloud || [a, b].some(({ routed }) => mode !== undefined && routed?.includes(mode));
}

/**
 * Ranges that overlap where both are routed, each told at one that can be changed, with a free range of the same size. What of an existing cluster
 * cannot be changed is told with what can.
 *
 * @param mode undefined where it cannot be used: then nothing is said of two clouds.
 */
export function networkProblems(clouds: CloudDrafts, mode: NetworkMode | undefined): Problem[] {
  const ranges = clouds.flatMap(([cloud, entry]) => {
    const { ranges, rangesAreGiven: given = false } = specOf(entry);
    return ranges(entry).flatMap(({ path, cidr, ...range }): PlacedRange[] =>
      cidr === undefined ? [] : [{ ...range, cloud, path: ["clouds", cloud, ...path], cidr, given }],
    );
  });
  const taken = ranges.map(({ cidr }) => cidr);
  const suggestion = (cidr: string): string => {
    const prefix = prefixLength(cidr);
    const free = prefix < prefixLength(PRIVATE_SPACE) ? undefined : firstFree(PRIVATE_SPACE, prefix, taken);
    if (free === undefined) {
      return "write a smaller range elsewhere";
    }
    taken.push(free);
    return `write a free range such as ${free}`;
  };
  const changed = new Set<PlacedRange>();
  return ranges.flatMap((range, index) => {
    const { path, cidr, given } = range;
    const special = takenRange(cidr, mode);
    if (special !== undefined) {
      const instead = !given
        ? suggestion(cidr)
        : special.noCluster === "ever"
          ? OWN
          : `${OWN}, or another network.mode`;
      return [{ path, message: `${cidr} overlaps ${special.cidr}, ${special.use}; ${instead}` }];
    }
    const others = ranges
      .slice(0, index)
      .filter((other) => !changed.has(other) && overlaps(cidr, other.cidr) && meet(range, other, mode));
    // One of a cluster that is there stays, and what the program makes moves.
    const movable = given ? others.filter((other) => !other.given) : [];
    const problems = movable.map((other) => {
      changed.add(other);
      return problemOf(other, [range], suggestion(other.cidr));
    });
    const rest = others.filter((other) => !movable.includes(other));
    if (rest.length === 0) return problems;
    return [...problems, problemOf(range, rest, given ? whatElse(range, rest, mode) : suggestion(cidr))];
  });
}

/** What there is to say of a range that no cluster can have. */
const OWN = "write the range that the cluster really has";

/** What to do where ranges overlap that are all there already. */
function whatElse(range: PlacedRange, others: readonly PlacedRange[], mode: NetworkMode | undefined): string {
  if (others.some(({ cloud }) => cloud === range.cloud)) return OWN;
  return `network.mode ${mode} routes both, so write another, or remove one of the clouds`;
}

function problemOf({ path, cidr }: PlacedRange, others: readonly PlacedRange[], instead: string): Problem {
  const list = others.map((other) => `${formatPath(other.path)} (${other.cidr})`).join(" and ");
  return { path, message: `${cidr} overlaps ${list}; ${instead}` };
}
