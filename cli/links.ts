// Which link of the network is cut, read from the pings of all pairs and the health of the clouds: pure.
import type { NetworkMode } from "../components/network/mode";
import { clusterAway, linkAdvice } from "./advice";
import type { Mesh, MeshCloud } from "./mesh-outputs";
import type { CloudReport, Cut, PairReport } from "./report";

const WAY: Readonly<Record<NetworkMode, string>> = {
  tailscale: " over the tailnet",
  vpn: " over the VPN",
  direct: "",
};

/** From the cloud whose agent called to the one that it called. */
interface Link {
  readonly from: MeshCloud;
  readonly to: MeshCloud;
  readonly cut: boolean;
  readonly cause: string;
}

const namesOf = ({ from, to }: Link) => ({ from: from.name, to: to.name });

const failure = (report: CloudReport | undefined, name: string) =>
  report?.checks.find(({ check, status }) => check === name && status === "failed");

/** Whether it is the network that takes a cloud from the others, as far as its own checks tell; not so when it has just no agents that run. */
const maybeCutOff = (report: CloudReport | undefined) =>
  answers(report) ||
  failure(report, "network") !== undefined ||
  clusterAway.test(failure(report, "agents")?.cause ?? "");

/** A cloud whose own agents answer is not to blame for a ping that does not arrive. */
const answers = (report: CloudReport | undefined) =>
  report !== undefined && !failure(report, "agents") && !failure(report, "policy");

function linksOf(mesh: Mesh, pairs: readonly PairReport[]): Link[] {
  const cloudNamed = (name: string) => mesh.clouds.find((cloud) => cloud.name === name)!;
  return pairs.flatMap(({ target, source, link, checks }) => {
    if (link === undefined) return [];
    const cause = checks.find(({ check }) => check === "ping")?.cause ?? "no answer";
    return [{ from: cloudNamed(target), to: cloudNamed(source), cut: link === "cut", cause }];
  });
}

/** Clouds that no link leads to or from. Each has several clouds to be reached from, or it could not be told which of two is to blame. */
function cutOff(mesh: Mesh, links: readonly Link[], clouds: readonly CloudReport[]): MeshCloud[] {
  return mesh.clouds.filter((cloud) => {
    if (!maybeCutOff(clouds.find((report) => report.cloud === cloud.name))) return false;
    const own = links.filter(({ from, to }) => from === cloud || to === cloud);
    return own.filter(({ to }) => to === cloud).length > 1 && own.every(({ cut }) => cut);
  });
}

/**
 * The cuts of a network. A cloud that is cut off from all others is one cut; a link that fails while its two clouds are well is another.
 * A ping that fails since a cloud is not well is that cloud's failure, and no cut.
 */
export function cutsOf(mesh: Mesh, clouds: readonly CloudReport[], pairs: readonly PairReport[]): Cut[] {
  const way = mesh.network ? WAY[mesh.network.mode] : "";
  const reportOf = ({ name }: MeshCloud) => clouds.find((report) => report.cloud === name);
  const links = linksOf(mesh, pairs);
  const alone = cutOff(mesh, links, clouds);
  const [first] = links;
  if (first && alone.length === mesh.clouds.length) {
    const { from, to, cause } = first;
    const next = linkAdvice(mesh.network, from, to, cause);
    return [{ links: links.map(namesOf), what: `no cloud reaches another${way}`, cause, next }];
  }
  const ofCloud = alone.map((cloud): Cut => {
    const own = links.filter(({ from, to }) => from === cloud || to === cloud);
    const known = failure(reportOf(cloud), "network") ?? failure(reportOf(cloud), "agents");
    const out = own.find(({ from }) => from === cloud) ?? own[0]!;
    return {
      links: own.map(namesOf),
      cloud: cloud.name,
      what: `${cloud.name} is cut off: none of its ${own.length} links${way} works`,
      cause: known?.cause ?? out.cause,
      next: known?.next ?? linkAdvice(mesh.network, out.from, out.to, out.cause),
    };
  });
  const ofLinks = links
    .filter(({ from, to, cut }) => cut && !alone.includes(from) && !alone.includes(to))
    .filter(({ from, to }) => answers(reportOf(from)) && answers(reportOf(to)))
    .map((link): Cut => {
      const { from, to, cause } = link;
      const known = failure(reportOf(to), "network") ?? failure(reportOf(from), "network");
      return {
        links: [namesOf(link)],
        what: `link ${from.name} → ${to.name}${way} is cut`,
        cause,
        next: known?.next ?? linkAdvice(mesh.network, from, to, cause),
      };
    });
  return [...ofCloud, ...ofLinks];
}

/** The reports, in which a ping that a cut explains says so, and no link is called cut for a ping that failed otherwise. */
export function withCuts(pairs: readonly PairReport[], cuts: readonly Cut[]): PairReport[] {
  return pairs.map((pair) => {
    const cut = cuts.find(({ links }) =>
      links.some(({ from, to }) => from === pair.target && to === pair.source),
    );
    if (!cut && pair.link === "cut") {
      const { link: _, ...rest } = pair;
      return rest;
    }
    if (!cut) return pair;
    const checks = pair.checks.map((check) =>
      check.check === "ping" ? { ...check, detail: cut.what, next: cut.next } : check,
    );
    return { ...pair, checks };
  });
}
