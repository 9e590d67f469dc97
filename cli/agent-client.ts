// A message of A2A to one agent as the operator: port-forward to a ready pod, mutual TLS with the agent's id checked.
import { request } from "../spiffe/request";
import type { Identity } from "../spiffe/source";
import { A2A_HEADERS, resultOf, sendMessage } from "../agent/message";
import { AGENT_PORTS } from "../components/well-known";
import { selector } from "../components/kubernetes/metadata";
import type { Cluster } from "./cluster";
import { CliError, EXIT, lineOf } from "./errors";
import type { MeshAgent, MeshCloud } from "./mesh-outputs";

/** A policy said no. The message has its reason. */
export class Denied extends CliError {
  /** @param by whose policy: that of the agent that was asked, or of one which it called for us. */
  constructor(
    message: string,
    readonly by: "agent" | "peer",
  ) {
    super(message, EXIT.denied);
  }

  /** OPA gave no decision: it is down, slow, or has no policy (components/workloads/envoy/authorize.lua). */
  get undecided(): boolean {
    return /: undecided/.test(this.message);
  }
}

// "Not authorized: <reason>" is what the Envoy beside an agent says of a denial, and an agent of one by another.
const denial = /Not authorized: (.*)/s;

/** What an agent is asked for. */
export interface AgentTask {
  /** Default: none, and `payload` is a message by itself. */
  readonly skill?: string | undefined;
  readonly payload?: unknown;
}

/**
 * The result in an agent's answer.
 *
 * @throws Denied with the policy's reason, or CliError in the agent's words.
 */
function resultIn(agent: string, status: number, text: string): unknown {
  try {
    return resultOf(status, text);
  } catch (error) {
    const words = lineOf(error);
    const reason = denial.exec(words);
    // Its own Envoy's words stand alone; before those about a call of its own is whom it called.
    if (reason?.index === 0) throw new Denied(`${agent} refused: ${reason[1]}`, "agent");
    if (reason) throw new Denied(`${agent} was refused: ${words}`, "peer");
    throw new CliError(`${agent}: ${words}`);
  }
}

/** Finds a ready pod of the agent. */
async function podOf(cloud: MeshCloud, agent: MeshAgent, cluster: Cluster): Promise<string> {
  const pods = await cluster.pods(agent.namespace, selector(agent.service));
  const ready = pods.find((pod) => pod.ready);
  if (ready) return ready.name;
  throw new CliError(
    `${cloud.name}: no pod of ${agent.namespace}/${agent.service} is ready (${pods.length} there are)`,
  );
}

/** What a call needs besides the task. */
export interface Way {
  readonly cloud: MeshCloud;
  readonly cluster: Cluster;
  /** Whom the call comes from; it must have the trust roots of the cloud's domain. */
  readonly identity: Identity;
}

/**
 * Sends a message and waits for what comes of it.
 *
 * @throws Denied, or CliError when the agent cannot be reached, is not who it should be, or the task fails.
 */
export async function sendTask(
  way: Way,
  agent: MeshAgent,
  { skill, payload }: AgentTask,
  signal: AbortSignal,
): Promise<unknown> {
  const { cloud, cluster, identity } = way;
  const pod = await podOf(cloud, agent, cluster);
  const connection = await cluster.portForward(agent.namespace, pod, AGENT_PORTS.mtls);
  const name = `${agent.cloud}/${agent.role}`;
  try {
    const { status, body: text } = await request(
      connection,
      { identity, peer: agent.spiffeId },
      {
        method: "POST",
        path: "/",
        host: agent.service,
        headers: A2A_HEADERS,
        body: sendMessage(skill, payload),
      },
      signal,
    );
    return resultIn(name, status, text);
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(`${name} (pod ${pod}): ${lineOf(error)}`);
  }
}
