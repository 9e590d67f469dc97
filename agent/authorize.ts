// Authorization: OPA is asked before anything is done for a caller. Whatever keeps it from a clear yes is a no.
import http from "node:http";
import https from "node:https";
import type { Logger } from "pino";
import { z } from "zod";
import type { AgentConfig } from "./config";
import { parseSpiffeId } from "./identity/spiffe-id";
import type { Metrics } from "./telemetry/metrics";

/** What is asked. */
export interface Question {
  /** Verified SPIFFE id of the caller. */
  readonly caller: string;
  /** This agent's own SPIFFE id. */
  readonly resource: string;
  /** The task's type, or `task.status`, `task.cancel`. */
  readonly action: string;
  readonly context: Readonly<Record<string, unknown>>;
}

/** What was decided. */
export interface Decision {
  readonly allow: boolean;
  /** For people. */
  readonly reason: string;
  /** The rule that decided; empty when there was no answer. */
  readonly policyId: string;
  /** False when OPA gave no usable answer. */
  readonly answered: boolean;
}

/** Decides who may do what. */
export interface Authorizer {
  /** Asks, logs and counts. Never throws. */
  decide(question: Question): Promise<Decision>;
  close(): void;
}

/** More than that is no decision. */
const LARGEST_ANSWER = 64 * 1024;
const UNAVAILABLE = "policy unavailable";

const answerSchema = z.object({
  result: z.union([
    z.boolean().transform((allow) => ({ allow, reason: "", policy_id: "" })),
    z.object({ allow: z.boolean(), reason: z.string().default(""), policy_id: z.string().default("") }),
  ]),
});

const trustDomainOf = (id: string) => parseSpiffeId(id)?.trustDomain ?? "";

/** The input document, as the AgentWeave SDK sends it too. */
export function inputOf({ caller, resource, action, context }: Question, now = new Date()): object {
  return {
    caller_spiffe_id: caller,
    resource_spiffe_id: resource,
    action,
    timestamp: now.toISOString(),
    caller_trust_domain: trustDomainOf(caller),
    resource_trust_domain: trustDomainOf(resource),
    context,
  };
}

/** Reads OPA's answer; undefined when it is none. */
function readAnswer(text: string): Decision | undefined {
  try {
    const { allow, reason, policy_id } = answerSchema.parse(JSON.parse(text)).result;
    return { allow, reason: reason || (allow ? "allowed" : "denied"), policyId: policy_id, answered: true };
  } catch {
    return undefined;
  }
}

/** The authorizer that asks the OPA of the configuration, over connections that are kept. */
export function createAuthorizer(
  { opa_endpoint, policy_path, timeout_seconds }: AgentConfig["authorization"],
  telemetry: { readonly log: Logger; readonly metrics: Metrics },
): Authorizer {
  const url = new URL(`/v1/data/${policy_path}/decision`, opa_endpoint);
  const client = url.protocol === "https:" ? https : http;
  const agent = new client.Agent({ keepAlive: true, maxFreeSockets: 16 });

  const post = (body: string) =>
    new Promise<string>((resolve, reject) => {
      const request = client.request(url, {
        agent,
        method: "POST",
        headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
        // A limit on the whole exchange, not only on silence.
        signal: AbortSignal.timeout(timeout_seconds * 1000),
      });
      request.once("error", reject);
      request.once("response", (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size > LARGEST_ANSWER) response.destroy(new Error("its answer is too large"));
          else chunks.push(chunk);
        });
        response.once("error", reject);
        response.once("end", () => {
          if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString("utf8"));
          else reject(new Error(`it answered HTTP ${response.statusCode}`));
        });
      });
      request.end(body);
    });

  const unavailable = (cause: string): Decision => ({
    allow: false,
    reason: `${UNAVAILABLE}: ${cause}`,
    policyId: "",
    answered: false,
  });

  async function ask(question: Question): Promise<Decision> {
    try {
      const answer = readAnswer(await post(JSON.stringify({ input: inputOf(question) })));
      return answer ?? unavailable("OPA's answer is no decision");
    } catch (error) {
      const { name, message, code } = error as NodeJS.ErrnoException;
      if (name === "TimeoutError" || name === "AbortError") {
        return unavailable(`OPA did not answer within ${timeout_seconds} s`);
      }
      return unavailable(`OPA cannot be asked (${message || code})`);
    }
  }

  return {
    async decide(question) {
      const decision = await ask(question);
      telemetry.metrics.decision(question.action, decision.allow);
      const { caller, resource, action } = question;
      const { allow, reason, policyId: policy_id } = decision;
      const line = { event: "decision", caller, resource, action, allow, reason, policy_id };
      if (decision.answered) telemetry.log.info(line, allow ? "allowed" : "denied");
      else telemetry.log.error(line, "denied: policy unavailable");
      return decision;
    },
    close: () => agent.destroy(),
  };
}
