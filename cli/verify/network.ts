// The check of one cloud's own part of a tailnet: its subnet routers, and the sidecars in its agents' pods.
import { NAMESPACES, TAILNET } from "../../components/well-known";
import { selector } from "../../components/kubernetes/metadata";
import { routerAdvice, serverAdvice, sidecarAdvice } from "../advice";
import type { Cluster, PodSummary } from "../cluster";
import { lineOf } from "../errors";
import { within } from "../limits";
import type { Member } from "../member";
import type { MeshAgent } from "../mesh-outputs";
import { type Check, passed } from "../report";

type NetworkCheck = Check<"network">;

const trouble = (
  status: "failed" | "warning",
  detail: string,
  cause: string,
  next: string,
): NetworkCheck => ({ check: "network", status, detail, cause, next });

/** What is wrong with a pod's sidecar; undefined when its device has an address. It is ready without one, too, so that its agent serves its own cloud. */
async function sidecarTrouble(
  cluster: Cluster,
  namespace: string,
  { name, containers }: PodSummary,
  limitMs: number,
): Promise<string | undefined> {
  const sidecar = containers.find((container) => container.name === TAILNET.sidecar);
  if (!sidecar) return `pod ${name} has no container ${TAILNET.sidecar}`;
  if (sidecar.ready) {
    const place = { namespace, pod: name, container: TAILNET.sidecar };
    const { exitCode, stdout, stderr } = await cluster.exec(place, ["tailscale", "ip"], limitMs);
    return exitCode === 0 ? undefined : `pod ${name} is not on the tailnet: ${(stderr || stdout).trim()}`;
  }
  return `the container ${TAILNET.sidecar} of pod ${name} is not ready${sidecar.reason ? ` (${sidecar.reason})` : ""}`;
}

async function checkSidecars({ cloud, cluster }: Member, limitMs: number): Promise<NetworkCheck> {
  const podsOf = async (agent: MeshAgent) => {
    const { namespace, service } = agent;
    const what = `${cloud.name}: reading the pods of ${namespace}/${service}`;
    const pods = await within(limitMs, what, () => cluster.pods(namespace, selector(service)));
    return Promise.all(
      pods.map(async (pod) => ({ agent, trouble: await sidecarTrouble(cluster, namespace, pod, limitMs) })),
    );
  };
  const pods = (await Promise.all(cloud.agents.map(podsOf))).flat();
  const ready = pods.filter((pod) => pod.trouble === undefined).length;
  const count = `sidecars ${ready}/${pods.length}`;
  const first = pods.find((pod) => pod.trouble !== undefined);
  if (!first) return passed("network", count);
  return trouble("failed", count, `${cloud.name}: ${first.trouble}`, sidecarAdvice(cloud, first.agent));
}

/** Agents do not need the routers to reach each other: one that is missing is a warning, all of them a failure. */
async function checkRouters({ cloud, cluster }: Member, limitMs: number): Promise<NetworkCheck> {
  const place = [NAMESPACES.tailscale, TAILNET.router] as const;
  const found = await within(limitMs, `${cloud.name}: reading ${place.join("/")}`, () =>
    cluster.workload("StatefulSet", ...place),
  );
  const next = routerAdvice(cloud);
  if (!found)
    return trouble("failed", "no routers", `${cloud.name}: there is no StatefulSet ${place.join("/")}`, next);
  const count = `routers ${found.ready}/${found.desired}`;
  if (found.ready > 0 && found.ready >= found.desired) return passed("network", count);
  const cause = `${cloud.name}: ${found.ready} of ${found.desired} subnet routers are ready`;
  return trouble(found.ready > 0 ? "warning" : "failed", count, cause, next);
}

/** Checks a cloud's devices on the tailnet; it ends after `limitMs` milliseconds. */
export async function checkTailnet(member: Member, limitMs: number): Promise<NetworkCheck> {
  try {
    const [routers, sidecars] = await Promise.all([
      checkRouters(member, limitMs),
      checkSidecars(member, limitMs),
    ]);
    const detail = `${routers.detail}, ${sidecars.detail}`;
    const worst = [sidecars, routers].sort((a, b) => rank(b) - rank(a))[0]!;
    return { ...worst, detail };
  } catch (error) {
    return trouble("failed", "not read", lineOf(error), serverAdvice(member.cloud, error));
  }
}

const rank = ({ status }: NetworkCheck) => ["ok", "warning", "failed"].indexOf(status);
