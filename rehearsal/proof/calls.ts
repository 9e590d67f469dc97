// The proof that agents call each other as the policy says: what `make rehearse` ends with.
import { Denied, sendTask } from "../../cli/agent-client";
import { meshCall, type CallHop } from "../../cli/call";
import { connectKubernetes } from "../../cli/cluster";
import { within } from "../../cli/limits";
import { memberOf } from "../../cli/member";
import { type Mesh, type MeshAgent, usualAgent } from "../../cli/mesh-outputs";
import { selector } from "../../components/kubernetes/metadata";
import { AGENT } from "../../components/well-known";
import { type AllowedCall } from "../../components/workloads/policy-data";
import { scale } from "./scale";
import { type Tried, until } from "./steps";

const LIMIT_MS = 60_000;

/** One thing that was tried, and the agents that the call passed. */
export interface CallProof extends Tried {
  readonly hops?: readonly CallHop[];
}

/** A ping from one cloud's agent to another's. */
export interface PingProof {
  readonly from: string;
  readonly to: string;
  /** Host of `to`'s address, as agents of other clouds know it. */
  readonly host: string;
  /** As the calling agent measured it. */
  readonly milliseconds?: number;
  readonly failure?: string;
}

/** All that was tried. */
export interface CallProofs {
  /** Every cloud's agent pings every other's. One that pings itself is pinged by the operator, over the port-forward. */
  readonly pings: readonly PingProof[];
  readonly others: readonly CallProof[];
}

export const nameOf = ({ cloud, role }: Pick<MeshAgent, "cloud" | "role">) => `${cloud}/${role}`;

/** Runs a command in a container of an agent's pod; what it printed. */
export async function inPodOf(
  mesh: Mesh,
  agent: MeshAgent,
  container: string,
  command: string[],
): Promise<string> {
  const cluster = connectKubernetes(mesh.clouds.find(({ name }) => name === agent.cloud)!);
  const [pod] = await cluster.pods(agent.namespace, selector(agent.service));
  if (!pod) throw new Error(`${nameOf(agent)} has no pod`);
  const place = { namespace: agent.namespace, pod: pod.name, container };
  const { stdout, stderr, exitCode } = await cluster.exec(place, command, LIMIT_MS);
  if (exitCode !== 0) throw new Error(`${pod.name}: ${command[0]}: ${stderr.trim()}`);
  return stdout.trim();
}

export async function ping(mesh: Mesh, from: MeshAgent, to: MeshAgent): Promise<PingProof> {
  const names = { from: nameOf(from), to: nameOf(to), host: new URL(to.address).hostname };
  try {
    const { hops } = await meshCall(mesh, { from: names.from, to: names.to, capability: "ping" });
    const last = hops.at(-1)!;
    if (last.agent !== to.spiffeId) throw new Error(`${last.agent} answered`);
    return { ...names, milliseconds: last.milliseconds };
  } catch (error) {
    return { ...names, failure: (error as Error).message };
  }
}

async function attempt(what: string, work: () => Promise<Omit<CallProof, "what">>): Promise<CallProof> {
  try {
    return { what, ...(await work()) };
  } catch (error) {
    return { what, failure: (error as Error).message };
  }
}

/** A call that the policy lists. */
function allowed(mesh: Mesh, { from, to }: AllowedCall): Promise<CallProof> {
  const names = { from: nameOf(from), to: nameOf(to) };
  return attempt(`${names.from} may call ${names.to}: echo`, async () => {
    const { hops } = await meshCall(mesh, { ...names, capability: "echo", payload: { text: "hello" } });
    return { found: `answered by ${hops.at(-1)!.agent}` };
  });
}

/** The same call the other way round, which no rule allows. */
function denied(mesh: Mesh, { from, to }: AllowedCall): Promise<CallProof> {
  const names = { from: nameOf(to), to: nameOf(from) };
  return attempt(`${names.from} may not call ${names.to}: echo`, async () => {
    try {
      await meshCall(mesh, { ...names, capability: "echo" });
    } catch (error) {
      if (error instanceof Denied && error.by === "peer" && !error.undecided) {
        return { found: /Not authorized: [^(;]*/.exec(error.message)?.[0].trim() ?? "denied" };
      }
      throw error;
    }
    return { failure: "it was allowed" };
  });
}

/** From the first cloud through all others and back, as relays are allowed by default: each goes on to the one before it. */
export function wayAround<T>(clouds: readonly T[]): T[] {
  const [first, ...others] = clouds as [T, ...T[]];
  return [first, ...others.reverse(), first];
}

/** The way around, each leg really called. */
export function roundTrip(mesh: Mesh, agents: readonly MeshAgent[]): Promise<CallProof> {
  const way = wayAround(agents);
  const names = way.map(nameOf);
  return attempt(`round trip ${names.join(" → ")}`, async () => {
    const { hops } = await meshCall(mesh, {
      from: names[0]!,
      to: names[0]!,
      capability: "ping",
      via: names.slice(1, -1),
    });
    const passed = hops.map(({ agent }) => agent);
    const meant = way.map(({ spiffeId }) => spiffeId);
    if (passed.join() !== meant.join()) return { failure: `it passed ${passed.join(", ")}`, hops };
    return { found: `${hops.length} hops`, hops };
  });
}

/** What came of a call to whichever agent of a role is nearest. */
export interface AnyAnswer {
  /** SPIFFE id of the one that answered. */
  readonly agent: string;
  /** Endpoints that were tried, the one that answered among them. */
  readonly attempts: number;
}

/** Has an agent call any agent of a role, as its own registry orders them. */
export async function callAny(mesh: Mesh, caller: MeshAgent, role: string): Promise<AnyAnswer> {
  const cloud = mesh.clouds.find(({ name }) => name === caller.cloud)!;
  const { cluster, operator } = memberOf(cloud, connectKubernetes, LIMIT_MS);
  const way = { cloud, cluster, identity: await operator() };
  const payload = { target_agent: role, capability: "ping" };
  const answer = (await within(LIMIT_MS, "the call", (signal) =>
    sendTask(way, caller, { skill: "call_remote", payload }, signal),
  )) as { target: { agent: string }; attempts: number };
  return { agent: answer.target.agent, attempts: answer.attempts };
}

/** Has the program of examples/python-agent call another: its own code for that is the official client of A2A. */
const ASK = `
import asyncio, sys
sys.path.insert(0, "/app")
import agent
print(asyncio.run(agent.ask(*sys.argv[1:], {})))
`;

/** What a program answers that is asked something by another agent: it repeats who asked. */
async function answerOf(mesh: Mesh, from: MeshAgent, to: MeshAgent): Promise<string> {
  const question = "what is SPIFFE?";
  if (from.protocol === "agentweave") {
    const { result } = await meshCall(mesh, { from: nameOf(from), to: nameOf(to), payload: question });
    return String(result);
  }
  const command = ["/usr/bin/python3", "-c", ASK, `${to.cloud}-${to.role}`, question];
  return inPodOf(mesh, from, AGENT.container, command);
}

/** A call of a program that knows nothing of the mesh, which is told who calls. */
function told(mesh: Mesh, from: MeshAgent, to: MeshAgent): Promise<CallProof> {
  return attempt(`${nameOf(from)} may call ${nameOf(to)}, a program in Python`, async () => {
    const said = await answerOf(mesh, from, to);
    if (!said.includes(`${from.spiffeId} wants to know`)) return { failure: `it answered: ${said}` };
    return { found: "answered, and told who asked" };
  });
}

/** A call by a program that no rule allows. */
function forbidden(mesh: Mesh, from: MeshAgent, to: MeshAgent): Promise<CallProof> {
  return attempt(`${nameOf(from)}, a program in Python, may not call ${nameOf(to)}`, async () => {
    const answer = await answerOf(mesh, from, to).catch((error: Error) => error);
    const found = answer instanceof Error ? /HTTP Error 403/.exec(answer.message)?.[0] : undefined;
    return found === undefined ? { failure: String(answer) } : { found };
  });
}

/** What the programs of the mesh that are not its own are tried by: calls that are listed, and between two of them the same the other way round. */
function programs(mesh: Mesh, calls: readonly AllowedCall[]): Promise<CallProof>[] {
  const agents = mesh.clouds.flatMap((cloud) => cloud.agents);
  const found = ({ cloud, role }: AllowedCall["from"]) =>
    agents.find((agent) => agent.cloud === cloud && agent.role === role);
  return calls.flatMap(({ from, to }) => {
    const [caller, callee] = [found(from), found(to)];
    if (!caller || callee?.protocol !== "a2a") return [];
    return [
      told(mesh, caller, callee),
      ...(caller.protocol === "a2a" ? [forbidden(mesh, callee, caller)] : []),
    ];
  });
}

/** A role that two clouds other than the caller's have: the agent nearest by order is taken away, the other answers. */
function failover(mesh: Mesh, caller: MeshAgent, candidates: readonly MeshAgent[]): Promise<CallProof> {
  const [lost, next] = candidates as [MeshAgent, MeshAgent];
  const cloudOf = ({ cloud }: MeshAgent) => mesh.clouds.find(({ name }) => name === cloud)!;
  return attempt(
    `${nameOf(caller)} calls any ${lost.role} while ${nameOf(lost)} is down: ${nameOf(next)} answers`,
    async () => {
      const { namespace, workload } = lost;
      // An Envoy that has called nobody yet looks every 30 s whether they are there.
      await until(`${nameOf(lost)} answers while all are up`, async () => {
        const { agent } = await callAny(mesh, caller, lost.role);
        return agent === lost.spiffeId || undefined;
      });
      const restore = await scale(cloudOf(lost), { namespace, ...workload }, 0);
      try {
        const { agent, attempts } = await callAny(mesh, caller, lost.role);
        if (agent !== next.spiffeId) return { failure: `${agent} answered` };
        return { found: `answered by ${agent} at attempt ${attempts}` };
      } finally {
        await restore();
      }
    },
  );
}

/** An agent of another role and cloud, and two agents of one role in further clouds; undefined when the mesh has none. */
export function failoverCase(mesh: Mesh): [MeshAgent, MeshAgent[]] | undefined {
  const agents = mesh.clouds
    .flatMap((cloud) => cloud.agents)
    .filter(({ protocol }) => protocol === "agentweave");
  for (const caller of agents) {
    for (const role of new Set(agents.map((agent) => agent.role))) {
      const same = agents.filter((agent) => agent.role === role && agent !== caller);
      // The caller's own cloud would be tried before the others.
      if (caller.role !== role && same.length > 1 && same.every(({ cloud }) => cloud !== caller.cloud)) {
        return [caller, same];
      }
    }
  }
  return undefined;
}

/**
 * Tries what the mesh is for: pings between all clouds, a call that is allowed and one that is not (the first of `calls`, there and
 * back), the round trip through all clouds, and, unless it is to be brief, a failover. What the mesh has no agents for is left out.
 */
export async function proveCalls(
  mesh: Mesh,
  calls: readonly AllowedCall[],
  brief: boolean,
): Promise<CallProofs> {
  const agents = mesh.clouds.flatMap((cloud) => usualAgent(cloud) ?? []);
  const pings = await Promise.all(agents.flatMap((from) => agents.map((to) => ping(mesh, from, to))));
  const across = calls.find(({ from, to }) => from.cloud !== to.cloud);
  const others = await Promise.all([
    ...(across ? [allowed(mesh, across), denied(mesh, across)] : []),
    ...(agents.length > 1 ? [roundTrip(mesh, agents)] : []),
    ...programs(mesh, calls),
  ]);
  // By itself: it takes away an agent that the others may call.
  const found = brief ? undefined : failoverCase(mesh);
  return { pings, others: found ? [...others, await failover(mesh, ...found)] : others };
}
