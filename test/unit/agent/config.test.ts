import { dump } from "js-yaml";
import { parseAgentConfig } from "../../../agent/config";
import { ConfigError } from "../../../agent/config/config-error";

const smallest = {
  agent: { name: "aws-agent", trust_domain: "aws.example.org", capabilities: [{ name: "ping" }] },
  metadata: { cloud: "aws", region: "us-east-1", role: "agent" },
};

const problems = (config: unknown): readonly string[] => {
  try {
    parseAgentConfig(typeof config === "string" ? config : dump(config));
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

test("what is not written has its default", () => {
  expect(parseAgentConfig(dump(smallest))).toEqual({
    agent: {
      ...{ name: "aws-agent", trust_domain: "aws.example.org", description: "", environment: "production" },
      capabilities: [{ name: "ping", description: "" }],
    },
    identity: { provider: "spiffe", allowed_trust_domains: ["aws.example.org"] },
    authorization: {
      provider: "opa",
      opa_endpoint: "http://opa.opa.svc.cluster.local:8181",
      policy_path: "agentweave/authz",
      default_action: "deny",
      timeout_seconds: 2,
      audit: { enabled: true, destination: "stdout" },
    },
    transport: {
      tls_min_version: "1.3",
      peer_verification: "strict",
      connection_pool: { max_connections: 100, idle_timeout_seconds: 60 },
      circuit_breaker: { failure_threshold: 5, recovery_timeout_seconds: 30 },
      retry: { max_attempts: 3, backoff_base_seconds: 0.1, backoff_max_seconds: 2 },
      timeout_seconds: 10,
      routing: "order",
    },
    server: {
      host: "0.0.0.0",
      port: 8443,
      protocol: "a2a",
      limits: { body_bytes: 1048576, concurrency: 100, header_seconds: 10, request_seconds: 30 },
    },
    observability: {
      metrics: { enabled: true, port: 9090 },
      health: { port: 8080 },
      tracing: {
        ...{ enabled: false, exporter: "otlp", endpoint: "http://localhost:4318", service_name: "aws-agent" },
      },
      probe: { enabled: false, interval_seconds: 30, targets: [] },
      logging: { level: "INFO", format: "json", default_fields: {} },
    },
    metadata: { name: "aws-agent", cloud: "aws", region: "us-east-1", role: "agent" },
    agent_registry: {},
  });
});

test("an entry of the registry is a list of endpoints, however it is written", () => {
  const endpoint = { spiffe_id: "spiffe://aws.example.org/b", address: "https://b:8443", cloud: "aws" };
  const config = parseAgentConfig(
    dump({ ...smallest, agent_registry: { one: endpoint, many: { endpoints: [endpoint, endpoint] } } }),
  );
  expect(config.agent_registry).toEqual({
    one: { endpoints: [endpoint] },
    many: { endpoints: [endpoint, endpoint] },
  });
});

test("every problem is told at once, with its path and what was probably meant", () => {
  expect(
    problems({
      agent: { ...smallest.agent, name: "AWS", capabilities: [{ nam: "ping", name: "ping" }] },
      identity: { spire_socket: "x", spiffe_endpoint: "/run/agent.sock" },
      authorization: { default_action: "allow", timeout_second: 3 },
      transport: { circuit_braker: {}, tls_min_version: "1.2" },
      metadata: { cloud: "aws", role: "agent" },
      agent_registry: {
        gcp_agent: { spiffe_id: "spiffe://gcp.example.org", address: "http://gcp:8443", clod: "gcp" },
      },
      logging: {},
    }),
  ).toEqual([
    "agent.name: write lower-case letters, digits and dashes, a letter first",
    "agent.capabilities[0].nam: is not a known key; write name",
    "identity.spiffe_endpoint: write the path of a socket such as unix:///spiffe-workload-api/spire-agent.sock",
    expect.stringMatching(
      /^identity.spire_socket: is not a known key; remove it, or write one of provider, /,
    ),
    expect.stringMatching(/^authorization.default_action: .*"deny"/),
    "authorization.timeout_second: is not a known key; write timeout_seconds",
    expect.stringMatching(/^transport.tls_min_version: .*"1.3"/),
    "transport.circuit_braker: is not a known key; write circuit_breaker",
    expect.stringMatching(/^metadata.region: /),
    expect.stringMatching(
      /^agent_registry.gcp_agent.endpoints\[0\].spiffe_id: write a SPIFFE id with a path/,
    ),
    expect.stringMatching(
      /^agent_registry.gcp_agent.endpoints\[0\].address: write an address such as https:/,
    ),
    "agent_registry.gcp_agent.endpoints[0].clod: is not a known key; write cloud",
    expect.stringMatching(/^logging: is not a known key; remove it, or write one of agent, identity, /),
  ]);
});

test("values that contradict each other are told", () => {
  const gcp = "spiffe://gcp.example.org/b";
  expect(
    problems({
      ...smallest,
      identity: { spiffe_id: gcp, allowed_trust_domains: ["azure.example.org"] },
      agent_registry: { gcp_agent: { spiffe_id: gcp, address: "https://b:8443" } },
    }),
  ).toEqual([
    "identity.allowed_trust_domains: lacks the agent's own, aws.example.org",
    "identity.spiffe_id: is not of the agent's trust domain, aws.example.org",
    "agent_registry.gcp_agent.endpoints[0].spiffe_id: is of no trust domain in identity.allowed_trust_domains",
  ]);
});

describe("a proxy", () => {
  const withProxy = (proxy: unknown) => ({ ...smallest, transport: { proxy } });
  const proxy = { url: "http://127.0.0.1:1055", domains: ["tail1a2b3c.ts.net"] };

  test("is an address and the domains behind it", () => {
    expect(parseAgentConfig(dump(withProxy(proxy))).transport.proxy).toEqual(proxy);
    expect(problems(withProxy({ ...proxy, domains: ["Tail1A.TS.net.", "mesh.example.org"] }))).toEqual([]);
  });

  test.each<[string, unknown, string[]]>([
    [
      "has no other scheme, path or user",
      { ...proxy, url: "socks5://127.0.0.1:1055" },
      ["transport.proxy.url: write the address of an HTTP proxy such as http://127.0.0.1:1055"],
    ],
    [
      "has domains without a star",
      { ...proxy, domains: ["*.ts.net", ".ts.net", "100.64.0.1", "ts"] },
      [0, 1, 2, 3].map(
        (index) =>
          `transport.proxy.domains[${index}]: write a domain such as tail1a2b3c.ts.net, without a star or a dot before it`,
      ),
    ],
    [
      "has a domain at least",
      { ...proxy, domains: [] },
      [expect.stringMatching(/^transport.proxy.domains: /)],
    ],
    [
      "has no unknown keys",
      { ...proxy, domain: "x" },
      ["transport.proxy.domain: is not a known key; write domains"],
    ],
    [
      "is not in a domain of its own",
      { ...proxy, url: "http://proxy.tail1a2b3c.ts.net:1055" },
      ["transport.proxy.url: is in one of transport.proxy.domains, which only the proxy can resolve"],
    ],
  ])("%s", (_, given, expected) => {
    expect(problems(withProxy(given))).toEqual(expected);
  });
});

test.each(["", "null", "[]", "text", "a: [", "a: 1\na: 2"])("the text %p is no configuration", (text) => {
  expect(problems(text)).not.toEqual([]);
});

test("a message counts its problems", () => {
  const { message } = new ConfigError(["a: b", "c: d"]);
  expect(message).toBe("The configuration has 2 problems:\n  a: b\n  c: d");
});

test("a probe is of one agent, which the registry knows", () => {
  const endpoint = (cloud: string) => ({
    spiffe_id: `spiffe://aws.example.org/region/${cloud}-r/agent`,
    address: `https://${cloud}.example.org:8443`,
  });
  const registry = {
    gcp_agent: {
      endpoints: [endpoint("gcp"), { ...endpoint("gcp"), address: "https://other.example.org:8443" }],
    },
    agent: { endpoints: [endpoint("gcp"), endpoint("azure")] },
  };
  const probe = { targets: ["gcp_agent", "agent", "nobody", "toString"] };
  expect(problems({ ...smallest, observability: { probe }, agent_registry: registry })).toEqual([
    "observability.probe.targets[1]: agent stands for several agents; write the name of one",
    "observability.probe.targets[2]: nobody is not in agent_registry",
    "observability.probe.targets[3]: toString is not in agent_registry",
  ]);
});
