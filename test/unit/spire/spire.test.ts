import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../../components/clouds/cluster";
import { isPinned, resolveImages } from "../../../components/images";
import { hostOf, loadBalancerHost } from "../../../components/kubernetes/load-balancer";
import {
  Spire,
  type SpireArgs,
  SPIRE_DEFAULTS,
  type SpireSettings,
  type SpireSizes,
} from "../../../components/spire";
import { CSI_DRIVER, NAMESPACES, SPIRE_AGENT, SPIRE_SERVER } from "../../../components/well-known";
import { record, valueOf, type Fakes, type Recording, type Registered } from "../../../infra/plan/recorder";
import { parseHcl } from "./hcl";
import { restrictedViolations } from "./pod-security";

const TYPES = {
  namespace: "kubernetes:core/v1:Namespace",
  configMap: "kubernetes:core/v1:ConfigMap",
  service: "kubernetes:core/v1:Service",
  statefulSet: "kubernetes:apps/v1:StatefulSet",
  daemonSet: "kubernetes:apps/v1:DaemonSet",
  role: "kubernetes:rbac.authorization.k8s.io/v1:Role",
  clusterRole: "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole",
  claimSize: "kubernetes:core/v1:PersistentVolumeClaimPatch",
  quota: "kubernetes:core/v1:ResourceQuota",
  csiDriver: "kubernetes:storage.k8s.io/v1:CSIDriver",
  networkPolicy: "kubernetes:networking.k8s.io/v1:NetworkPolicy",
};
const LOAD_BALANCER = { status: { loadBalancer: { ingress: [{ hostname: "nlb.example.com" }] } } };

function cluster(name: string, kubernetesVersion?: string): Cluster {
  return {
    name,
    region: "here",
    clusterName: `agentweave-${name}`,
    context: `${name}-cluster`,
    kubeconfig: pulumi.secret("the kubeconfig"),
    kubernetesVersion: kubernetesVersion === undefined ? undefined : pulumi.output(kubernetesVersion),
    kubernetes: new k8s.Provider(`${name}-kubernetes`, {}),
    podCidr: "10.0.0.0/16",
    serviceCidr: "10.1.0.0/16",
    sourceCidrs: ["10.0.0.0/16"],
    loadBalancerAnnotations: { "example.com/load-balancer-of": name },
    loadBalancerClass: `example.com/${name}`,
    storageClassName: `disk-${name}`,
  };
}

const FLOWS = { mode: "direct", peerRanges: [] } as const;

interface Options {
  readonly plan?: SpireArgs["plan"];
  readonly protect?: boolean;
  readonly settings?: Partial<SpireSettings>;
  readonly sizes?: SpireSizes;
  readonly fakes?: Fakes;
  readonly kubernetesVersion?: string;
}

/** SPIRE in one cloud for each name. */
function stand(names: string[], { settings, sizes, protect, plan, fakes, kubernetesVersion }: Options = {}) {
  return record(
    () =>
      names.map(
        (name) =>
          new Spire(`${name}-spire`, {
            cluster: cluster(name, kubernetesVersion),
            trustDomain: `${name}.agentweave.io`,
            settings: { ...SPIRE_DEFAULTS, ...settings },
            sizes,
            protect,
            plan,
            images: resolveImages(),
            flows: FLOWS,
          }),
      ),
    { outputs: { [TYPES.service]: LOAD_BALANCER }, ...fakes },
  );
}

let aws: Spire;
let recording: Recording;
let objects: Registered[];
beforeAll(async () => {
  const [spires, all] = await stand(["aws", "gcp"]);
  aws = spires[0]!;
  recording = all;
  objects = all.resources.filter(({ type }) => type.startsWith("kubernetes:"));
});

const server = (from = recording) => from.one(TYPES.statefulSet, "aws-spire-server");
const agent = (from = recording) => from.one(TYPES.daemonSet, "aws-spire-agent");
const csiDriver = () => recording.one(TYPES.daemonSet, "aws-spire-csi-driver");
const podOf = ({ inputs }: Registered) => inputs.spec.template;
const workloads = () => [server(), agent(), csiDriver()];

describe("every object", () => {
  test("is in the cluster of its own cloud", () => {
    expect(objects.length).toBeGreaterThan(30);
    for (const { name, provider } of objects) {
      expect(provider).toContain(`::${name.split("-")[0]}-kubernetes::`);
    }
  });

  test("is the same in each cloud, but for the cloud's names", () => {
    const of = (cloud: string) =>
      objects
        .filter(({ name }) => name.startsWith(cloud))
        .map(({ type, name }) => `${type} ${name.replace(cloud, "")}`)
        .sort();
    expect(of("aws")).toEqual(of("gcp"));
  });

  test("has the labels of the program", () => {
    for (const { inputs } of objects) {
      expect(inputs.metadata.labels).toMatchObject({ "app.kubernetes.io/part-of": "agentweave-mesh" });
    }
  });
});

describe("network policies", () => {
  const policiesOf = (namespace: string) =>
    objects
      .filter(
        ({ type, name, inputs }) =>
          type === TYPES.networkPolicy && name.startsWith("aws") && inputs.metadata.namespace === namespace,
      )
      .map(({ inputs }) => inputs.spec);

  test.each([NAMESPACES.spireServer, NAMESPACES.spireSystem])("of %s deny what they do not name", (of) => {
    expect(policiesOf(of)).toContainEqual({ podSelector: {}, policyTypes: ["Ingress", "Egress"] });
  });

  test("let SPIRE agents alone reach the server's API, and everybody its bundle", () => {
    const rules = policiesOf(NAMESPACES.spireServer).flatMap(({ ingress = [] }) => ingress);
    const sources = (port: number) =>
      rules.filter(({ ports }) => ports.some((rule: { port: number }) => rule.port === port));
    expect(sources(8081)).toMatchObject([
      {
        from: [
          {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "spire-system" } },
            podSelector: { matchLabels: { "app.kubernetes.io/name": "spire-agent" } },
          },
        ],
      },
    ]);
    expect(sources(8443)).toEqual([{ ports: [{ protocol: "TCP", port: 8443 }] }]);
  });
});

describe("namespaces", () => {
  test.each([
    [NAMESPACES.spireServer, "restricted"],
    [NAMESPACES.spireSystem, "privileged"],
  ])("%s admits %s pods", (namespace, level) => {
    const found = objects.find(
      ({ type, inputs }) => type === TYPES.namespace && inputs.metadata.name === namespace,
    );
    expect(found?.inputs.metadata.labels).toMatchObject({
      "pod-security.kubernetes.io/enforce": level,
      "pod-security.kubernetes.io/warn": level,
    });
  });

  test("that admit restricted pods only get such", () => {
    const restricted = workloads().filter(
      ({ inputs }) => inputs.metadata.namespace === NAMESPACES.spireServer,
    );
    expect(restricted.map(({ name }) => name)).toEqual(["aws-spire-server"]);
    for (const workload of restricted) expect(restrictedViolations(podOf(workload).spec)).toEqual([]);
  });

  test("that admit privileged ones hold no more privileges than their pods need", () => {
    expect(restrictedViolations(podOf(agent()).spec)).toEqual([
      "uses hostPID",
      "volume agent-sockets is of type hostPath",
      "container spire-agent may run as root",
      "container spire-agent runs as user 0",
    ]);
    const csi = restrictedViolations(podOf(csiDriver()).spec);
    expect(csi.filter((violation) => violation.includes("privileged"))).toEqual([
      "container spiffe-csi-driver is privileged",
    ]);
    expect(csi.filter((violation) => violation.includes("uses host"))).toEqual([]);
  });
});

describe("every pod", () => {
  test("has labels that its own selector finds, and no other's", () => {
    for (const workload of workloads()) {
      for (const other of workloads()) {
        const selected = Object.entries(other.inputs.spec.selector.matchLabels).every(
          ([key, value]) => podOf(workload).metadata.labels[key] === value,
        );
        expect(selected).toBe(workload === other);
      }
    }
  });

  test("has pinned images, requests, a memory limit and a read-only root in every container", () => {
    for (const container of workloads().flatMap((workload) => podOf(workload).spec.containers)) {
      expect(isPinned(container.image)).toBe(true);
      expect(container.resources).toMatchObject({
        requests: { cpu: expect.any(String), memory: expect.any(String) },
        limits: { memory: expect.any(String) },
      });
      expect(container.securityContext.readOnlyRootFilesystem).toBe(true);
    }
  });

  test("probes only ports that one of its containers has", () => {
    let probes = 0;
    for (const { containers } of workloads().map((workload) => podOf(workload).spec)) {
      const named = containers.flatMap((c: { ports?: { name: string }[] }) => c.ports ?? []);
      for (const container of containers) {
        for (const kind of ["startupProbe", "livenessProbe", "readinessProbe"]) {
          const port = container[kind]?.httpGet.port;
          if (port === undefined) continue;
          probes++;
          expect(named.map(({ name }: { name: string }) => name)).toContain(port);
        }
      }
    }
    expect(probes).toBe(8);
  });

  test("is kept by a node that is full, and let into its namespace by a quota that is there before it", () => {
    const classes = workloads().map((workload) => {
      const { namespace } = workload.inputs.metadata;
      const { priorityClassName } = podOf(workload).spec;
      const provider = workload.provider;
      const quota = recording
        .all(TYPES.quota)
        .find((each) => each.provider === provider && each.inputs.metadata.namespace === namespace)!;
      expect(quota.inputs.spec.scopeSelector.matchExpressions).toEqual([
        { scopeName: "PriorityClass", operator: "In", values: expect.arrayContaining([priorityClassName]) },
      ]);
      expect(recording.leavesBefore(workload, quota)).toBe(true);
      return [workload.inputs.metadata.name, priorityClassName];
    });
    expect(Object.fromEntries(classes)).toEqual({
      "spire-server": "system-cluster-critical",
      "spire-agent": "system-node-critical",
      "spiffe-csi-driver": "system-node-critical",
    });
  });

  test("mounts only volumes that it has, and has none that it does not mount", () => {
    for (const workload of workloads()) {
      const { containers, volumes } = podOf(workload).spec;
      const mounted = containers.flatMap((c: { volumeMounts: { name: string }[] }) =>
        c.volumeMounts.map(({ name }) => name),
      );
      const claims = (workload.inputs.spec.volumeClaimTemplates ?? []) as { metadata: { name: string } }[];
      const there = [...volumes.map((v: { name: string }) => v.name), ...claims.map((c) => c.metadata.name)];
      expect([...new Set(mounted)].sort()).toEqual(there.sort());
    }
  });
});

describe("the server", () => {
  const confOf = (from = recording) =>
    from.one(TYPES.configMap, "aws-spire-server-config").inputs.data["server.conf"] as string;
  const container = () => podOf(server()).spec.containers[0];

  test("is found under the names that the trust layer uses", async () => {
    expect(server().inputs.metadata).toMatchObject({ name: "spire-server", namespace: "spire" });
    expect(server().inputs.spec.replicas).toBe(1);
    expect(aws.server.target).toMatchObject({
      cloud: "aws",
      namespace: server().inputs.metadata.namespace,
      pod: `${server().inputs.metadata.name}-0`,
      container: container().name,
      trustDomain: "aws.agentweave.io",
    });
    expect(await pulumi.isSecret(pulumi.output(aws.server.target.kubeconfig))).toBe(true);
  });

  test("listens on the ports that its containers, Services and probes say", () => {
    const ports = Object.fromEntries(
      container().ports.map((p: { name: string; containerPort: number }) => [p.name, p.containerPort]),
    );
    const conf = parseHcl(confOf());
    expect(conf).toMatchObject({
      server: {
        bind_port: ports.api,
        federation: { bundle_endpoint: { port: ports["bundle-endpoint"] } },
      },
      health_checks: { bind_port: String(ports.health) },
      telemetry: { Prometheus: { port: ports.metrics } },
    });
    expect(podOf(server()).metadata.annotations["prometheus.io/port"]).toBe(String(ports.metrics));
    for (const { inputs } of recording.all(TYPES.service)) {
      for (const { name, port, targetPort } of inputs.spec.ports)
        expect([port, targetPort]).toEqual([ports[name], ports[name]]);
    }
  });

  test("publishes its bundle endpoint, and nothing else, through the cloud's load balancer", () => {
    const published = recording.all(TYPES.service).filter(({ inputs }) => inputs.spec.type !== undefined);
    expect(published.map(({ name }) => name)).toEqual([
      "aws-spire-server-federation",
      "gcp-spire-server-federation",
    ]);
    const { metadata, spec } = published[0]!.inputs;
    expect(metadata.name).toBe("spire-server-federation");
    expect(metadata.annotations).toEqual({ "example.com/load-balancer-of": "aws" });
    expect(spec).toMatchObject({ type: "LoadBalancer", loadBalancerClass: "example.com/aws" });
    expect(spec.ports.map(({ port }: { port: number }) => port)).toEqual([8443]);
    for (const [key, value] of Object.entries(spec.selector)) {
      expect(podOf(server()).metadata.labels[key]).toBe(value);
    }
  });

  test("is replaced by its next version even if it never gets ready; one that was made in order stays, with its CA", () => {
    expect(server().inputs.spec.podManagementPolicy).toBe("Parallel");
    expect(server().ignoreChanges).toContain("spec.podManagementPolicy");
  });

  test("keeps database and keys on a volume of the cluster's class, which leaves with it", () => {
    const { volumeClaimTemplates, persistentVolumeClaimRetentionPolicy } = server().inputs.spec;
    expect(volumeClaimTemplates).toHaveLength(1);
    expect(volumeClaimTemplates[0].spec).toMatchObject({
      storageClassName: "disk-aws",
      resources: { requests: { storage: "1Gi" } },
    });
    expect(persistentVolumeClaimRetentionPolicy).toEqual({ whenDeleted: "Delete", whenScaled: "Retain" });
    const mount = container().volumeMounts.find(
      ({ name }: { name: string }) => name === volumeClaimTemplates[0].metadata.name,
    );
    const conf = parseHcl(confOf()) as {
      plugins: { KeyManager: { disk: { plugin_data: { keys_path: string } } } };
    };
    expect(conf.plugins.KeyManager.disk.plugin_data.keys_path).toMatch(`${mount.mountPath}/`);
  });

  test("may do in the cluster what its plugins need, and touch no ConfigMap but that of its bundle", () => {
    const clusterRole = recording.one(TYPES.clusterRole, "aws-spire-server-cluster-role").inputs.rules;
    expect(clusterRole).toEqual([
      { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
      { apiGroups: [""], resources: ["nodes"], verbs: ["get"] },
    ]);
    const role = recording.one(TYPES.role, "aws-spire-server-role").inputs;
    expect(role.metadata.namespace).toBe(agent().inputs.metadata.namespace);
    expect(role.rules).toContainEqual({
      apiGroups: [""],
      resources: ["configmaps"],
      resourceNames: [SPIRE_SERVER.bundleConfigMap],
      verbs: ["get", "create", "patch"],
    });
    for (const { resources, resourceNames } of role.rules) {
      expect(resources.includes("configmaps")).toBe(resourceNames !== undefined);
    }
  });

  test("finds token and CA certificate beside the kubeconfig that names them", () => {
    const volume = podOf(server()).spec.volumes.find(({ name }: { name: string }) => name === "kubernetes");
    const files = volume.projected.sources.flatMap(
      (s: { configMap?: { items: { path: string }[] }; serviceAccountToken?: { path: string } }) =>
        s.serviceAccountToken?.path ?? s.configMap?.items.map(({ path }) => path) ?? [],
    );
    expect(files.sort()).toEqual(["ca.crt", "kubeconfig", "token"]);
  });

  test("restarts when its configuration changes, and only then", async () => {
    const checksum = (from: Recording) => podOf(server(from)).metadata.annotations["checksum/config"];
    const [, same] = await stand(["aws"], { sizes: { server: { memory: "1Gi" } } });
    const [, other] = await stand(["aws"], { settings: { refreshHint: "10m" } });
    expect(checksum(same)).toBe(checksum(recording));
    expect(confOf(other)).not.toBe(confOf());
    expect(checksum(other)).not.toBe(checksum(recording));
  });

  test("is deleted or replaced by nobody where it is protected", async () => {
    expect(server().protect).toBe(false);
    const [, made] = await stand(["aws"], { protect: true });
    expect(made.resources.filter(({ protect }) => protect).map(({ name }) => name)).toEqual([
      "aws-spire-server",
    ]);
  });

  test("takes sizes from its arguments", async () => {
    const [, sized] = await stand(["aws"], { sizes: { storageSize: "5Gi", server: { cpu: "2" } } });
    const { template, volumeClaimTemplates } = server(sized).inputs.spec;
    expect(template.spec.containers[0].resources).toEqual({
      requests: { cpu: "2", memory: "256Mi" },
      limits: { memory: "256Mi" },
    });
    expect(volumeClaimTemplates[0].spec.resources.requests.storage).toBe("5Gi");
  });
});

describe("replicas", () => {
  const datastore = { type: "postgres", connectionString: "host=db password=hidden" } as const;
  const annotations = { "eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/spire" };
  let two: Recording;
  let spire: Spire;
  beforeAll(async () => {
    const plan = { replicas: 2, datastore, serviceAccountAnnotations: annotations };
    const [[only], all] = await stand(["aws"], { plan });
    two = all;
    spire = only!;
  });

  test("are pods with a volume each, apart from each other, of which one at a time is evicted", () => {
    const { spec } = server(two).inputs;
    expect(spec).toMatchObject({
      replicas: 2,
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Delete" },
    });
    const keys = spec.template.spec.topologySpreadConstraints.map(
      (each: { topologyKey: string }) => each.topologyKey,
    );
    expect(keys).toEqual(["kubernetes.io/hostname", "topology.kubernetes.io/zone"]);
    const claims = ["spire-data-spire-server-0", "spire-data-spire-server-1"];
    expect(two.all(TYPES.claimSize).map(({ inputs }) => inputs.metadata.name)).toEqual(claims);
    const cleanups = two.all("pulumi-nodejs:dynamic/agentweave/kubernetes:VolumeCleanup");
    expect(cleanups.map(({ inputs }) => inputs.claim.name)).toEqual(claims);
    const [budget] = two.all("kubernetes:policy/v1:PodDisruptionBudget");
    expect(budget!.inputs.spec).toMatchObject({
      maxUnavailable: 1,
      selector: { matchLabels: spec.selector.matchLabels },
    });
    expect(recording.all("kubernetes:policy/v1:PodDisruptionBudget")).toEqual([]);
  });

  test("are told to the trust layer, which one server alone is not", () => {
    expect(spire.server.target).toMatchObject({ pod: "spire-server-0", replicas: 2 });
    expect(aws.server.target).not.toHaveProperty("replicas");
  });

  test("have the connection string as a secret alone, and roll when it changes", async () => {
    const secret = two.one("kubernetes:core/v1:Secret", "aws-spire-server-datastore");
    const shown = two.resources.filter((each) => each !== secret).map(({ inputs }) => JSON.stringify(inputs));
    expect(shown.join()).not.toContain("hidden");
    expect(JSON.stringify(secret.inputs)).toContain("hidden");
    const plan = { datastore: { ...datastore, connectionString: "host=db password=other" } };
    const [, other] = await stand(["aws"], { plan });
    const sum = (of: Recording) => podOf(server(of)).metadata.annotations["checksum/config"];
    expect(sum(other)).not.toBe(sum(two));
  });

  test("have a service account with the annotations of the configuration", () => {
    const account = two.one("kubernetes:core/v1:ServiceAccount", "aws-spire-server-account");
    expect(account.inputs.metadata.annotations).toMatchObject(annotations);
  });
});

describe("the address of the bundle endpoint", () => {
  const service = (status: object) =>
    ({
      metadata: pulumi.output({ namespace: "spire", name: SPIRE_SERVER.federationService }),
      status: pulumi.output(status),
    }) as unknown as k8s.core.v1.Service;
  const address = async (ingress: object[] | undefined) => {
    const outputs = { [TYPES.service]: { status: { loadBalancer: { ingress } } } };
    const [[spire]] = await stand(["aws"], { fakes: { outputs } });
    return valueOf(spire!.server.bundleEndpointUrl!);
  };

  test("is the load balancer's host name, or its IP address of either version", async () => {
    expect(await valueOf(aws.server.bundleEndpointUrl!)).toBe("https://nlb.example.com:8443");
    expect(await address([{ hostname: "a.example.com", ip: "192.0.2.1" }])).toBe(
      "https://a.example.com:8443",
    );
    expect(await address([{ ip: "192.0.2.1" }])).toBe("https://192.0.2.1:8443");
    expect(await address([{ ip: "2001:db8::1" }])).toBe("https://[2001:db8::1]:8443");
  });

  test("is unknown at a preview before the load balancer exists, whether its status is unknown or empty", async () => {
    const isKnown = (output: pulumi.Output<string>) =>
      (output as unknown as { isKnown: Promise<boolean> }).isKnown;
    const [[spire]] = await stand(["aws"], { fakes: { preview: true } });
    expect(await isKnown(spire!.server.bundleEndpointUrl!)).toBe(false);

    const [host] = await record(() => loadBalancerHost(service({ loadBalancer: {} }), "aws"), {
      preview: true,
    });
    expect(await isKnown(host)).toBe(false);
    const [known] = await record(() => loadBalancerHost(service(LOAD_BALANCER.status), "aws"), {
      preview: true,
    });
    expect(await isKnown(known)).toBe(true);
  });

  test("is an error that says where to look if there is none after an update", () => {
    const state = { namespace: "spire", name: "spire-server-federation", ingress: [] };
    expect(() => hostOf("aws", state, false)).toThrow(
      /^aws: Service spire\/spire-server-federation has no load balancer address/,
    );
  });
});

describe("the agent", () => {
  test("starts from the bundle that the server publishes, in a namespace that it can mount it from", () => {
    const { plugins } = parseHcl(
      recording.one(TYPES.configMap, "aws-spire-server-config").inputs.data["server.conf"],
    ) as { plugins: { BundlePublisher: { k8s_configmap: { plugin_data: { clusters: object } } } } };
    const published = Object.values(plugins.BundlePublisher.k8s_configmap.plugin_data.clusters)[0];
    const { volumes } = podOf(agent()).spec;
    expect(published).toMatchObject({
      namespace: agent().inputs.metadata.namespace,
      configmap_name: volumes.find(({ name }: { name: string }) => name === "bundle").configMap.name,
    });
  });

  test("attests with a token for the server, under the cluster name that the server knows", () => {
    const token = podOf(agent()).spec.volumes.find(({ name }: { name: string }) => name === "token");
    expect(token.projected.sources).toEqual([
      {
        serviceAccountToken: {
          path: "spire-agent",
          audience: SPIRE_AGENT.tokenAudience,
          expirationSeconds: expect.any(Number),
        },
      },
    ]);
    const conf = recording.one(TYPES.configMap, "aws-spire-agent-config").inputs.data["agent.conf"];
    expect(parseHcl(conf)).toMatchObject({
      plugins: { NodeAttestor: { k8s_psat: { plugin_data: { cluster: "agentweave-aws" } } } },
    });
  });

  test("runs on every node", () => {
    expect(podOf(agent()).spec.tolerations).toEqual([{ operator: "Exists" }]);
  });

  test.each([
    [undefined, "nodes/pods"],
    ["1.32", "nodes/proxy"],
    ["1.32.9-gke.1000000", "nodes/proxy"],
    ["1.33", "nodes/pods"],
    ["1.36.1", "nodes/pods"],
  ])("may, with Kubernetes %s, get %s and nothing else", async (kubernetesVersion, permission) => {
    const [, made] = await stand(["aws"], { kubernetesVersion });
    expect(made.one(TYPES.clusterRole, "aws-spire-agent-cluster-role").inputs.rules).toEqual([
      { apiGroups: [""], resources: [permission], verbs: ["get"] },
    ]);
  });
});

describe("the CSI driver", () => {
  test("mounts the directory of the node in which the agent has its socket", () => {
    const socketDir = (workload: Registered) =>
      podOf(workload).spec.volumes.find(({ name }: { name: string }) => name === "agent-sockets").hostPath
        .path;
    expect(socketDir(csiDriver())).toBe(socketDir(agent()));
    const { volumeMounts } = podOf(agent()).spec.containers[0];
    expect(volumeMounts).toContainEqual({ name: "agent-sockets", mountPath: SPIRE_AGENT.socketDir });
  });

  test("is registered for ephemeral volumes under the name that pods use", () => {
    const { metadata, spec } = recording.one(TYPES.csiDriver, "aws-spire-csi-driver-object").inputs;
    expect(metadata.name).toBe("csi.spiffe.io");
    expect(spec).toEqual({
      volumeLifecycleModes: ["Ephemeral"],
      attachRequired: false,
      podInfoOnMount: true,
      fsGroupPolicy: "None",
    });
    const registrar = podOf(csiDriver()).spec.containers[1];
    expect(registrar.args).toContain(
      `--kubelet-registration-path=/var/lib/kubelet/plugins/${CSI_DRIVER}/csi.sock`,
    );
  });
});

describe("on destroy", () => {
  const inCluster = (cloud: string, part: string) =>
    objects.filter(
      ({ name }) => name === `${cloud}-spire-${part}` || name.startsWith(`${cloud}-spire-${part}-`),
    );

  test.each([
    { part: "csi-driver", later: "agent" },
    { part: "agent", later: "server" },
    { part: "server", later: "namespaces" },
  ])("all of $part leaves before all of $later", ({ part, later }) => {
    expect(inCluster("aws", part).length).toBeGreaterThan(0);
    expect(inCluster("aws", later).length).toBeGreaterThan(0);
    for (const first of inCluster("aws", part)) {
      for (const then of inCluster("aws", later)) expect(recording.leavesBefore(first, then)).toBe(true);
    }
  });

  test("a pod leaves before the rights and files that it uses", () => {
    for (const workload of workloads()) {
      const uses = objects.filter(
        ({ name, type }) =>
          name.startsWith(`${workload.name}-`) && ![TYPES.service, TYPES.claimSize].includes(type),
      );
      expect(uses.length).toBeGreaterThan(1);
      for (const used of uses) expect(recording.leavesBefore(workload, used)).toBe(true);
    }
  });

  test("no cloud waits for another", () => {
    for (const first of inCluster("aws", "csi-driver")) {
      for (const other of objects.filter(({ name }) => name.startsWith("gcp"))) {
        expect(recording.leavesBefore(first, other)).toBe(false);
      }
    }
  });

  test("a workload that depends on the CSI driver leaves before it", async () => {
    const [, all] = await record(
      () => {
        const here = cluster("aws");
        const spire = new Spire("aws-spire", {
          cluster: here,
          trustDomain: "aws.agentweave.io",
          settings: SPIRE_DEFAULTS,
          images: resolveImages(),
          flows: FLOWS,
        });
        new k8s.core.v1.Pod("workload", {}, { provider: here.kubernetes, dependsOn: spire.csiDriver });
      },
      { outputs: { [TYPES.service]: LOAD_BALANCER } },
    );
    const workload = all.one("kubernetes:core/v1:Pod");
    expect(all.leavesBefore(workload, all.one(TYPES.daemonSet, "aws-spire-csi-driver"))).toBe(true);
  });
});
