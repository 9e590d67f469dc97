// What the loader of the AgentWeave SDK (agentweave/config.py) asks of a configuration. It drops keys that it does not know.
import { load } from "js-yaml";
import { z } from "zod";

const whole = z.int().min(1);
const schema = z.object({
  agent: z.object({
    name: z.string().regex(/^[a-z][a-z0-9-]*$/),
    trust_domain: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/),
    description: z.string(),
    environment: z.enum(["development", "staging", "production"]),
    capabilities: z.array(z.object({ name: z.string().regex(/^[a-z][a-z0-9_]*$/), description: z.string() })),
  }),
  identity: z.object({
    provider: z.enum(["spiffe", "mtls-static"]),
    spiffe_endpoint: z.string().regex(/^(unix|tcp):\/\//),
    allowed_trust_domains: z.array(z.string()),
  }),
  authorization: z.object({
    provider: z.enum(["opa", "allow-all"]),
    opa_endpoint: z.string().regex(/^https?:\/\//),
    policy_path: z.string(),
    // What it takes in production.
    default_action: z.literal("deny"),
    audit: z.object({ enabled: z.literal(true), destination: z.string() }),
  }),
  transport: z.object({
    tls_min_version: z.enum(["1.2", "1.3"]),
    peer_verification: z.literal("strict"),
    connection_pool: z.object({ max_connections: whole.max(10_000), idle_timeout_seconds: whole }),
    circuit_breaker: z.object({ failure_threshold: whole, recovery_timeout_seconds: whole }),
    retry: z.object({
      max_attempts: whole.max(10),
      backoff_base_seconds: z.number().min(0.1),
      backoff_max_seconds: z.number().min(1),
    }),
  }),
  server: z.object({ host: z.string(), port: whole.max(65535), protocol: z.enum(["a2a", "grpc"]) }),
  observability: z.object({
    metrics: z.object({ enabled: z.boolean(), port: whole.max(65535) }),
    tracing: z.object({
      enabled: z.boolean(),
      exporter: z.enum(["otlp", "jaeger", "zipkin"]),
      endpoint: z.string(),
    }),
    logging: z.object({
      level: z.enum(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]),
      format: z.enum(["json", "text"]),
    }),
  }),
});

/** What the SDK would refuse, or take a default for, in the text of a config.yaml. */
export function sdkProblems(text: string): string[] {
  const result = schema.safeParse(load(text));
  return (result.error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
}
