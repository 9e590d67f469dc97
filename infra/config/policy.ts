// Which agents may call or relay into another cloud, in the configuration.
import { z } from "zod";
import { RULED_ACTIONS, type AgentRole, type PolicyTopology } from "../../components/workloads/policy-data";
import { nearest } from "./explain";
import { text } from "./fields";
import type { Problem } from "./problem";

const ANY_ROLE = "<cloud>/<role>";

/** An agent as the policy names it. Whether there is one is told with the clouds at hand. */
const agentRole = () =>
  text(/^[^/\s]+\/[^/\s]+$/, `the name of a cloud and one of its roles such as aws/orchestrator`);

const relay = z.strictObject({ from: agentRole(), to: agentRole() });

/** A capability or type of task; a method of A2A; or method and path of plain HTTP, by what the callee's program speaks. */
const ACTION = /^([a-z][a-z0-9_]*|[A-Z][A-Za-z]+|[A-Z]+ \/[\x21-\x7e]*)$/;

const action = text(
  ACTION,
  "the name of a capability such as echo, a method of A2A such as SendMessage, or a method and a path such as GET /models",
).refine((value) => !(RULED_ACTIONS as readonly string[]).includes(value), {
  error: "the policy has rules of its own for it; remove it (policy.relays is for relays)",
});

const call = relay.extend({ actions: z.array(action).min(1).optional() });

const calls = z.array(call).meta({
  description: `Calls into another cloud that are allowed, each a map: from (${ANY_ROLE}, <cloud>/<workload> or <partner>/<identity>) and to (${ANY_ROLE}), and actions, a list of what may be asked: capabilities of agents, methods of A2A (SendMessage, streamed or not), or HTTP methods and paths (GET /models), by what the callee speaks (default: all, but that CreateTaskPushNotificationConfig, by which an agent sends news of a task to any address, is only allowed where it is named). Default: aws/orchestrator may call gcp/worker, where they are.`,
  examples: [[{ from: "aws/orchestrator", to: "gcp/worker" }]],
});

const relays = z.array(relay).meta({
  description: `Hops of a relay that are allowed, each a map: from and to (${ANY_ROLE}). Default: from each cloud's role agent to that of the cloud before it by name, around.`,
  examples: [[{ from: "aws/agent", to: "gcp/agent" }]],
});

/** What the policy allows beyond its own rules. What is written replaces the defaults. */
export const policy = z
  .strictObject({ calls: calls.optional(), relays: relays.optional() })
  .prefault({})
  .meta({ description: "What the policy allows between clouds beside ping, health_check and status." });

/** The policy as written. */
export type PolicyEntry = z.output<typeof policy>;

/** The policy with its defaults filled in. */
export type PolicyConfig = Pick<PolicyTopology, "calls" | "relays">;

/** The same with nothing required, so that a mistake in one item leaves the others to be looked at. */
export const lenientPolicy = z
  .strictObject({
    calls: z.array(call.partial()).optional(),
    relays: z.array(relay.partial()).optional(),
  })
  .prefault({});

/** A policy of which any part may be missing. */
export type PolicyDraft = z.output<typeof lenientPolicy>;

/** Roles of the clouds by name; undefined where they cannot be used, which is told elsewhere. */
export type RolesByCloud = ReadonlyMap<string, readonly string[] | undefined>;

/**
 * Items of calls and relays that name an agent which is not there.
 *
 * @param callers names of who may call beside agents. Default: nobody.
 */
export function policyProblems(
  draft: PolicyDraft,
  roles: RolesByCloud,
  callers: readonly string[] = [],
): Problem[] {
  const agents = [...roles].flatMap(([cloud, ofCloud]) => (ofCloud ?? []).map((role) => `${cloud}/${role}`));
  const unknown = (name: string) => {
    const { cloud, role } = parseAgentRole(name);
    // Of a cloud whose roles cannot be used, nothing can be said.
    return roles.has(cloud) ? roles.get(cloud)?.includes(role) === false : true;
  };
  return (["calls", "relays"] as const).flatMap((list) =>
    (draft[list] ?? []).flatMap((item, index) =>
      (["from", "to"] as const).flatMap((end): Problem[] => {
        const name = item[end];
        if (name === undefined) return [];
        const known = list === "calls" && end === "from" ? [...agents, ...callers] : agents;
        if (known.includes(name) || !unknown(name)) return [];
        const near = nearest(name, known);
        const instead = near === undefined ? `write one of ${known.join(", ")}` : `write ${near}`;
        const path = ["policy", list, index, end];
        return [{ path, message: `is ${JSON.stringify(name)}, which no cloud has; ${instead}` }];
      }),
    ),
  );
}

/** The parts of `<cloud>/<role>`. */
export function parseAgentRole(name: string): AgentRole {
  const [cloud = "", role = ""] = name.split("/");
  return { cloud, role };
}
