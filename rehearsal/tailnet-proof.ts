// The proof that the mesh works over its tailnet: one name for all clouds, a link that is cut and mended, a subnet router that is lost.
import path from "node:path";
import { type Mesh, type MeshAgent, type MeshCloud, usualAgent } from "../cli/mesh-outputs";
import type { VerifyReport } from "../cli/report";
import { verifyMesh } from "../cli/verify";
import { NAMESPACES, TAILNET } from "../components/well-known";
import { callAny, failoverCase, nameOf, ping } from "./calls";
import { step, type Step, until } from "./steps";
import { TAILNET_DOMAIN } from "./tailnet";
import { agentProcesses, dialFrom, routerOf, type TailnetTrial } from "./tailnet-devices";
import { setLink } from "./world";

export interface TailnetProof {
  readonly steps: readonly Step[];
}

const globalName = `${TAILNET.global}.${TAILNET_DOMAIN}`;

/** What `mesh verify` says is wrong, by where it is wrong. */
function troubles({ clouds, pairs }: VerifyReport): string[] {
  const failed = (checks: readonly { status: string }[]) => checks.some(({ status }) => status === "failed");
  return [
    ...clouds.filter(({ checks }) => failed(checks)).map(({ cloud }) => cloud),
    ...pairs.filter(({ checks }) => failed(checks)).map(({ target, source }) => `${target} trusts ${source}`),
  ];
}

/** `mesh verify` must tell of every pair that the cut cloud is one of, and of nothing else. */
async function verifyNames(mesh: Mesh, cut: string): Promise<string> {
  const found = troubles(await verifyMesh(mesh));
  const others = mesh.clouds.map(({ name }) => name).filter((name) => name !== cut);
  const missed = others
    .flatMap((other) => [`${other} trusts ${cut}`, `${cut} trusts ${other}`])
    .filter((pair) => !found.includes(pair));
  const wrong = found.filter((place) => !place.includes(cut));
  if (missed.length > 0) throw new Error(`it says nothing of ${missed.join(", ")}`);
  if (wrong.length > 0) throw new Error(`it also names ${wrong.join(", ")}`);
  return found.join(", ");
}

async function mustPing(mesh: Mesh, from: MeshAgent, to: MeshAgent): Promise<string> {
  const { milliseconds, failure } = await ping(mesh, from, to);
  if (failure !== undefined) throw new Error(failure);
  return `${Math.round(milliseconds!)} ms`;
}

/** Cuts a cloud off from the others, sees what becomes of calls, mends the link, and sees that all comes back by itself. */
async function cutAndMend(trial: TailnetTrial): Promise<Step[]> {
  const { mesh, root, cloud } = trial;
  const found = failoverCase(mesh);
  const agents = mesh.clouds.flatMap((each) => usualAgent(each) ?? []);
  const lost = agents.find((agent) => agent.cloud === (found?.[1][0]!.cloud ?? mesh.clouds.at(-1)!.name))!;
  const near = agents.find((agent) => agent.cloud !== lost.cloud)!;
  const dir = path.join(root, lost.cloud);
  const before = agentProcesses(trial);
  const steps: Step[] = [];
  try {
    steps.push(
      await step(`${lost.cloud} is cut off: ${nameOf(near)} cannot ping it`, async () => {
        setLink(cloud, dir, "down");
        const { failure } = await ping(mesh, near, lost);
        if (failure === undefined) throw new Error("it answered");
        return failure;
      }),
    );
    if (found) {
      const [caller, [gone, next]] = found as [MeshAgent, [MeshAgent, MeshAgent]];
      steps.push(
        await step(`${nameOf(caller)} calls any ${gone.role}: ${nameOf(next)} answers`, async () => {
          const { agent, failed } = await callAny(mesh, caller, gone.role);
          if (agent !== next.spiffeId) throw new Error(`${agent} answered`);
          return `after ${failed.length} failed`;
        }),
      );
    }
    steps.push(
      await step(`${globalName} leads ${nameOf(near)} to another cloud`, () =>
        until("another cloud's agent", async () => {
          const id = await dialFrom(trial, near, globalName);
          return id === lost.spiffeId ? undefined : id;
        }),
      ),
      await step(`\`mesh verify\` names ${lost.cloud}'s link`, () => verifyNames(mesh, lost.cloud)),
    );
  } finally {
    setLink(cloud, dir, "up");
  }
  steps.push(
    await step(`the link is mended: ${nameOf(near)} pings ${nameOf(lost)}`, () =>
      until("a ping", () => mustPing(mesh, near, lost)),
    ),
    await step(`${nameOf(lost)} pings ${nameOf(near)}`, () =>
      until("a ping", () => mustPing(mesh, lost, near)),
    ),
    await step("`mesh verify` finds nothing wrong", () =>
      until("a good report", async () => {
        const wrong = troubles(await verifyMesh(mesh));
        if (wrong.length > 0) throw new Error(wrong.join(", "));
        if (agentProcesses(trial) !== before) throw new Error("processes of agents' pods were restarted");
        return "every process of the agents' pods is the one from before";
      }),
    ),
  );
  return steps;
}

/** Takes away the subnet router that has a cloud's ranges; the other one has them then, as another cloud's agent is told. */
async function loseRouter(mesh: Mesh, cloud: MeshCloud): Promise<Step> {
  const asking = mesh.clouds.find((other) => other !== cloud)!;
  const asked = usualAgent(asking)!;
  const what = `${cloud.name} loses the subnet router that has its ranges: ${nameOf(asked)} is told of another`;
  return step(what, async () => {
    const before = await routerOf(cloud, asked, asking);
    const k8s = await import("@kubernetes/client-node");
    const config = new k8s.KubeConfig();
    config.loadFromString(cloud.kubeconfig);
    const core = config.makeApiClient(k8s.CoreV1Api);
    // A router has its pod's name after its cloud's.
    const pod = before.HostName.slice(cloud.name.length + 1);
    await core.deleteNamespacedPod({ namespace: NAMESPACES.tailscale, name: pod });
    return until("another router", async () => {
      const now = await routerOf(cloud, asked, asking);
      if (now.HostName === before.HostName) return undefined;
      return `${now.HostName} has ${now.PrimaryRoutes!.join(" and ")}, which ${before.HostName} had`;
    });
  });
}

/** Tries what a tailnet is for. Run in the world. */
export async function proveTailnet(trial: TailnetTrial): Promise<TailnetProof> {
  const { mesh } = trial;
  const agents = mesh.clouds.flatMap((cloud) => usualAgent(cloud) ?? []);
  const steps: Step[] = [];
  for (const agent of agents) {
    steps.push(
      await step(`${nameOf(agent)} reaches ${globalName}`, () => dialFrom(trial, agent, globalName)),
    );
  }
  steps.push(...(await cutAndMend(trial)), await loseRouter(mesh, mesh.clouds.at(-1)!));
  return { steps };
}
