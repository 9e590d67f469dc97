// `mesh call`: has one agent call another, or itself, or a chain of others, as the operator.
import { z } from "zod";
import { plainText } from "../agent/text";
import { registryName } from "../components/well-known";
import { type AgentTask, sendTask } from "./agent-client";
import { type Connect, connectKubernetes } from "./cluster";
import { CliError, EXIT } from "./errors";
import { jsonText } from "./json";
import { within } from "./limits";
import { memberOf } from "./member";
import { agentNamed, type Mesh } from "./mesh-outputs";
import { columns } from "./table";

/** Longest time of a call, in milliseconds: an agent tries each endpoint for 10 s, more than once. */
const CALL_LIMIT_MS = 60_000;

/** A call as the command line names it. */
export interface CallRequest {
  /** `<cloud>` or `<cloud>/<role>`. */
  readonly from: string;
  readonly to: string;
  /** Default: none, and `payload` is sent as a message, which a text is by itself. */
  readonly capability?: string;
  /** The capability's payload; undefined sends none. */
  readonly payload?: unknown;
  /** Agents to pass on the way, in order. */
  readonly via?: readonly string[];
  /** Role of those named by their cloud alone. Default: `agent` where there is one, else the cloud's first. */
  readonly role?: string;
}

export interface CallOptions {
  readonly limitMs?: number;
  readonly connect?: Connect;
}

/** One agent that a call passed, as it was verified by the next one or, for the first, by us. */
export interface CallHop {
  readonly agent: string;
  readonly caller: string;
  readonly address?: string;
  readonly milliseconds: number;
}

export interface CallReport {
  readonly hops: readonly CallHop[];
  /** The capability's own result. */
  readonly result: unknown;
  /** The whole call, port-forward and minting included. */
  readonly milliseconds: number;
}

const hop = z.object({ agent: z.string(), caller: z.string(), milliseconds: z.number() });
const relayed = z.object({ hops: z.array(hop).min(1), result: z.unknown() });
const called = z.object({
  agent: z.string(),
  caller: z.string(),
  target: z.object({ agent: z.string(), address: z.string() }),
  milliseconds: z.number(),
  result: z.unknown(),
});

/** The payload of `--param k=v` and `--payload`; a value is JSON where it can be read as such, else text. */
export function payloadOf(params: readonly string[] = [], payload?: string): unknown {
  if (payload !== undefined) {
    if (params.length > 0) throw new CliError("Give --param or --payload, not both.", EXIT.usage);
    try {
      return JSON.parse(payload) as unknown;
    } catch {
      throw new CliError(`--payload is not JSON: ${payload}`, EXIT.usage);
    }
  }
  if (params.length === 0) return undefined;
  return Object.fromEntries(
    params.map((param) => {
      const equals = param.indexOf("=");
      if (equals < 1) throw new CliError(`--param ${param}: write it as name=value.`, EXIT.usage);
      const text = param.slice(equals + 1);
      try {
        return [param.slice(0, equals), JSON.parse(text) as unknown];
      } catch {
        return [param.slice(0, equals), text];
      }
    }),
  );
}

interface Plan {
  readonly task: AgentTask;
  /** The hops and the capability's result in the task's result; `own` is the hop that we see ourselves. */
  read(result: unknown, own: CallHop): Omit<CallReport, "milliseconds">;
}

/** What to ask the first agent for: the capability itself, a call, or a relay. */
function planOf(mesh: Mesh, request: CallRequest): Plan {
  const { from, to, capability, payload, via = [], role } = request;
  const nameOf = (text: string) => {
    const { cloud, agent } = agentNamed(mesh, text, role);
    return registryName(cloud.name, agent.role);
  };
  const asked = {
    ...(capability === undefined ? {} : { capability }),
    ...(payload === undefined ? {} : { params: payload }),
  };
  const unknownAnswer = (): never => {
    throw new CliError("The agent's answer does not name who was called: is it this version's agent?");
  };
  if (via.length > 0) {
    const names = [...via, to].map(nameOf);
    return {
      task: { skill: "relay", payload: { via: names, ...asked } },
      read: (result) => relayed.safeParse(result).data ?? unknownAnswer(),
    };
  }
  if (nameOf(from) === nameOf(to))
    return {
      task: { skill: capability, payload },
      read: (result, own) => ({ hops: [own], result }),
    };
  return {
    task: { skill: "call_remote", payload: { target_agent: nameOf(to), ...asked } },
    read: (answer, own) => {
      const { agent, caller, target, milliseconds, result } =
        called.safeParse(answer).data ?? unknownAnswer();
      return {
        hops: [
          { ...own, agent, caller },
          { ...target, caller: agent, milliseconds },
        ],
        result,
      };
    },
  };
}

/**
 * Makes the call.
 *
 * @throws Denied when a policy refuses it; CliError when a name is wrong, an agent cannot be reached, or the task fails.
 */
export async function meshCall(
  mesh: Mesh,
  request: CallRequest,
  options: CallOptions = {},
): Promise<CallReport> {
  const { limitMs = CALL_LIMIT_MS, connect = connectKubernetes } = options;
  const plan = planOf(mesh, request);
  const { cloud, agent } = agentNamed(mesh, request.from, request.role);
  const { cluster, operator } = memberOf(cloud, connect, limitMs);
  const started = performance.now();
  return within(limitMs, `the call of ${request.to}`, async (signal) => {
    const identity = await operator();
    const sent = performance.now();
    const result = await sendTask({ cloud, cluster, identity }, agent, plan.task, signal);
    const own = {
      agent: agent.spiffeId,
      caller: identity.spiffeId,
      milliseconds: Math.round(performance.now() - sent),
    };
    return { ...plan.read(result, own), milliseconds: Math.round(performance.now() - started) };
  });
}

/** The hops as a table, then the result as JSON. */
export function callText({ hops, result }: CallReport): string {
  const rows = hops.map(({ agent, caller, milliseconds }, i) => [
    String(i + 1),
    // Of a relay, agents tell it of one another.
    plainText(agent),
    plainText(caller),
    `${Math.round(milliseconds)} ms`,
  ]);
  return [columns([["hop", "agent", "called by", "time"], ...rows]), "", jsonText(result ?? null)].join("\n");
}
