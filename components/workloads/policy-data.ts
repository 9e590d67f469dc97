// What the policy knows of the mesh: its members, and which of them may call or relay into another cloud, by default too.
// Pure functions.
import { agentSpiffeId, operatorSpiffeId } from "../../spiffe/spiffe-id";

/** One cloud of the mesh with its agents. */
export interface PolicyMember {
  /** Name of the cloud, for example `aws`. */
  readonly cloud: string;
  readonly region: string;
  /** Trust domain without scheme, for example `aws.example.org`. */
  readonly trustDomain: string;
  readonly roles: readonly string[];
  /** What the programs of its roles speak, where it is not `agentweave`. */
  readonly protocols?: Readonly<Record<string, ProgramProtocol>>;
}

/** What an agent's program speaks: how the policy reads what it is asked. */
export type ProgramProtocol = "a2a" | "agentweave" | "http";

/** The agents of one role in one cloud. */
export interface AgentRole {
  readonly cloud: string;
  readonly role: string;
}

/** A relay that is allowed: `from` may hand a chain of calls to `to`. */
export interface AllowedRelay {
  readonly from: AgentRole;
  readonly to: AgentRole;
}

/** A call that is allowed. */
export interface AllowedCall extends AllowedRelay {
  /** Capabilities that may be called, none of `RULED_ACTIONS`. Default: every other. */
  readonly actions?: readonly string[];
}

/** Somebody beside the agents who may call them: a workload of the user's, or an identity of a partner. */
export interface PolicyCaller {
  /** `<cloud>/<workload>` or `<partner>/<identity>`, as in the stack's configuration. */
  readonly name: string;
  readonly spiffeId: string;
  /** Without scheme. */
  readonly trustDomain: string;
}

/** All that the policy decides by. */
export interface PolicyTopology {
  readonly members: readonly PolicyMember[];
  readonly calls: readonly AllowedCall[];
  readonly relays: readonly AllowedRelay[];
  /** Default: nobody. */
  readonly callers?: readonly PolicyCaller[];
}

/** Actions with rules of their own in policies/authz.rego, to which an allowed call gives no right. */
export const RULED_ACTIONS = ["relay", "task.status", "task.cancel"] as const;

/** An identity of the mesh, as policies/authz.rego reads it; `region` is `<cloud>/<region>`. */
type Identity = { readonly name: string; readonly trust_domain: string } & (
  { readonly region: string; readonly protocol: ProgramProtocol } | { readonly operator: true } | object
);

/** The document `data.agentweave.mesh`. Agents are named `<cloud>/<role>`, as in the stack's configuration. */
export interface PolicyData {
  /** Identities by their SPIFFE IDs. */
  readonly identities: Readonly<Record<string, Identity>>;
  /** Actions by caller and callee; `*` is any. */
  readonly calls: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  /** Next hops by relaying agent. */
  readonly relays: Readonly<Record<string, readonly string[]>>;
}

const nameOf = ({ cloud, role }: AgentRole) => `${cloud}/${role}`;

/** Every identity of the mesh by its SPIFFE ID. */
function identities(members: readonly PolicyMember[]): [string, Identity][] {
  return members.flatMap(({ cloud, region, trustDomain: trust_domain, roles, protocols = {} }) => [
    ...roles.map((role): [string, Identity] => [
      agentSpiffeId(trust_domain, cloud, region, role),
      {
        name: nameOf({ cloud, role }),
        trust_domain,
        region: `${cloud}/${region}`,
        protocol: protocols[role] ?? "agentweave",
      },
    ]),
    [operatorSpiffeId(trust_domain), { name: `operator of ${trust_domain}`, trust_domain, operator: true }],
  ]);
}

/**
 * The policy's data as an object for JSON.
 *
 * @throws an Error if two agents would have one SPIFFE ID, as cloud `a-b` in region `c` and cloud `a` in region `b-c` have
 * within one trust domain.
 */
export function renderPolicyData({ members, calls, relays, callers = [] }: PolicyTopology): PolicyData {
  const known: Record<string, Identity> = {};
  const others = callers.map(({ name, spiffeId, trustDomain }): [string, Identity] => [
    spiffeId,
    { name, trust_domain: trustDomain },
  ]);
  for (const [id, identity] of [...identities(members), ...others]) {
    const other = known[id];
    if (other && other.name !== identity.name) {
      throw new Error(`${other.name} and ${identity.name} would have the same identity ${id}`);
    }
    known[id] = identity;
  }

  const allowedCalls: Record<string, Record<string, string[]>> = {};
  for (const { from, to, actions = ["*"] } of calls) {
    const ofCaller = (allowedCalls[nameOf(from)] ??= {});
    ofCaller[nameOf(to)] = [...new Set([...(ofCaller[nameOf(to)] ?? []), ...actions])];
  }

  const allowedRelays: Record<string, string[]> = {};
  for (const { from, to } of relays) {
    allowedRelays[nameOf(from)] = [...new Set([...(allowedRelays[nameOf(from)] ?? []), nameOf(to)])];
  }
  return { identities: known, calls: allowedCalls, relays: allowedRelays };
}

type Roles = Pick<PolicyMember, "cloud" | "roles">;

/** The tutorial's call: the orchestrator in AWS gives work to the workers in Google Cloud. */
const TUTORIAL_CALL = {
  from: { cloud: "aws", role: "orchestrator" },
  to: { cloud: "gcp", role: "worker" },
} as const satisfies AllowedCall;

/** Role whose agents hand on chains of calls. */
const RELAYING_ROLE = "agent";

/** Default of `policy.calls`: the tutorial's call, where both of its agents exist; else none. */
export function defaultCalls(members: readonly Roles[]): AllowedCall[] {
  const exists = ({ cloud, role }: AgentRole) =>
    members.some((member) => member.cloud === cloud && member.roles.includes(role));
  return [TUTORIAL_CALL].filter(({ from, to }) => exists(from) && exists(to));
}

/**
 * Default of `policy.relays`: a ring of all clouds with the role `agent`, each to the one before it, as the tutorial has it for clouds by name (aws → gcp →
 * azure → aws); none if there is one such cloud.
 */
export function defaultRelays(members: readonly Roles[]): AllowedRelay[] {
  const ring = members.filter(({ roles }) => roles.includes(RELAYING_ROLE)).map(({ cloud }) => cloud);
  if (ring.length < 2) return [];
  return ring.map((cloud, index) => ({
    from: { cloud, role: RELAYING_ROLE },
    to: { cloud: ring.at(index - 1)!, role: RELAYING_ROLE },
  }));
}
