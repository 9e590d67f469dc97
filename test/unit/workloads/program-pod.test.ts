// Programs of a user's own in the place of the reference agent: what their pods have, and what they have not.
import { load } from "js-yaml";
import { NETWORK_MODES } from "../../../components/network/mode";
import { envoyContent } from "../../../components/workloads/envoy/text";
import { planOf, type Planned } from "../../../infra/plan/plan";

const RESEARCHER = {
  image: "registry.example.org/researcher:1.0.0",
  port: 9000,
  env: { MODEL: "small", HOST: "0.0.0.0" },
  secrets: ["model-keys"],
  resources: { memory: "1Gi" },
};

/** Resources of one role in Google Cloud. */
async function plan(mode: (typeof NETWORK_MODES)[number], role = "agent"): Promise<readonly Planned[]> {
  const all = (
    await planOf("dev", { mode, changed: { agents: { replicas: 1, roles: { [role]: RESEARCHER } } } })
  ).resources;
  return all.filter(({ name }) => name.startsWith(`gcp-agentweave-${role}`));
}

describe.each(NETWORK_MODES)("in mode %s, the pod of a program", (mode) => {
  let spec: Record<string, never> & {
    containers: { name: string; env: { name: string; value: string }[]; volumeMounts: { name: string }[] }[];
    initContainers: { name: string; volumeMounts: { name: string }[]; restartPolicy: string }[];
    hostAliases: { ip: string; hostnames: string[] }[];
    securityContext: object;
  };
  let envoy: {
    static_resources: { clusters: { name: string }[]; listeners: { name: string; address?: object }[] };
  };
  beforeAll(async () => {
    const resources = await plan(mode);
    spec = resources.find(({ inputs }) => inputs.spec?.template)!.inputs.spec.template.spec;
    const { recipe } = resources.find(({ inputs }) => inputs.recipe?.name === "envoy")!.inputs;
    envoy = load(envoyContent(recipe.args).data["envoy.yaml"]!) as typeof envoy;
  });

  test("has Envoy as a sidecar, which alone reaches the Workload API", () => {
    const containers = [...spec.initContainers, ...spec.containers];
    expect(spec.initContainers.find(({ name }) => name === "envoy")).toMatchObject({
      restartPolicy: "Always",
    });
    const holders = containers.filter(({ volumeMounts }) =>
      volumeMounts.some(({ name }) => name === "workload-api"),
    );
    expect(holders.map(({ name }) => name)).toEqual(["envoy"]);
  });

  test("tells the program where it serves and what it is called, and what the user wrote", () => {
    const [program] = spec.containers;
    expect(program).toMatchObject({
      image: RESEARCHER.image,
      envFrom: [{ secretRef: { name: "model-keys" } }],
      resources: { requests: { memory: "1Gi" }, limits: { memory: "1Gi" } },
    });
    expect(Object.fromEntries(program!.env.map(({ name, value }) => [name, value]))).toEqual({
      HOST: "0.0.0.0",
      PORT: "9000",
      AGENT_NAME: "gcp-agent",
      AGENT_CLOUD: "gcp",
      AGENT_REGION: "us-central1",
      AGENT_ROLE: "agent",
      MESH_URL: "http://127.0.0.2:80",
      AGENT_URL: "http://gcp-agent.mesh/",
      MODEL: "small",
    });
  });

  test("has a name for whatever Envoy can call, at the address where Envoy listens", () => {
    const [{ ip, hostnames }] = spec.hostAliases as [{ ip: string; hostnames: string[] }];
    expect(hostnames).toEqual(expect.arrayContaining(["aws-agent.mesh", "agent.mesh"]));
    const clusters = envoy.static_resources.clusters.map(({ name }) => name);
    for (const host of hostnames) expect(clusters).toContain(host.replace(/\.mesh$/, ""));
    expect(envoy.static_resources.listeners.find(({ name }) => name === "outbound")!.address).toEqual({
      socket_address: { address: ip, port_value: 80 },
    });
    expect(spec.securityContext).toMatchObject({
      runAsNonRoot: true,
      sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }],
    });
  });
});
