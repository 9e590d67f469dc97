// The configuration of an agent: read from YAML, checked as a whole, with everything that was left out filled in.
import { load } from "js-yaml";
import type { z } from "zod";
import { isBelow } from "../dns-name";
import { parseSpiffeId } from "../identity/spiffe-id";
import { ConfigError } from "./config-error";
import { explain } from "./explain";
import { agentConfigSchema } from "./schema";

/** What other parts of the file decide when it is not written. */
function fill(written: z.output<typeof agentConfigSchema>) {
  const { agent, identity, metadata, observability } = written;
  const { tracing } = observability;
  return {
    ...written,
    identity: {
      ...identity,
      allowed_trust_domains: identity.allowed_trust_domains ?? [agent.trust_domain],
    },
    metadata: { ...metadata, name: metadata.name ?? agent.name },
    observability: {
      ...observability,
      tracing: { ...tracing, service_name: tracing.service_name ?? agent.name },
    },
  };
}

/** A checked configuration. Every key is in the schema (agent/config/schema.ts), with its unit and default. */
export type AgentConfig = ReturnType<typeof fill>;

/** Mistakes in how values go together. */
function contradictions(config: AgentConfig): string[] {
  const { agent, identity, transport, agent_registry: registry } = config;
  const allowed = new Set(identity.allowed_trust_domains);
  const outside = (id: string) => !allowed.has(parseSpiffeId(id)?.trustDomain ?? "");
  const problems: string[] = [];
  if (!allowed.has(agent.trust_domain))
    problems.push(`identity.allowed_trust_domains: lacks the agent's own, ${agent.trust_domain}`);
  const own = identity.spiffe_id;
  if (own !== undefined && parseSpiffeId(own)?.trustDomain !== agent.trust_domain)
    problems.push(`identity.spiffe_id: is not of the agent's trust domain, ${agent.trust_domain}`);
  const { proxy } = transport;
  if (proxy && isBelow(new URL(proxy.url).hostname, proxy.domains))
    problems.push(
      "transport.proxy.url: is in one of transport.proxy.domains, which only the proxy can resolve",
    );
  for (const [name, { endpoints }] of Object.entries(registry))
    endpoints.forEach(({ spiffe_id: id }, index) => {
      const place = `agent_registry.${name}.endpoints[${index}].spiffe_id`;
      if (outside(id)) problems.push(`${place}: is of no trust domain in identity.allowed_trust_domains`);
    });
  config.observability.probe.targets.forEach((name, index) => {
    const place = `observability.probe.targets[${index}]`;
    const ids = new Set(
      Object.hasOwn(registry, name) ? registry[name]!.endpoints.map(({ spiffe_id }) => spiffe_id) : [],
    );
    if (ids.size === 0) problems.push(`${place}: ${name} is not in agent_registry`);
    if (ids.size > 1) problems.push(`${place}: ${name} stands for several agents; write the name of one`);
  });
  return problems;
}

/**
 * Reads the text of a config.yaml.
 * @throws ConfigError that lists every problem with its path.
 */
export function parseAgentConfig(text: string): AgentConfig {
  let raw: unknown;
  try {
    raw = load(text);
  } catch (error) {
    throw new ConfigError([`the file: is not YAML: ${(error as Error).message.split("\n")[0]}`]);
  }
  const result = agentConfigSchema.safeParse(raw);
  if (!result.success) throw new ConfigError(explain(agentConfigSchema, result.error.issues));
  const config = fill(result.data);
  const problems = contradictions(config);
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}
