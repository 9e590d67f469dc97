/* eslint-disable @typescript-eslint/no-explicit-any -- What was registered, and files, have any shape. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../../components/clouds/cluster";
import { resolveImages } from "../../../components/images";
import { FederationRelationship } from "../../../components/trust/resources";
import { Workloads, type WorkloadsArgs } from "../../../components/workloads";
import { load } from "js-yaml";
import { parseConfig } from "../../../infra/config";
import { configMapsOf } from "../../support/config-maps";
import { record, valueOf, type Fakes, type Recording, type Registered } from "../../../infra/plan/recorder";
import { restrictedViolations } from "../spire/pod-security";

const TYPES = {
  namespace: "kubernetes:core/v1:Namespace",
  configMap: "kubernetes:core/v1:ConfigMap",
  service: "kubernetes:core/v1:Service",
  account: "kubernetes:core/v1:ServiceAccount",
  deployment: "kubernetes:apps/v1:Deployment",
  budget: "kubernetes:policy/v1:PodDisruptionBudget",
  autoscaler: "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
  networkPolicy: "kubernetes:networking.k8s.io/v1:NetworkPolicy",
  entry: "pulumi-nodejs:dynamic/agentweave/trust:RegistrationEntry",
  relationship: "pulumi-nodejs:dynamic/agentweave/trust:FederationRelationship",
};
const FAKES: Fakes = {
  outputs: { [TYPES.service]: { status: { loadBalancer: { ingress: [{ hostname: "lb.example.com" }] } } } },
};
const ROLES = { aws: ["agent", "orchestrator"], gcp: ["agent", "worker"] };
const AGENTS = Object.entries(ROLES).flatMap(([cloud, roles]) => roles.map((role) => ({ cloud, role })));

function cluster(name: string): Cluster {
  return {
    name,
    region: `${name}-region`,
    clusterName: `agentweave-${name}`,
    context: `${name}-cluster`,
    kubeconfig: pulumi.secret("the kubeconfig"),
    kubernetes: new k8s.Provider(`${name}-kubernetes`, {}),
    podCidr: "10.0.0.0/16",
    serviceCidr: "10.1.0.0/16",
    sourceCidrs: ["10.0.0.0/16"],
    loadBalancerAnnotations: { "example.com/load-balancer-of": name },
    loadBalancerClass: `example.com/${name}`,
  };
}

/** What stands for parts of other layers. */
class Elsewhere extends pulumi.CustomResource {
  constructor(type: string, name: string) {
    super(`test:spire:${type}`, name, {});
  }
}

const target = (cloud: string) => ({
  cloud,
  kubeconfig: pulumi.secret("the kubeconfig"),
  namespace: "spire",
  pod: "spire-server-0",
  container: "spire-server",
  trustDomain: `${cloud}.example.org`,
});

/** The workloads of two clouds, with these settings of the stack's `agents`. */
function stand(agents: object = {}, { images, ...fakes }: Fakes & { images?: object } = {}) {
  const { agents: settings } = parseConfig(
    {
      clouds: { aws: { provider: "aws", nodes: { checkCapacity: false } } },
      network: { mode: "direct" },
      agents,
    },
    { stack: "test", projectDir: "/" },
  );
  return record(
    () => {
      const other = { aws: "gcp", gcp: "aws" };
      const clouds = (["aws", "gcp"] as const).map((name): WorkloadsArgs["clouds"][number] => ({
        cluster: cluster(name),
        trustDomain: `${name}.example.org`,
        roles: ROLES[name],
        target: target(name),
        exposure: { kind: "public" },
        flows: { mode: "direct", peerRanges: [], observability: { home: true, scrapedBy: "pods" } },
        federatesWith: [
          new FederationRelationship(`${name}-trusts`, {
            target: target(name),
            source: target(other[name]),
            bundleEndpointUrl: "https://lb.example.com:8443",
          }),
        ],
        nodeAlias: new Elsewhere("NodeAlias", `${name}-node-alias`),
        csiDriver: new Elsewhere("CsiDriver", `${name}-csi-driver`),
      }));
      return new Workloads("workloads", {
        clouds,
        agents: settings,
        network: { mode: "direct" },
        policy: { calls: [], relays: [] },
        images: { ...resolveImages(), ...images },
      });
    },
    { ...FAKES, ...fakes },
  );
}

let workloads: Workloads;
let made: Recording;
beforeAll(async () => {
  [workloads, made] = await stand();
});

const named = (cloud: string, role: string, suffix = "") => `${cloud}-agentweave-${role}${suffix}`;
const deployment = (cloud: string, role: string, from = made) =>
  from.one(TYPES.deployment, named(cloud, role));
const podOf = ({ inputs }: Registered) => inputs.spec.template;
const containerOf = (of: Registered) => podOf(of).spec.containers[0];
const envoyOf = (of: Registered) =>
  podOf(of).spec.initContainers.find(({ name }: { name: string }) => name === "envoy");
const configOf = (cloud: string, role: string, from = made): string => {
  const names = [named(cloud, role, "-envoy"), named(cloud, role, "-config")];
  return Object.values(configMapsOf(from).find(({ resource }) => names.includes(resource.name))!.data)[0]!;
};
/** Addresses of all listeners and clusters of its Envoy, by their names. */
function addressesOf(cloud: string, role: string): ReadonlyMap<string, string> {
  const { static_resources: all } = load(configOf(cloud, role)) as any;
  const text = ({ socket_address: at, pipe }: any) => (pipe ? pipe.path : `${at.address}:${at.port_value}`);
  return new Map([
    ...all.listeners.map(({ name, address }: any) => [name, text(address)]),
    ...all.clusters.map(({ name, load_assignment: { endpoints } }: any) => [
      name,
      text(endpoints[0].lb_endpoints[0].endpoint.address),
    ]),
  ]);
}
const checksum = (cloud: string, role: string, from = made): string =>
  podOf(deployment(cloud, role, from)).metadata.annotations["checksum/config"];

test("operators find every agent by cloud and role", async () => {
  expect(workloads.agents.map(({ cloud, role }) => ({ cloud, role }))).toEqual(AGENTS);
  const [first] = workloads.agents;
  expect(first).toMatchObject({
    spiffeId: "spiffe://aws.example.org/region/aws-aws-region/agent",
    namespace: "agentweave",
    service: "agentweave-agent",
  });
  expect(await valueOf(first!.address)).toBe("https://lb.example.com:8443");
});

describe("every object of the agents", () => {
  const objects = () =>
    made.resources.filter(
      ({ type, inputs }) =>
        type.startsWith("kubernetes:") &&
        (inputs.metadata.namespace === "agentweave" || inputs.metadata.name === "agentweave"),
    );

  test("is in the cluster of its own cloud", () => {
    expect(objects().length).toBeGreaterThan(20);
    for (const { name, provider } of objects()) {
      expect(provider).toContain(`::${name.split("-")[0]}-kubernetes::`);
    }
  });

  test("has the labels of the program", () => {
    for (const { inputs } of objects()) {
      expect(inputs.metadata.labels).toMatchObject({ "app.kubernetes.io/part-of": "agentweave-mesh" });
    }
  });

  test("comes after the namespace, which admits restricted pods only", () => {
    for (const cloud of Object.keys(ROLES)) {
      const namespace = made.one(TYPES.namespace, `${cloud}-agentweave`);
      expect(namespace.inputs.metadata).toMatchObject({
        name: "agentweave",
        labels: { "pod-security.kubernetes.io/enforce": "restricted" },
      });
      for (const object of objects().filter(({ name }) => name.startsWith(`${cloud}-agentweave-`))) {
        expect([object.name, made.leavesBefore(object, namespace)]).toEqual([object.name, true]);
      }
    }
  });
});

describe.each(AGENTS)("$role in $cloud", ({ cloud, role }) => {
  const service = () => made.one(TYPES.service, named(cloud, role, "-service"));
  const entry = () => made.one(TYPES.entry, named(cloud, role, "-entry"));

  test("is published by a load balancer of its cloud, with mutual TLS alone", () => {
    const { metadata, spec } = service().inputs;
    expect(metadata).toMatchObject({
      name: `agentweave-${role}`,
      annotations: { "example.com/load-balancer-of": cloud },
    });
    expect(spec).toMatchObject({ type: "LoadBalancer", loadBalancerClass: `example.com/${cloud}` });
    expect(spec.ports).toEqual([{ name: "mtls", port: 8443, targetPort: 8443 }]);
    expect(podOf(deployment(cloud, role)).metadata.labels).toMatchObject(spec.selector);
  });

  test("has a Service that is there when it has an address, since no pod can be before it", () => {
    expect(service().inputs.metadata.annotations["pulumi.com/waitFor"]).toBe(
      "jsonpath={.status.loadBalancer.ingress[0]}",
    );
    for (const other of AGENTS) {
      const pods = deployment(other.cloud, other.role);
      expect(made.leavesBefore(service(), pods)).toBe(false);
    }
    expect(made.leavesBefore(deployment(cloud, role), service())).toBe(true);
  });

  test("is known by namespace and account, and to no other cloud's server", () => {
    expect(entry().inputs).toMatchObject({
      target: { cloud, trustDomain: `${cloud}.example.org` },
      spiffeId: `spiffe://${cloud}.example.org/region/${cloud}-${cloud}-region/${role}`,
      parentId: `spiffe://${cloud}.example.org/node/agentweave-${cloud}`,
      selectors: ["k8s:ns:agentweave", `k8s:sa:agentweave-${role}`],
      x509SvidTtlSeconds: 0,
    });
    for (const needed of [
      made.one(TYPES.relationship, `${cloud}-trusts`),
      made.one("test:spire:NodeAlias", `${cloud}-node-alias`),
    ]) {
      expect([needed.name, made.leavesBefore(entry(), needed)]).toEqual([needed.name, true]);
    }
    expect(podOf(deployment(cloud, role)).spec.serviceAccountName).toBe(`agentweave-${role}`);
  });

  test("starts when it has an identity and a policy to ask, and leaves before both", () => {
    const pods = deployment(cloud, role);
    const driver = made.one("test:spire:CsiDriver", `${cloud}-csi-driver`);
    for (const needed of [entry(), driver, made.one(TYPES.deployment, `${cloud}-opa`)]) {
      expect([needed.name, made.leavesBefore(pods, needed)]).toEqual([needed.name, true]);
    }
  });

  test("is restricted, and has no token of Kubernetes", () => {
    const { spec } = podOf(deployment(cloud, role));
    expect(restrictedViolations(spec)).toEqual([]);
    expect(spec.containers[0].securityContext.readOnlyRootFilesystem).toBe(true);
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(made.one(TYPES.account, named(cloud, role, "-account")).inputs).toMatchObject({
      automountServiceAccountToken: false,
    });
  });

  test("is reached and probed where Envoy listens, and has nothing else open", () => {
    const envoy = envoyOf(deployment(cloud, role));
    const addresses = addressesOf(cloud, role);
    expect(envoy.ports.map(({ name, containerPort }: any) => [name, `0.0.0.0:${containerPort}`])).toEqual([
      ["mtls", addresses.get("inbound")],
      ["metrics", addresses.get("status")],
    ]);
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"])
      expect(envoy[probe].httpGet.port).toBe("metrics");
    const container = containerOf(deployment(cloud, role));
    expect(container).not.toHaveProperty("ports");
    expect(container.env).toContainEqual({ name: "PORT", value: addresses.get("program")!.split(":")[1] });
    expect(container.env).toContainEqual({ name: "MESH_URL", value: `http://${addresses.get("outbound")}` });
  });

  test("finds its configuration and the Workload API where they are mounted", () => {
    const { spec } = podOf(deployment(cloud, role));
    const { args, volumeMounts } = envoyOf(deployment(cloud, role));
    const volume = (path: string) => {
      const { name } = volumeMounts.find(({ mountPath }: any) => path.startsWith(`${mountPath}/`));
      return spec.volumes.find((volume: any) => volume.name === name);
    };
    expect(volume(args[args.indexOf("--config-path") + 1])).toMatchObject({
      configMap: { name: `agentweave-${role}-envoy` },
    });
    expect(volume(addressesOf(cloud, role).get("workload_api")!)).toMatchObject({
      csi: { driver: "csi.spiffe.io", readOnly: true },
    });
  });

  test("asks the OPA of its own cluster", () => {
    const [hostname, port] = addressesOf(cloud, role).get("opa")!.split(":");
    const { metadata, spec } = made.one(TYPES.service, `${cloud}-opa-service`).inputs;
    expect(hostname).toBe(`${metadata.name}.${metadata.namespace}.svc.cluster.local`);
    expect(spec.ports).toMatchObject([{ port: Number(port) }]);
  });

  test("is two pods, apart and never both away", () => {
    const { spec } = deployment(cloud, role).inputs;
    expect(spec.replicas).toBe(2);
    expect(spec.strategy.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
    const { topologySpreadConstraints } = spec.template.spec;
    expect(topologySpreadConstraints.map((rule: { topologyKey: string }) => rule.topologyKey)).toEqual([
      "kubernetes.io/hostname",
      "topology.kubernetes.io/zone",
    ]);
    const { spec: budget } = made.one(TYPES.budget, named(cloud, role, "-budget")).inputs;
    expect(budget).toMatchObject({ minAvailable: 1, selector: spec.selector });
  });

  test("is selected by no other role's Service, Deployment or budget", () => {
    const { selector } = deployment(cloud, role).inputs.spec;
    for (const other of AGENTS.filter((agent) => agent.role !== role)) {
      expect(podOf(deployment(other.cloud, other.role)).metadata.labels).not.toMatchObject(
        selector.matchLabels,
      );
    }
  });
});

describe("the program", () => {
  test("is the same file in every cluster, and started by the stock image", () => {
    const files = configMapsOf(made).filter(({ metadata }) => metadata.name === "agent-program");
    expect(files.map(({ resource }) => resource.name).sort()).toEqual(
      Object.keys(ROLES)
        .map((cloud) => `${cloud}-agentweave-program`)
        .sort(),
    );
    expect(files[0]!.binaryData).toEqual(files[1]!.binaryData);
    const { spec } = podOf(deployment("aws", "agent"));
    const [container] = spec.containers;
    expect(container.image).toBe(resolveImages().agent);
    const file: string = container.command.at(-1);
    const mount = container.volumeMounts.find(({ name }: { name: string }) => name === "program");
    expect(file).toBe(`${mount.mountPath}/${Object.keys(files[0]!.binaryData)[0]}`);
    expect(spec.volumes).toContainEqual({ name: "program", configMap: { name: files[0]!.metadata.name } });
  });

  test("is replaced by an image of the user's own that has an identity itself, in all roles or in one", async () => {
    const image = "registry.example.org/my-agent:1.0.0";
    const [, all] = await stand({ image });
    const [, one] = await stand({
      roles: { agent: { image, sidecar: "none", env: { MODEL: "small" }, replicas: 3 } },
    });
    for (const own of [all, one]) {
      const { spec } = podOf(deployment("aws", "agent", own));
      const [container] = spec.containers;
      expect(container).toMatchObject({ image, args: ["--config", "/etc/agentweave/config.yaml"] });
      expect(container).not.toHaveProperty("command");
      expect(spec).not.toHaveProperty("initContainers");
      expect(container.ports.map(({ name }: any) => name)).toEqual(["mtls", "health", "metrics"]);
      expect(restrictedViolations(spec)).toEqual([]);
      const config = load(configOf("aws", "agent", own)) as any;
      expect(config.identity.spiffe_id).toBe(
        own.one(TYPES.entry, named("aws", "agent", "-entry")).inputs.spiffeId,
      );
      const socket = new URL(config.identity.spiffe_endpoint).pathname;
      const { name } = container.volumeMounts.find(({ mountPath }: any) =>
        socket.startsWith(`${mountPath}/`),
      );
      expect(spec.volumes.find((volume: any) => volume.name === name)).toHaveProperty("csi");
    }
    const programs = (of: Recording) =>
      configMapsOf(of).filter(({ metadata }) => metadata.name === "agent-program");
    expect([programs(all).length, programs(one).length]).toEqual([0, 2]);
    expect(deployment("aws", "agent", one).inputs.spec.replicas).toBe(3);
    expect(deployment("aws", "orchestrator", one).inputs.spec.replicas).toBe(2);
    expect(containerOf(deployment("aws", "agent", one)).env).toContainEqual({
      name: "MODEL",
      value: "small",
    });
  });

  test.each([
    [undefined, "--max-old-space-size=96"],
    ["1Gi", "--max-old-space-size=768"],
    ["512M", "--max-old-space-size=366"],
  ])("keeps its heap within the memory that it has (%s)", async (memory, option) => {
    const [, sized] = await stand(memory === undefined ? {} : { resources: { memory } });
    expect(containerOf(deployment("aws", "agent", sized)).env).toContainEqual({
      name: "NODE_OPTIONS",
      value: option,
    });
  });
});

describe("pods are rolled", () => {
  test("when the configuration of their role changes", async () => {
    const [, later] = await stand({ timeoutSeconds: 20 });
    for (const { cloud, role } of AGENTS) {
      expect(checksum(cloud, role, later)).not.toBe(checksum(cloud, role));
    }
  });

  test("when another cloud's address changes", async () => {
    const moved = { [TYPES.service]: { status: { loadBalancer: { ingress: [{ ip: "203.0.113.9" }] } } } };
    const [, later] = await stand({}, { outputs: moved });
    expect(checksum("aws", "agent", later)).not.toBe(checksum("aws", "agent"));
    expect(configOf("aws", "agent", later)).toContain("203.0.113.9");
  });

  test("and not when nothing changes", async () => {
    const [, again] = await stand();
    for (const { cloud, role } of AGENTS) expect(checksum(cloud, role, again)).toBe(checksum(cloud, role));
  });
});

describe("the number of pods", () => {
  test("of one needs no budget, which would block the drain of its node", async () => {
    const [, single] = await stand({ replicas: 1 });
    expect(deployment("aws", "agent", single).inputs.spec.replicas).toBe(1);
    expect(single.all(TYPES.budget).filter(({ name }) => name.includes("agentweave"))).toEqual([]);
  });

  test("is left to the autoscaler where there is one", async () => {
    const [, scaled] = await stand({ autoscaling: { minReplicas: 2, maxReplicas: 6, cpuPercent: 60 } });
    const { spec } = deployment("gcp", "worker", scaled).inputs;
    expect(spec).not.toHaveProperty("replicas");
    expect(scaled.one(TYPES.autoscaler, named("gcp", "worker", "-autoscaler")).inputs.spec).toEqual({
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "agentweave-worker" },
      minReplicas: 2,
      maxReplicas: 6,
      metrics: [
        {
          type: "Resource",
          resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 60 } },
        },
      ],
    });
    expect(scaled.all(TYPES.budget).filter(({ name }) => name.includes("agentweave"))).toHaveLength(4);
    expect(made.all(TYPES.autoscaler)).toEqual([]);
  });
});

describe("the network policies", () => {
  const policies = (from = made) =>
    from
      .all(TYPES.networkPolicy)
      .filter(({ name }) => name.startsWith("aws-agentweave-network-"))
      .map(({ inputs }) => inputs.spec);
  const portsOf = (direction: "ingress" | "egress", from = made) =>
    policies(from).flatMap((spec) =>
      (spec[direction] ?? []).flatMap(({ ports }: { ports: { port: number }[] }) =>
        ports.map(({ port }) => port),
      ),
    );

  test("deny what they do not name, for all pods of the namespace", () => {
    expect(policies()).toContainEqual({ podSelector: {}, policyTypes: ["Ingress", "Egress"] });
  });

  test("let in mutual TLS from everywhere, as load balancers are public, and who measures", () => {
    expect(portsOf("ingress")).toEqual([8443, 8443, 9090]);
    expect(policies().flatMap(({ ingress = [] }) => ingress)).toContainEqual({
      ports: [{ protocol: "TCP", port: 8443 }],
    });
  });

  test.each([
    [undefined, []],
    ["http://collector:4319", [4319]],
  ])(
    "let agents reach names, OPA, each other, the mesh's collector and, if there is one, another (%s)",
    async (endpoint, port) => {
      const [, traced] = await stand(endpoint === undefined ? {} : { tracing: { endpoint } });
      expect(portsOf("egress", traced)).toEqual([53, 53, 8181, 8443, 8443, ...port, 4318]);
    },
  );

  test("are there before any agent, and leave after the last", () => {
    const own = made
      .all(TYPES.networkPolicy)
      .filter(({ name }) => name.startsWith("aws-agentweave-network-"));
    expect(own).toHaveLength(3);
    for (const policy of own) expect(made.leavesBefore(deployment("aws", "agent"), policy)).toBe(true);
  });
});

test("a first preview knows everything but the addresses", async () => {
  const [, preview] = await stand({}, { preview: true });
  const names = (of: Recording) => of.resources.map(({ type, name }) => `${type} ${name}`).sort();
  expect(names(preview)).toEqual(names(made));
});
