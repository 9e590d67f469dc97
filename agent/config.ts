// config.yaml of an agent: read as a whole, every problem told at once. Names are those of the AgentWeave SDK's loader
// (agentweave/config.py); keys that it does not know are this project's own.
import { load } from "js-yaml";
import { z } from "zod";
import { parseSpiffeId } from "./identity/spiffe-id";

const seconds = (value: number) => z.number().positive().max(3600).default(value);
const port = (value: number) => z.number().int().min(0).max(65535).default(value);
const trustDomain = z
  .string()
  .regex(/^[a-z0-9._-]{1,255}$/, "must be a trust domain such as aws.example.org");
const spiffeId = z
  .string()
  .refine(
    (text) => !!parseSpiffeId(text)?.path,
    "must be a SPIFFE id such as spiffe://aws.example.org/region/aws-us-east-1/agent",
  );
const httpsAddress = z.string().regex(/^https:\/\/[^/\s]+:\d+$/, "must be https://host:port");
const httpUrl = z.string().regex(/^https?:\/\/[^\s]+$/, "must be an http or https URL");
const name = z.string().regex(/^[a-z][a-z0-9-]*$/, "must be lower-case letters, digits and dashes");

const capability = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_]*$/, "must be lower-case letters, digits and underscores"),
  description: z.string(),
});

const endpoint = z.strictObject({ spiffe_id: spiffeId, address: httpsAddress, cloud: z.string().optional() });

const schema = z.strictObject({
  agent: z.strictObject({
    name,
    trust_domain: trustDomain,
    description: z.string().default(""),
    environment: z.enum(["development", "staging", "production"]).default("production"),
    capabilities: z.array(capability).default([]),
  }),
  identity: z
    .strictObject({
      provider: z.literal("spiffe").default("spiffe"),
      /** `unix:///absolute/path` or `unix:relative/path` (gRPC naming). */
      spiffe_endpoint: z
        .string()
        .regex(/^unix:.+/, "must be a unix socket, unix:///path")
        .default(process.env["SPIFFE_ENDPOINT_SOCKET"] ?? "unix:///spiffe-workload-api/spire-agent.sock"),
      /** Which of the identities it is given it uses. Default: the first. */
      spiffe_id: spiffeId.optional(),
      allowed_trust_domains: z.array(trustDomain).default([]),
    })
    .prefault({}),
  authorization: z
    .strictObject({
      provider: z.literal("opa").default("opa"),
      opa_endpoint: httpUrl.default("http://localhost:8181"),
      policy_path: z
        .string()
        .regex(/^[\w/]+$/)
        .default("agentweave/authz"),
      default_action: z.literal("deny").default("deny"),
      timeout_seconds: seconds(2),
      audit: z
        .strictObject({
          enabled: z.literal(true).default(true),
          destination: z.literal("stdout").default("stdout"),
        })
        .prefault({}),
    })
    .prefault({}),
  transport: z
    .strictObject({
      tls_min_version: z.literal("1.3").default("1.3"),
      peer_verification: z.literal("strict").default("strict"),
      connection_pool: z
        .strictObject({
          max_connections: z.number().int().min(1).max(10_000).default(100),
          idle_timeout_seconds: seconds(60),
        })
        .prefault({}),
      circuit_breaker: z
        .strictObject({
          failure_threshold: z.number().int().min(1).default(5),
          recovery_timeout_seconds: seconds(30),
        })
        .prefault({}),
      retry: z
        .strictObject({
          max_attempts: z.number().int().min(1).max(10).default(3),
          backoff_base_seconds: seconds(0.1),
          backoff_max_seconds: seconds(2),
        })
        .prefault({}),
      timeout_seconds: seconds(10),
      routing: z.enum(["order", "latency"]).default("order"),
    })
    .prefault({}),
  server: z
    .strictObject({
      host: z.string().min(1).default("0.0.0.0"),
      /** 0 takes a free one, for tests. */
      port: port(8443),
      protocol: z.literal("a2a").default("a2a"),
      advertise_address: httpsAddress.optional(),
      limits: z
        .strictObject({
          body_bytes: z
            .number()
            .int()
            .min(1024)
            .default(1024 * 1024),
          concurrency: z.number().int().min(1).default(100),
          header_seconds: seconds(10),
          request_seconds: seconds(30),
        })
        .prefault({}),
    })
    .prefault({}),
  observability: z
    .strictObject({
      metrics: z.strictObject({ enabled: z.boolean().default(true), port: port(9090) }).prefault({}),
      health: z.strictObject({ port: port(8080) }).prefault({}),
      tracing: z
        .strictObject({
          enabled: z.boolean().default(false),
          exporter: z.literal("otlp").default("otlp"),
          endpoint: httpUrl.default("http://localhost:4318"),
          service_name: z.string().min(1).default("agent"),
        })
        .prefault({}),
      logging: z
        .strictObject({
          level: z.enum(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]).default("INFO"),
          format: z.enum(["json", "text"]).default("json"),
          default_fields: z.record(z.string(), z.string()).default({}),
        })
        .prefault({}),
    })
    .prefault({}),
  metadata: z.strictObject({
    name,
    cloud: z.string().min(1),
    region: z.string().min(1),
    role: z.string().min(1),
  }),
  agent_registry: z
    .record(z.string(), z.union([endpoint, z.strictObject({ endpoints: z.array(endpoint).min(1) })]))
    .default({}),
});

/** A configuration that can be used, every default filled in. Durations are in seconds. */
export type AgentConfig = Readonly<z.output<typeof schema>>;

/** What is wrong with a configuration: one line for each problem. */
export class AgentConfigError extends Error {
  override name = "AgentConfigError";
}

/** Lines `path: what is wrong`, of those alternatives of a union that come closest too. */
function lines(issues: readonly z.core.$ZodIssue[], prefix: readonly PropertyKey[] = []): string[] {
  return issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path];
    if (issue.code === "invalid_union") {
      const closest = [...issue.errors].sort((a, b) => a.length - b.length)[0];
      return closest ? lines(closest, path) : [`${path.join(".")}: ${issue.message}`];
    }
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => `${[...path, key].join(".")}: is not a known key`);
    }
    return [`${path.join(".") || "the file"}: ${issue.message}`];
  });
}

/**
 * Reads config.yaml.
 *
 * @throws AgentConfigError that lists every problem with its path.
 */
export function parseAgentConfig(text: string): AgentConfig {
  let raw: unknown;
  try {
    raw = load(text);
  } catch (error) {
    throw new AgentConfigError(`the configuration is no YAML: ${(error as Error).message}`, { cause: error });
  }
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  throw new AgentConfigError(["the configuration has problems:", ...lines(result.error.issues)].join("\n  "));
}
