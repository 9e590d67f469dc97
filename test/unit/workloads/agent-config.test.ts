import fc from "fast-check";
import { load } from "js-yaml";
import { parseConfig } from "../../../infra/config";
import type { NetworkSettings } from "../../../components/network/mode";
import { renderAgentConfig, type AgentSettings } from "../../../components/workloads/agent-config";
import { registryOf, spiffeIdOf, type MeshAgent } from "../../../components/workloads/registry";
import { sdkProblems } from "./agentweave-sdk";

const DIRECT: NetworkSettings = { mode: "direct" };
const REGIONS: Record<string, string> = { aws: "us-east-1", gcp: "us-central1", azure: "eastus" };
const agent = (cloud: string, role: string): MeshAgent => ({
  cloud,
  region: REGIONS[cloud] ?? "here",
  role,
  trustDomain: `${cloud}.example.org`,
  host: `${role}.${cloud}.lb.example`,
});
const AGENTS = [
  agent("aws", "agent"),
  agent("aws", "orchestrator"),
  agent("gcp", "agent"),
  agent("gcp", "worker"),
  agent("azure", "agent"),
  agent("azure", "worker"),
];
const [, ORCHESTRATOR, , GCP_WORKER, , AZURE_WORKER] = AGENTS as [
  MeshAgent,
  MeshAgent,
  MeshAgent,
  MeshAgent,
  MeshAgent,
  MeshAgent,
];

const SETTINGS: AgentSettings = parseConfig(
  { clouds: { aws: { provider: "aws" } }, network: DIRECT },
  { stack: "test", projectDir: "/" },
).agents;

/** What the tests read of a configuration. */
interface Rendered {
  readonly observability: { readonly tracing: object; readonly probe?: object };
  readonly agent_registry: Readonly<Record<string, { endpoints?: { cloud: string }[] }>>;
}
const read = (text: string) => load(text) as Rendered;

const render = (self: MeshAgent, settings: Partial<AgentSettings> = {}, agents = AGENTS) =>
  renderAgentConfig({
    self,
    agents,
    network: DIRECT,
    settings: { ...SETTINGS, ...settings },
    opaEndpoint: "http://opa.opa.svc.cluster.local:8181",
  });

test("an agent's configuration is what the agent reads", () => {
  expect(load(render(ORCHESTRATOR))).toMatchObject({
    agent: { name: "aws-orchestrator", trust_domain: "aws.example.org", environment: "production" },
    identity: {
      spiffe_endpoint: "unix:///spiffe-workload-api/spire-agent.sock",
      spiffe_id: "spiffe://aws.example.org/region/aws-us-east-1/orchestrator",
      allowed_trust_domains: ["aws.example.org", "gcp.example.org", "azure.example.org"],
    },
    authorization: {
      opa_endpoint: "http://opa.opa.svc.cluster.local:8181",
      policy_path: "agentweave/authz",
      default_action: "deny",
    },
    transport: { tls_min_version: "1.3", peer_verification: "strict", timeout_seconds: 10, routing: "order" },
    server: { host: "0.0.0.0", port: 8443, advertise_address: "https://orchestrator.aws.lb.example:8443" },
    observability: {
      metrics: { port: 9090 },
      health: { port: 8080 },
      tracing: { enabled: false, service_name: "aws-orchestrator" },
      logging: {
        level: "INFO",
        format: "json",
        default_fields: { cloud: "aws", region: "us-east-1", role: "orchestrator" },
      },
    },
    metadata: { name: "aws-orchestrator", cloud: "aws", region: "us-east-1", role: "orchestrator" },
  });
});

test.each(AGENTS)("the configuration of $cloud $role suits the SDK's loader, our own keys aside", (self) => {
  expect(sdkProblems(render(self))).toEqual([]);
});

test("settings reach the agent", () => {
  const config = read(
    render(GCP_WORKER, {
      environment: "staging",
      routing: "latency",
      timeoutSeconds: 3,
      logLevel: "WARNING",
      tracing: { endpoint: "http://collector:4318" },
    }),
  );
  expect(config).toMatchObject({
    agent: { environment: "staging" },
    transport: { routing: "latency", timeout_seconds: 3 },
    observability: {
      logging: { level: "WARNING" },
      tracing: { enabled: true, endpoint: "http://collector:4318", service_name: "gcp-worker" },
    },
  });
});

test("traces go to the mesh's own collector, unless a setting names another", () => {
  const tracing = (settings: Partial<AgentSettings>) =>
    read(render(GCP_WORKER, settings)).observability.tracing;
  const collector = "http://mesh:4318";
  expect(tracing({ collector })).toMatchObject({ enabled: true, endpoint: collector });
  expect(tracing({ collector, tracing: { endpoint: "http://own:4318" } })).toMatchObject({
    endpoint: "http://own:4318",
  });
  expect(tracing({})).toMatchObject({ enabled: false });
});

test("the usual agent of a cloud probes those of the others, and nobody else probes", () => {
  const probe = (self: MeshAgent, agents: MeshAgent[] = AGENTS) =>
    read(render(self, { probe: { intervalSeconds: 15 } }, agents)).observability.probe;
  expect(probe(AGENTS[0]!)).toEqual({
    enabled: true,
    interval_seconds: 15,
    targets: ["gcp_agent", "azure_agent"],
  });
  for (const other of [ORCHESTRATOR, GCP_WORKER]) expect(probe(other)).toBeUndefined();
  // Where no role is called agent, the first is the usual one.
  const workers = [ORCHESTRATOR, GCP_WORKER];
  expect(probe(ORCHESTRATOR, workers)).toMatchObject({ enabled: true, targets: ["gcp_worker"] });
  expect(probe(ORCHESTRATOR, [ORCHESTRATOR])).toBeUndefined();
  expect(read(render(AGENTS[0]!)).observability.probe).toBeUndefined();
});

describe("the registry", () => {
  const registry = registryOf(AZURE_WORKER, AGENTS, DIRECT);

  test("has every other agent by cloud and role, and every role", () => {
    expect(Object.keys(registry).sort()).toEqual(
      ["aws_agent", "aws_orchestrator", "azure_agent", "gcp_agent", "gcp_worker"]
        .concat("agent", "orchestrator", "worker")
        .sort(),
    );
  });

  test("reaches other clouds through their load balancers, and its own by the Service in the cluster", () => {
    expect(registry).toMatchObject({
      gcp_worker: {
        spiffe_id: "spiffe://gcp.example.org/region/gcp-us-central1/worker",
        address: "https://worker.gcp.lb.example:8443",
        cloud: "gcp",
      },
      azure_agent: { address: "https://agentweave-agent.agentweave.svc.cluster.local:8443" },
    });
  });

  test("turns to its own cloud first, then to the others in their order", () => {
    expect(registry["agent"]).toMatchObject({
      endpoints: [{ cloud: "azure" }, { cloud: "aws" }, { cloud: "gcp" }],
    });
  });

  test("has no role that no other agent has", () => {
    expect(registryOf(ORCHESTRATOR, AGENTS, DIRECT)).not.toHaveProperty("orchestrator");
  });

  test("puts an IPv6 address into brackets", () => {
    const place = { ...GCP_WORKER, host: "2001:db8::1" };
    expect(registryOf(ORCHESTRATOR, [ORCHESTRATOR, place], DIRECT)).toMatchObject({
      gcp_worker: { address: "https://[2001:db8::1]:8443" },
    });
  });

  const name = fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?$/);
  const meshes = fc
    .uniqueArray(fc.tuple(name, name), { minLength: 1, selector: ([cloud, role]) => `${cloud}/${role}` })
    .map((pairs) => pairs.map(([cloud, role]) => agent(cloud, role)));

  test("of any mesh names each other agent exactly once by cloud and role, and never its own", () => {
    fc.assert(
      fc.property(meshes, fc.nat(), (mesh, pick) => {
        const self = mesh[pick % mesh.length]!;
        const registry = Object.entries(registryOf(self, mesh, DIRECT));
        const idsOf = (list: boolean) =>
          registry
            .flatMap(([, entry]) =>
              "endpoints" in entry === list ? ("endpoints" in entry ? entry.endpoints : [entry]) : [],
            )
            .map(({ spiffe_id }) => spiffe_id)
            .sort();
        const others = mesh
          .filter((other) => other !== self)
          .map(spiffeIdOf)
          .sort();
        expect(idsOf(false)).toEqual(others);
        expect(idsOf(true)).toEqual(others);
      }),
    );
  });

  test("of any mesh has the nearest first", () => {
    fc.assert(
      fc.property(meshes, fc.nat(), (mesh, pick) => {
        const self = mesh[pick % mesh.length]!;
        const { agent_registry } = read(
          renderAgentConfig({
            self,
            agents: mesh,
            network: DIRECT,
            settings: SETTINGS,
            opaEndpoint: "http://opa:8181",
          }),
        );
        for (const { endpoints = [] } of Object.values(agent_registry)) {
          const own = endpoints.map(({ cloud }) => cloud === self.cloud);
          expect(own).toEqual([...own].sort((a, b) => Number(b) - Number(a)));
        }
      }),
      { numRuns: 50 },
    );
  });
});
