// A task sent to one agent as the operator: port-forward to a ready pod, mutual TLS with the agent's id checked, JSON-RPC task.send.
import { z } from "zod";
import { request } from "../spiffe/request";
import type { Identity } from "../spiffe/source";
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

  /** OPA gave no decision: it is down, slow, or has no policy. */
  get undecided(): boolean {
    return /policy unavailable/i.test(this.message);
  }
}

/** What of a task matters here. */
const taskSchema = z.object({
  state: z.enum(["pending", "running", "completed", "failed", "cancelled"]),
  result: z.unknown(),
  error: z.string().nullish(),
});

const answerSchema = z.union([
  z.object({ result: taskSchema }),
  z.object({ error: z.object({ code: z.number(), message: z.string() }) }),
]);

/** JSON-RPC code of a denial (the agents' protocol). */
const NOT_AUTHORIZED = -32000;

// "Not authorized: <reason>", at the start of a denial and inside the words about a denied call to another agent.
const denial = /Not authorized: (.*)/s;

/**
 * The result in an agent's answer to task.send.
 *
 * @throws Denied with the policy's reason, or CliError in the agent's words.
 */
function resultOf(agent: string, status: number, text: string): unknown {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new CliError(`${agent} answered HTTP ${status} without JSON`);
  }
  const parsed = answerSchema.safeParse(document);
  if (!parsed.success) throw new CliError(`${agent} answered HTTP ${status} with something that is no task`);
  const answer = parsed.data;
  if ("error" in answer) {
    const { code, message } = answer.error;
    if (code === NOT_AUTHORIZED)
      throw new Denied(`${agent} refused: ${denial.exec(message)?.[1] ?? message}`, "agent");
    throw new CliError(`${agent} answered: ${message} (code ${code})`);
  }
  const { state, error, result } = answer.result;
  if (state === "completed") return result;
  const words = error ?? `the task was ${state}`;
  if (denial.test(words)) throw new Denied(`${agent} was refused: ${words}`, "peer");
  throw new CliError(`${agent}: ${words}`);
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
 * Sends a task and waits for its end.
 *
 * @throws Denied, or CliError when the agent cannot be reached, is not who it should be, or the task fails.
 */
export async function sendTask(
  way: Way,
  agent: MeshAgent,
  task: { readonly task_type: string; readonly payload?: unknown },
  signal: AbortSignal,
): Promise<unknown> {
  const { cloud, cluster, identity } = way;
  const pod = await podOf(cloud, agent, cluster);
  const connection = await cluster.portForward(agent.namespace, pod, AGENT_PORTS.mtls);
  const name = `${agent.cloud}/${agent.role}`;
  const body = { jsonrpc: "2.0", id: 1, method: "task.send", params: task };
  try {
    const { status, body: text } = await request(
      connection,
      { identity, peer: agent.spiffeId },
      { method: "POST", path: "/rpc", host: agent.service, body },
      signal,
    );
    return resultOf(name, status, text);
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(`${name} (pod ${pod}): ${lineOf(error)}`);
  }
}
