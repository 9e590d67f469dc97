// The proof that the mesh works over its tailnet: what its policy approves and denies, a link that is cut and mended, a subnet router that is lost.
import { podSummary } from "../../cli/cluster";
import { type Mesh, type MeshAgent, type MeshCloud, usualAgent } from "../../cli/mesh-outputs";
import type { VerifyReport } from "../../cli/report";
import { verifyMesh } from "../../cli/verify";
import { AGENT_PORTS, agentName, NAMESPACES, routerTag, TAILNET } from "../../components/well-known";
import { askHeadscale, checkPolicy, TAILNET_DOMAIN } from "../machine/tailnet";
import { setLink } from "../machine/world";
import { callAny, failoverCase, nameOf, ping } from "./calls";
import { coreOf } from "./core";
import { step, type Step, until } from "./steps";
import { agentPods, dialFrom, onDevice } from "./tailnet-devices";

export interface TailnetProof {
  readonly steps: readonly Step[];
}

/** What the proof works with. */
export interface TailnetTrial {
  readonly mesh: Mesh;
  /** The rehearsal's folder. */
  readonly root: string;
  /** Path of the program `headscale`. */
  readonly headscale: string;
}

/** What listens in an agent's pod at all addresses, or where its device hands connections on to, and is none of the tailnet's business. */
const CLOSED = [AGENT_PORTS.health, AGENT_PORTS.metrics, TAILNET.proxyPort, TAILNET.healthPort];

const deviceOf = ({ cloud, role }: MeshAgent) => agentName(cloud, role);
const hostOf = (agent: MeshAgent) => `${deviceOf(agent)}.${TAILNET_DOMAIN}`;

/** A device in the answer of `headscale nodes list`. */
interface Device {
  readonly given_name: string;
  readonly tags?: readonly string[];
  readonly available_routes?: readonly string[];
  readonly approved_routes?: readonly string[];
  /** Those that lead to it now: of several routers with the same ranges, one has them. */
  readonly subnet_routes?: readonly string[];
}

const devicesOf = ({ root, headscale }: TailnetTrial) =>
  askHeadscale<Device[]>(root, headscale, ["nodes", "list"]);

/**
 * The router that a cloud's ranges lead to. Only the control server is asked: the policy lets no agent reach routers, so that agents' devices
 * are not even told of them.
 */
async function routerOf(trial: TailnetTrial, cloud: MeshCloud): Promise<Device> {
  const found = (await devicesOf(trial)).filter(
    ({ given_name, subnet_routes = [] }) =>
      given_name.startsWith(`${cloud.name}-${TAILNET.router}`) && subnet_routes.length > 0,
  );
  if (found.length !== 1) throw new Error(`${found.length} nodes have ${cloud.name}'s ranges`);
  return found[0]!;
}

/** Routers of each cloud that have been approved all the ranges that they offer; nobody else has any. */
async function approvals(trial: TailnetTrial): Promise<string> {
  const devices = await devicesOf(trial);
  const found = trial.mesh.clouds.map(({ name }) => {
    const routers = devices.filter(({ given_name }) => given_name.startsWith(`${name}-${TAILNET.router}`));
    const ranges = new Set(
      routers.map(({ approved_routes = [] }) => [...approved_routes].sort().join(" and ")),
    );
    const open = routers.find(
      ({ available_routes = [], approved_routes = [] }) => available_routes.length !== approved_routes.length,
    );
    if (open)
      throw new Error(
        `${open.given_name} offers ${open.available_routes?.join()} and has ${open.approved_routes?.join()}`,
      );
    if (routers.length === 0 || ranges.size !== 1 || ranges.has(""))
      throw new Error(`${name} has no routers with ranges`);
    if (!routers.every(({ tags }) => tags?.includes(routerTag(name))))
      throw new Error(`${name}'s routers lack ${routerTag(name)}`);
    return `${name} ${[...ranges][0]}`;
  });
  const others = devices.filter(
    ({ given_name, approved_routes = [] }) =>
      approved_routes.length > 0 && !given_name.includes(TAILNET.router),
  );
  if (others.length > 0)
    throw new Error(`${others[0]!.given_name} has ${others[0]!.approved_routes!.join()}`);
  return found.join("; ");
}

/** An agent's device that offers another cloud's range is seen to do so, and gets no approval. */
async function refusedRoute(trial: TailnetTrial, agent: MeshAgent, other: MeshCloud): Promise<string> {
  const { mesh } = trial;
  const [range] = (await routerOf(trial, other)).subnet_routes!;
  await onDevice(mesh, agent, ["set", `--advertise-routes=${range}`]);
  try {
    return await until("the control server's word", async () => {
      const offering = (await devicesOf(trial)).find(({ given_name }) => given_name === deviceOf(agent));
      if (!offering?.available_routes?.includes(range!)) return undefined;
      if (offering.approved_routes?.length) throw new Error(`it has ${offering.approved_routes.join()}`);
      return `${range} is offered, and not approved`;
    });
  } finally {
    await onDevice(mesh, agent, ["set", "--advertise-routes="]);
  }
}

/** From the device of an agent: the agents' port of another one is open, and all others are closed. */
async function openPorts({ mesh }: TailnetTrial, from: MeshAgent, to: MeshAgent): Promise<string> {
  const { id, failure } = await dialFrom(mesh, from, hostOf(to), AGENT_PORTS.mtls);
  if (id !== to.spiffeId)
    throw new Error(`at ${AGENT_PORTS.mtls}: ${failure ?? id ?? "nobody has an identity"}`);
  const tried = await Promise.all(
    CLOSED.map(async (port) => ({ port, ...(await dialFrom(mesh, from, hostOf(to), port)) })),
  );
  const open = tried.filter((each) => each.failure === undefined);
  if (open.length > 0) throw new Error(`open are ${open.map(({ port }) => port).join(", ")}`);
  return `${AGENT_PORTS.mtls} is ${id}; ${CLOSED.join(", ")}: ${[...new Set(tried.map((each) => each.failure))].join(", ")}`;
}

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
async function cutAndMend(mesh: Mesh): Promise<Step[]> {
  const found = failoverCase(mesh);
  const agents = mesh.clouds.flatMap((each) => usualAgent(each) ?? []);
  const lost = agents.find((agent) => agent.cloud === (found?.[1][0]!.cloud ?? mesh.clouds.at(-1)!.name))!;
  const near = agents.find((agent) => agent.cloud !== lost.cloud)!;
  const before = await agentPods(mesh);
  const steps: Step[] = [];
  try {
    steps.push(
      await step(`${lost.cloud} is cut off: ${nameOf(near)} cannot ping it`, async () => {
        await setLink(lost.cloud, "down");
        const { failure } = await ping(mesh, near, lost);
        if (failure === undefined) throw new Error("it answered");
        return failure;
      }),
    );
    if (found) {
      const [caller, [gone, next]] = found as [MeshAgent, [MeshAgent, MeshAgent]];
      steps.push(
        await step(`${nameOf(caller)} calls any ${gone.role}: ${nameOf(next)} answers`, async () => {
          const { agent, attempts } = await callAny(mesh, caller, gone.role);
          if (agent !== next.spiffeId) throw new Error(`${agent} answered`);
          return `at attempt ${attempts}`;
        }),
      );
    }
    steps.push(await step(`\`mesh verify\` names ${lost.cloud}'s link`, () => verifyNames(mesh, lost.cloud)));
  } finally {
    await setLink(lost.cloud, "up");
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
        if ((await agentPods(mesh)) !== before) throw new Error("agents' pods are not those from before");
        return "every container of the agents' pods is the one from before";
      }),
    ),
  );
  return steps;
}

/** Takes away the subnet router that has a cloud's ranges; the other one has them then. */
function loseRouter(trial: TailnetTrial, cloud: MeshCloud): Promise<Step> {
  return step(`${cloud.name} loses the subnet router that has its ranges: another has them`, async () => {
    const core = await coreOf(cloud);
    const before = await routerOf(trial, cloud);
    // A router has its pod's name after its cloud's.
    const pod = { namespace: NAMESPACES.tailscale, name: before.given_name.slice(cloud.name.length + 1) };
    const { uid } = (await core.readNamespacedPod(pod)).metadata!;
    await core.deleteNamespacedPod(pod);
    const found = await until("another router", async () => {
      const now = await routerOf(trial, cloud);
      if (now.given_name === before.given_name) return undefined;
      return `${now.given_name} has ${now.subnet_routes!.join(" and ")}, which ${before.given_name} had`;
    });
    await until("a router in its place", async () => {
      const now = await core.readNamespacedPod(pod);
      return now.metadata?.uid !== uid && podSummary(now).ready ? true : undefined;
    });
    return found;
  });
}

/** Tries what a tailnet is for. Called in the world. */
export async function proveTailnet(trial: TailnetTrial): Promise<TailnetProof> {
  const { mesh, root, headscale } = trial;
  const agents = mesh.clouds.flatMap((cloud) => usualAgent(cloud) ?? []);
  const [from, to] = [agents[0]!, agents.at(-1)!];
  const far = mesh.clouds.at(-1)!;
  return {
    steps: [
      await step("Headscale runs the policy's own tests on all devices", () => checkPolicy(root, headscale)),
      await step("routers have the ranges of their clouds, by the policy", () => approvals(trial)),
      await step(`${nameOf(from)}'s device may not route ${far.name}'s range`, () =>
        refusedRoute(trial, from, far),
      ),
      await step(`${nameOf(from)} reaches the one port of ${hostOf(to)} that the policy opens`, () =>
        openPorts(trial, from, to),
      ),
      ...(await cutAndMend(mesh)),
      await loseRouter(trial, far),
    ],
  };
}
