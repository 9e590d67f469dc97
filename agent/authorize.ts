// Asks the policy whether a caller may do something here. Without a clear yes the answer is no.
import type { Logger } from "pino";
import { z } from "zod";
import type { AgentConfig } from "./config";
import { parseSpiffeId } from "./identity/spiffe-id";
import { createOpa } from "./opa";
import type { Metrics } from "./telemetry/metrics";

/** Who wants to do what to whom. */
export interface Question {
  readonly caller: string;
  readonly resource: string;
  /** Name of a capability, `task.status` or `task.cancel`. */
  readonly action: string;
  /** What else the policy may go by. */
  readonly context: Readonly<Record<string, unknown>>;
}

/** What the policy said. */
export interface Decision {
  readonly allow: boolean;
  /** For the caller too. */
  readonly reason: string;
  /** The rule that decided. */
  readonly policyId: string;
}

/** Decides by policy. */
export interface Authorizer {
  /** Never throws: what goes wrong is a denial. Logged and counted. */
  decide(question: Question): Promise<Decision>;
  /** Why no decision can be had; undefined when one can, whatever it says. Asks on behalf of `self`. */
  problem(self: string): Promise<string | undefined>;
  close(): void;
}

/** What callers are told when no decision could be had; the cause is for the log. */
const UNAVAILABLE = "policy unavailable";

const LONGEST_REASON = 500;
const answer = z.union([
  z.boolean().transform((allow) => ({ allow, reason: undefined, policy_id: undefined })),
  z.object({
    allow: z.boolean(),
    reason: z.string().max(LONGEST_REASON).optional(),
    policy_id: z.string().max(LONGEST_REASON).optional(),
  }),
]);

function inputOf({ caller, resource, action, context }: Question): Record<string, unknown> {
  return {
    caller_spiffe_id: caller,
    resource_spiffe_id: resource,
    action,
    timestamp: new Date().toISOString(),
    caller_trust_domain: parseSpiffeId(caller)?.trustDomain ?? "",
    resource_trust_domain: parseSpiffeId(resource)?.trustDomain ?? "",
    context,
  };
}

/** The policy of a configuration. */
export function createAuthorizer(
  { authorization }: Pick<AgentConfig, "authorization">,
  { log, metrics }: { readonly log: Logger; readonly metrics: Metrics },
): Authorizer {
  const { opa_endpoint: endpoint, policy_path: path, timeout_seconds: timeout, audit } = authorization;
  const opa = createOpa(`${endpoint.replace(/\/$/, "")}/v1/data/${path}/decision`, timeout);

  const ask = async (question: Question): Promise<Decision & { cause?: string }> => {
    const denied = (cause: string) => ({ allow: false, reason: UNAVAILABLE, policyId: "", cause });
    try {
      const document = await opa.query(inputOf(question));
      if (document === undefined) return denied(`${path} defines no decision`);
      const read = answer.safeParse(document);
      if (!read.success) return denied("the decision is malformed");
      const { allow, reason, policy_id: policyId } = read.data;
      return {
        allow,
        reason: reason ?? (allow ? "the policy allows it" : "the policy denies it"),
        policyId: policyId ?? "",
      };
    } catch (error) {
      return denied((error as Error).message);
    }
  };

  return {
    async decide(question) {
      const { cause, ...decision } = await ask(question);
      metrics.decision(question.action, decision.allow);
      const { caller, resource, action } = question;
      const { allow, reason, policyId: policy_id } = decision;
      const line = { caller, resource, action, allow, reason, policy_id };
      if (cause !== undefined) log.error({ ...line, cause }, "decision");
      else if (audit.enabled) log.info(line, "decision");
      return decision;
    },
    problem: async (self) =>
      (await ask({ caller: self, resource: self, action: "health_check", context: {} })).cause,
    close: () => opa.close(),
  };
}
