// Address ranges of the whole mesh: none may overlap another, nor one that has a meaning already.
import { firstFree, overlaps, prefixLength } from "../../components/network/cidr";
import type { CloudDrafts } from "./draft";
import { formatPath, type Path, type Problem } from "./problem";
import { specOf } from "./settle";

/** Ranges that no cluster of the mesh can have (IANA IPv4 Special-Purpose Address Registry). */
const RESERVED: readonly { readonly cidr: string; readonly use: string }[] = [
  { cidr: "100.64.0.0/10", use: "the addresses of a tailnet" },
  { cidr: "0.0.0.0/8", use: "this network" },
  { cidr: "127.0.0.0/8", use: "loopback" },
  { cidr: "169.254.0.0/16", use: "link-local addresses, those inside of tunnels among them" },
  { cidr: "224.0.0.0/3", use: "multicast and reserved addresses" },
];

/** Where a free range is looked for to suggest it (RFC 1918). */
const PRIVATE_SPACE = "10.0.0.0/8";

interface PlacedRange {
  readonly path: Path;
  readonly cidr: string;
}

/** Ranges that overlap, each told at the later of the two places, with a free range of the same size. */
export function networkProblems(clouds: CloudDrafts): Problem[] {
  const ranges = clouds.flatMap(([name, entry]) =>
    specOf(entry)
      .ranges(entry)
      .flatMap(({ path, cidr }): PlacedRange[] =>
        cidr === undefined ? [] : [{ path: ["clouds", name, ...path], cidr }],
      ),
  );
  const taken = [...ranges.map(({ cidr }) => cidr)];
  const suggestion = (cidr: string): string => {
    const prefix = prefixLength(cidr);
    const free = prefix < prefixLength(PRIVATE_SPACE) ? undefined : firstFree(PRIVATE_SPACE, prefix, taken);
    if (free === undefined) {
      return "write a smaller range elsewhere";
    }
    taken.push(free);
    return `write a free range such as ${free}`;
  };
  return ranges.flatMap(({ path, cidr }, index) => {
    const reserved = RESERVED.find((other) => overlaps(cidr, other.cidr));
    if (reserved !== undefined) {
      return [{ path, message: `${cidr} overlaps ${reserved.cidr}, ${reserved.use}; ${suggestion(cidr)}` }];
    }
    const others = ranges.slice(0, index).filter((other) => overlaps(cidr, other.cidr));
    if (others.length === 0) {
      return [];
    }
    const list = others.map((other) => `${formatPath(other.path)} (${other.cidr})`).join(" and ");
    return [{ path, message: `${cidr} overlaps ${list}; ${suggestion(cidr)}` }];
  });
}
