// Everything that an agent's config.yaml may say, with its defaults. Names are those of the AgentWeave SDK's loader, and our own.
import { z } from "zod";
import { isWorkloadId } from "../identity/spiffe-id";

const text = z.string().min(1);
const seconds = z.number().positive();
const count = z.int().positive();
/** 0 takes any free port. */
const port = z.int().min(0).max(65535);
const trustDomain = z.string().regex(/^[a-z0-9._-]{1,255}$/, {
  error: "write a trust domain's name, without spiffe:// and without a path",
});
const spiffeId = z.string().refine(isWorkloadId, {
  error: "write a SPIFFE id with a path, such as spiffe://aws.example.org/region/aws-us-east-1/agent",
});

/** Whether a text is `scheme://host:port` with one of the schemes, and nothing behind it. */
function isAddress(value: string, ...schemes: string[]): boolean {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return (
    url !== undefined &&
    schemes.includes(url.protocol.slice(0, -1)) &&
    url.hostname !== "" &&
    url.username + url.password + url.search + url.hash === "" &&
    url.pathname === "/"
  );
}
const httpsAddress = z.string().refine((value) => isAddress(value, "https"), {
  error: "write an address such as https://agents.example.org:8443",
});
const httpAddress = z.string().refine((value) => isAddress(value, "http", "https"), {
  error: "write an address such as http://localhost:8181",
});

const endpoint = z.strictObject({
  spiffe_id: spiffeId,
  address: httpsAddress,
  /** The cloud it is in; "nearest first" goes by it. */
  cloud: text.optional(),
});

const isShort = (entry: unknown) => typeof entry === "object" && entry !== null && !("endpoints" in entry);

/** One endpoint may be written without a list around it. */
const registryEntry = z.preprocess(
  (entry) => (isShort(entry) ? { endpoints: [entry] } : entry),
  z.strictObject({ endpoints: z.array(endpoint).min(1) }),
);

const agent = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]*$/, {
    error: "write lower-case letters, digits and dashes, a letter first",
  }),
  trust_domain: trustDomain,
  description: z.string().default(""),
  environment: text.default("production"),
  /** What this agent offers, of what the program can do. */
  capabilities: z.array(z.strictObject({ name: text, description: z.string().default("") })).min(1),
});

const identity = z.strictObject({
  provider: z.literal("spiffe").default("spiffe"),
  /** Socket of the Workload API, `unix:///…`. Default: SPIFFE_ENDPOINT_SOCKET, then where the CSI driver mounts it. */
  spiffe_endpoint: z
    .string()
    .regex(/^unix:.+/, {
      error: "write the path of a socket such as unix:///spiffe-workload-api/spire-agent.sock",
    })
    .optional(),
  /** Which of its SVIDs the agent uses. Default: the first that the Workload API gives. */
  spiffe_id: spiffeId.optional(),
  /** Default: its own alone. */
  allowed_trust_domains: z.array(trustDomain).min(1).optional(),
});

const authorization = z.strictObject({
  provider: z.literal("opa").default("opa"),
  opa_endpoint: httpAddress.default("http://opa.opa.svc.cluster.local:8181"),
  policy_path: z
    .string()
    .regex(/^[\w-]+(\/[\w-]+)*$/, { error: "write the package's path such as agentweave/authz" })
    .default("agentweave/authz"),
  default_action: z.literal("deny").default("deny"),
  timeout_seconds: seconds.default(2),
  audit: z
    .strictObject({ enabled: z.boolean().default(true), destination: z.literal("stdout").default("stdout") })
    .prefault({}),
});

/** `http://host:port` of a proxy; what goes through it is encrypted all the way to the peer. */
const proxyAddress = z.string().refine((value) => isAddress(value, "http"), {
  error: "write the address of an HTTP proxy such as http://127.0.0.1:1055",
});
const LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
const domain = z.string().regex(new RegExp(`^(${LABEL}\\.)+[a-z]${LABEL}?\\.?$`, "i"), {
  error: "write a domain such as tail1a2b3c.ts.net, without a star or a dot before it",
});

const transport = z.strictObject({
  tls_min_version: z.literal("1.3").default("1.3"),
  peer_verification: z.literal("strict").default("strict"),
  connection_pool: z
    .strictObject({ max_connections: count.default(100), idle_timeout_seconds: seconds.default(60) })
    .prefault({}),
  circuit_breaker: z
    .strictObject({ failure_threshold: count.default(5), recovery_timeout_seconds: seconds.default(30) })
    .prefault({}),
  retry: z
    .strictObject({
      max_attempts: count.default(3),
      backoff_base_seconds: seconds.default(0.1),
      backoff_max_seconds: seconds.default(2),
    })
    .prefault({}),
  /** For each attempt. */
  timeout_seconds: seconds.default(10),
  routing: z.enum(["order", "latency"]).default("order"),
  /** Through which HTTP proxy (CONNECT) hosts that are, or are below, one of `domains` are reached; it resolves their names. Default: none. */
  proxy: z.strictObject({ url: proxyAddress, domains: z.array(domain).min(1) }).optional(),
});

const server = z.strictObject({
  host: text.default("0.0.0.0"),
  port: port.default(8443),
  protocol: z.literal("a2a").default("a2a"),
  /** Where others reach this agent; shown in its card. */
  advertise_address: httpsAddress.optional(),
  limits: z
    .strictObject({
      body_bytes: count.default(1_048_576),
      /** Requests to `/rpc` at the same time. */
      concurrency: count.default(100),
      /** To finish the handshake, and then to send a request's headers. */
      header_seconds: seconds.default(10),
      /** To send a request, and then for its task to end. */
      request_seconds: seconds.default(30),
    })
    .prefault({}),
});

const observability = z.strictObject({
  metrics: z.strictObject({ enabled: z.boolean().default(true), port: port.default(9090) }).prefault({}),
  health: z.strictObject({ port: port.default(8080) }).prefault({}),
  tracing: z
    .strictObject({
      enabled: z.boolean().default(false),
      exporter: z.literal("otlp").default("otlp"),
      endpoint: httpAddress.default("http://localhost:4318"),
      /** Default: the agent's name. */
      service_name: text.optional(),
    })
    .prefault({}),
  /** Pings of other agents in regular intervals, so that metrics know whether they can be reached when nobody calls them. */
  probe: z
    .strictObject({
      enabled: z.boolean().default(false),
      interval_seconds: seconds.default(30),
      /** Names of `agent_registry`, each of one agent. */
      targets: z.array(text).default([]),
    })
    .prefault({}),
  logging: z
    .strictObject({
      level: z.enum(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]).default("INFO"),
      format: z.enum(["json", "text"]).default("json"),
      /** In every line. */
      default_fields: z.record(text, z.string()).default({}),
    })
    .prefault({}),
});

/** The configuration file. Keys that it does not know are refused. */
export const agentConfigSchema = z.strictObject({
  agent,
  identity: identity.prefault({}),
  authorization: authorization.prefault({}),
  transport: transport.prefault({}),
  server: server.prefault({}),
  observability: observability.prefault({}),
  metadata: z.strictObject({ name: text.optional(), cloud: text, region: text, role: text }),
  /** Other agents by the names that tasks give them. */
  agent_registry: z.record(text, registryEntry).default({}),
});
