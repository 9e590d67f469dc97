// What the policy should answer, worked out another way: everything that is allowed in a mesh, listed before anyone asks.
import type { AgentRole, PolicyTopology } from "../../components/workloads/policy-data";
import { agentSpiffeId, operatorSpiffeId } from "../../spiffe/spiffe-id";

/** A question as an agent asks it. */
export interface Question {
  readonly caller_spiffe_id: string;
  readonly resource_spiffe_id: string;
  readonly action: string;
  readonly context: { readonly owner?: string; readonly next?: string };
}

/** Stands for every action without a rule of its own. */
const ANY = "any";
const PUBLIC = ["ping", "health_check", "status"];
const TASKS = ["task.status", "task.cancel"];
const RULED = [...TASKS, "relay"];
/** What an agent would do in another's name, for which "any" does not stand. */
const NAMED = "call_remote";

const key = (...parts: string[]) => parts.join(" ");

/** Decides questions in one mesh. */
export function oracle({ members, calls, relays }: PolicyTopology): (question: Question) => boolean {
  const idOf = ({ cloud, role }: AgentRole): string => {
    const { trustDomain, region } = members.find((member) => member.cloud === cloud)!;
    return agentSpiffeId(trustDomain, cloud, region, role);
  };
  const everyone = members.map((member) => ({
    operator: operatorSpiffeId(member.trustDomain),
    agents: member.roles.map((role) => idOf({ cloud: member.cloud, role })),
  }));
  const agents = everyone.flatMap((member) => member.agents);

  /** `caller resource action`, and `caller resource own task.status` for tasks of the caller's own. */
  const allowed = new Set<string>();
  for (const caller of agents) {
    for (const resource of agents) {
      for (const action of PUBLIC) allowed.add(key(caller, resource, action));
      for (const action of TASKS) allowed.add(key(caller, resource, "own", action));
    }
  }
  const everything = (caller: string, resource: string) => {
    for (const action of [ANY, ...PUBLIC, ...RULED]) allowed.add(key(caller, resource, action));
  };
  for (const member of everyone) {
    for (const resource of member.agents) {
      for (const caller of member.agents) everything(caller, resource);
    }
  }
  // A trust domain may have several clouds.
  for (const { trustDomain } of members) {
    for (const resource of agents.filter((id) => id.startsWith(`spiffe://${trustDomain}/`))) {
      everything(operatorSpiffeId(trustDomain), resource);
      allowed.add(key(operatorSpiffeId(trustDomain), resource, NAMED));
    }
  }
  for (const { from, to, actions = [ANY] } of calls) {
    allowed.add(key(idOf(from), idOf(to), "sends tasks"));
    for (const action of actions.filter((name) => !RULED.includes(name))) {
      allowed.add(key(idOf(from), idOf(to), action));
    }
  }
  for (const { from, to } of relays) allowed.add(key(idOf(from), idOf(to), "relay"));

  return ({ caller_spiffe_id: caller, resource_spiffe_id: resource, action, context }) => {
    const may = (...parts: string[]) => allowed.has(key(caller, resource, ...parts));
    if (action === "relay") {
      const onward = context.next === undefined || context.next === "";
      return may(action) && (onward || allowed.has(key(resource, context.next!, "relay")));
    }
    if (TASKS.includes(action)) {
      const its = context.owner === undefined ? may("sends tasks") : context.owner === caller;
      return may(action) || (its && may("own", action));
    }
    return may(action) || (action !== NAMED && may(ANY));
  };
}
