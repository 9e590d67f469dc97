import { NETWORK_MODES, type NetworkMode } from "../../components/network/mode";
import { parseConfig } from "../../infra/config";
import { AKS } from "../../infra/config/capacity/aks";
import { EKS } from "../../infra/config/capacity/eks";
import { GKE } from "../../infra/config/capacity/gke";
import type { MachineType, Pods } from "../../infra/config/capacity/machine";
import { pack } from "../../infra/config/capacity/pack";
import { meshPods } from "../../infra/config/capacity/pods";
import { quantityValue } from "../../components/kubernetes/quantity";
import { ConfigError, formatPath } from "../../infra/config/problem";
import { capacityOf, supportOf } from "../../infra/notes";
import { configOf, planOf, type Planned } from "../../infra/plan/plan";

const PLATFORMS = [EKS, GKE, AKS];

/** The pods of a workload as it was registered. */
function registeredPods({ type, inputs }: Planned, plan: readonly Planned[]): Pods {
  const { metadata, spec } = inputs;
  const autoscaler = plan.find(
    (other) =>
      other.type.endsWith(":HorizontalPodAutoscaler") && other.inputs.metadata.name === metadata.name,
  );
  const { initContainers = [], containers } = spec.template.spec;
  // Those that stay beside the others. One that ended before them would count otherwise.
  expect(
    initContainers.filter((init: { restartPolicy?: string }) => init.restartPolicy !== "Always"),
  ).toEqual([]);
  const sum = (key: "cpu" | "memory") =>
    [...initContainers, ...containers].reduce(
      (total, { resources }) => total + quantityValue(resources.requests[key]),
      0,
    );
  return {
    name: metadata.name,
    count: type.endsWith(":DaemonSet") ? "node" : (spec.replicas ?? autoscaler?.inputs.spec.minReplicas),
    requests: { cpu: sum("cpu") * 1000, memory: sum("memory") / 2 ** 20 },
    surges: type.endsWith(":Deployment") && spec.strategy?.type !== "Recreate",
  };
}

/** Rounded, since sums of fractions are compared. */
const comparable = (pods: readonly Pods[]) =>
  pods
    .map(({ name, count, requests: { cpu, memory }, surges }) => ({
      name,
      count,
      cpu: Math.round(cpu),
      memory: Math.round(memory),
      surges,
    }))
    .sort((a, b) => a.name.localeCompare(b.name));

const sized = { cpu: "333m", memory: "777Mi" };

const VARIANTS: readonly (readonly [what: string, stack: string, mode: NetworkMode, changes: object])[] = [
  ...["dev", "prod"].flatMap((stack) => NETWORK_MODES.map((mode) => ["as it is", stack, mode, {}] as const)),
  [
    "with autoscaled agents",
    "dev",
    "direct",
    { agents: { autoscaling: { minReplicas: 3, maxReplicas: 9 } } },
  ],
  ["without observability", "dev", "tailscale", { observability: { enabled: false } }],
  [
    "with one cloud",
    "dev",
    "tailscale",
    { clouds: { aws: { provider: "aws", nodes: { instanceType: "m6i.xlarge" } } } },
  ],
  [
    "with sizes of its own",
    "prod",
    "tailscale",
    {
      agents: { replicas: 3, resources: sized },
      spire: { server: sized, agent: sized },
      network: {
        tailscale: { tailnet: "tail1a2b3c.ts.net", router: { replicas: 3, resources: sized } },
      },
      observability: {
        home: "gcp",
        metrics: { scrape: { others: "network" }, resources: sized },
        traces: { replicas: 3, collector: sized, store: sized },
        dashboards: { resources: sized },
      },
      clouds: {
        aws: { provider: "aws", nodes: { instanceType: "m6i.xlarge" } },
        gcp: { provider: "gcp", project: "your-project-id", nodes: { machineType: "n2-standard-8" } },
        azure: { provider: "azure", nodes: { vmSize: "Standard_D8s_v5" } },
      },
    },
  ],
  [
    "as many pods as each role has, and programs without Envoy",
    "dev",
    "direct",
    {
      agents: {
        replicas: 2,
        roles: {
          agent: { replicas: 5 },
          worker: { image: "registry.example.org/worker:1.0.0", sidecar: "none", replicas: 1 },
        },
      },
    },
  ],
  [
    "controller managers, one of a size of its own",
    "dev",
    "direct",
    {
      clouds: {
        aws: { provider: "aws", spire: { controllerManager: {} } },
        gcp: {
          provider: "gcp",
          project: "mesh-project",
          spire: { controllerManager: { resources: { memory: "512Mi" } } },
        },
      },
    },
  ],
  [
    "programs of one's own, with Envoy",
    "dev",
    "tailscale",
    {
      agents: {
        replicas: 1,
        roles: { agent: { image: "registry.example.org/agent:1.0.0", resources: { cpu: "20m" } } },
      },
    },
  ],
];

test.each(VARIANTS)(
  "the pods that are judged are those that the program makes: %s, stack %s, mode %s",
  async (_, stack, mode, changes) => {
    const { config, resources: plan } = await planOf(stack, { mode, changed: { ...changes } });
    for (const { name } of config.clouds) {
      const own = plan.filter(({ cloud }) => cloud === name);
      const workloads = own.filter(({ type }) =>
        /^kubernetes:apps\/v1:(Deployment|StatefulSet|DaemonSet)$/.test(type),
      );
      const judged = meshPods(name, {
        ...config,
        clouds: Object.fromEntries(config.clouds.map((cloud) => [cloud.name, cloud])),
        observability: { enabled: config.observability !== undefined, ...config.observability },
      });
      expect(comparable(judged)).toEqual(
        comparable(workloads.map((workload) => registeredPods(workload, own))),
      );
    }
  },
);

describe("the catalogue", () => {
  const types = PLATFORMS.flatMap((platform) => platform.types);
  const machine = (name: string) => types.find((type) => type.name === name)!;

  test("has each type once, with something left of it", () => {
    expect(new Set(types.map(({ name }) => name)).size).toBe(types.length);
    const nothing = types.filter(
      ({ allocatable: { cpu, memory }, pods }) => Math.min(cpu, memory, pods) <= 0,
    );
    expect(nothing).toEqual([]);
  });

  // Allocatable CPU and GiB, the lowest that 2i2c-org/infrastructure read from nodes (instance_capacities.yaml). AKS reserved
  // more memory when those were read.
  test.each([
    ["m5.large", 1930, 6.803],
    ["m5.xlarge", 3920, 14.202],
    ["r5.xlarge", 3920, 29.916],
    ["r5.2xlarge", 7910, 61.041],
    ["n1-standard-2", 1930, 5.483],
    ["n1-standard-8", 7910, 25.888],
    ["n2-highmem-2", 1930, 12.972],
    ["n2-highmem-4", 3920, 27.738],
    ["n2-highmem-16", 15890, 116.549],
    ["Standard_E4s_v3", 3860, undefined],
    ["Standard_E8s_v5", 7820, undefined],
    ["e2-medium", 940, undefined],
  ])("says of %s what a node of it was seen to leave, and rather less of memory", (name, cpu, gib) => {
    const { allocatable } = machine(name);
    expect(allocatable.cpu).toBe(cpu);
    const share = gib === undefined ? 1 : allocatable.memory / 1024 / gib;
    expect(share).toBeGreaterThan(0.93);
    expect(share).toBeLessThanOrEqual(1);
  });

  // awslabs/amazon-eks-ami, eni-max-pods.txt; m5.4xlarge has 234 addresses there.
  test.each([
    ["t3.small", 11],
    ["t3a.small", 8],
    ["t3.medium", 17],
    ["t3.large", 35],
    ["m6i.large", 29],
    ["c7g.xlarge", 58],
    ["m5.4xlarge", 110],
  ])("lets %s have as many pods as it has addresses, and as EKS allows: %i", (name, pods) => {
    expect(machine(name).pods).toBe(pods);
  });

  test("names the source of every figure, and says which are estimates", () => {
    for (const { sources, systemPods } of PLATFORMS) {
      const told = [
        ...Object.values(sources),
        ...systemPods({ podAutoscaling: true }).map(({ source }) => source),
      ];
      expect(told.filter((source) => source.length < 10)).toEqual([]);
      expect(sources.memory).toContain("estimate");
    }
    // Of these, no provider says what they request.
    expect(
      [GKE, AKS]
        .flatMap(({ systemPods }) => systemPods({ podAutoscaling: false }))
        .filter(({ estimate }) => !estimate),
    ).toEqual([]);
  });
});

describe("packing", () => {
  const type: MachineType = {
    name: "a",
    arch: "amd64",
    vcpus: 2,
    allocatable: { cpu: 2000, memory: 4000 },
    pods: 3,
  };
  const pods = (name: string, count: Pods["count"], cpu: number, memory: number, surges = false): Pods => ({
    name,
    count,
    requests: { cpu, memory },
    surges,
  });
  const unplaced = (nodes: number, ...all: Pods[]) => {
    const found = pack(
      Array.from({ length: nodes }, () => type),
      all,
    );
    return "unplaced" in found ? found.unplaced.name : undefined;
  };

  test("splits no pod: room that is left on several nodes is none for a large one", () => {
    expect(unplaced(3, pods("large", 3, 100, 2100))).toBeUndefined();
    expect(unplaced(3, pods("large", 4, 100, 2100))).toBe("large");
  });

  test("puts the large pods first, so that the small ones fill what is left", () => {
    expect(unplaced(2, pods("small", 2, 100, 1000), pods("large", 2, 100, 3000))).toBeUndefined();
  });

  test("takes the pods of every node off each of them", () => {
    expect(unplaced(2, pods("agent", "node", 500, 100), pods("worker", 2, 1500, 100))).toBeUndefined();
    expect(unplaced(2, pods("agent", "node", 600, 100), pods("worker", 2, 1500, 100))).toBe("worker");
    expect(unplaced(2, pods("agent", "node", 2100, 100))).toBe("agent");
  });

  test("counts pods", () => {
    expect(unplaced(1, pods("tiny", 3, 1, 1))).toBeUndefined();
    expect(unplaced(1, pods("tiny", 4, 1, 1))).toBe("tiny");
  });

  test("keeps room for the one more that an update starts first", () => {
    expect(unplaced(1, pods("server", 2, 1000, 1))).toBeUndefined();
    expect(unplaced(1, pods("server", 2, 1000, 1, true))).toBe("server");
  });
});

describe("a configuration", () => {
  const CLOUDS = {
    aws: { provider: "aws" },
    azure: { provider: "azure" },
    gcp: { provider: "gcp", project: "your-project-id" },
  };
  const parse = (clouds: object, rest: object = {}) =>
    parseConfig(
      { clouds: { ...CLOUDS, ...clouds }, network: { tailscale: { tailnet: "tail1a2b3c.ts.net" } }, ...rest },
      { stack: "test", projectDir: __dirname },
    );
  const problems = (clouds: object, rest?: object): string[] => {
    try {
      parse(clouds, rest);
      return [];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.problems.map(({ path, message }) => `${formatPath(path)}: ${message}`);
    }
  };
  const aws = (nodes: object) => ({ aws: { provider: "aws", nodes } });
  const gcp = (nodes: object) => ({ gcp: { ...CLOUDS.gcp, nodes } });
  const azure = (nodes: object) => ({ azure: { provider: "azure", nodes } });

  test("fits onto the default nodes, and onto those of dev and prod, in every mode", () => {
    for (const mode of NETWORK_MODES) {
      const network = { mode, tailscale: { tailnet: "tail1a2b3c.ts.net" } };
      expect(problems({}, { network })).toEqual([]);
      for (const stack of ["dev", "prod"]) {
        expect(capacityOf(configOf(stack, { mode })).map(({ judged }) => judged)).toEqual([true, true, true]);
      }
    }
  });

  test.each([
    [
      aws({ instanceType: "t3.small" }),
      {},
      /^clouds\.aws\.nodes\.instanceType: is "t3\.small": .* write t3\.medium or/,
    ],
    [aws({ instanceType: "t4g.small" }), {}, /instanceType: is "t4g\.small": .* write t4g\.medium or/],
    [
      gcp({ machineType: "e2-medium" }),
      {},
      /^clouds\.gcp\.nodes\.machineType: .* GKE's own.* write e2-standard-2 or/,
    ],
    // Of more of them, each has room for something.
    [
      gcp({ machineType: "e2-medium" }),
      {},
      /or nodes\.count: 5, or nodes\.checkCapacity: false if you know better$/,
    ],
    [gcp({ machineType: "e2-medium", minCount: 1, maxCount: 3 }), {}, /or nodes\.maxCount: 5,/],
    [aws({ count: 1 }), {}, /on 1 such nodes.*or nodes\.count: 3,/],
    // Nothing scales the nodes of EKS.
    [aws({ count: 1, minCount: 1, maxCount: 9 }), {}, /clouds\.aws/],
    [azure({ count: 1 }), { agents: { replicas: 40 } }, /clouds\.azure\.nodes\.vmSize: /],
    [
      {},
      { observability: { metrics: { resources: { memory: "3Gi" } } } },
      /prometheus \(250m of CPU, 3072Mi\).*write t3\.large or/,
    ],
    [{}, { observability: { metrics: { resources: { memory: "999Gi" } } } }, /let the pods request less,/],
  ])("with too little room is a mistake, with what to write instead: %j %j", (clouds, rest, expected) => {
    expect(problems(clouds, rest)).toContainEqual(expect.stringMatching(expected));
  });

  test.each([
    ["autoscaled nodes", gcp({ machineType: "e2-medium", minCount: 1, count: 1, maxCount: 6 }), {}],
    [
      "autoscaled agents, of which the fewest have room",
      {},
      { agents: { autoscaling: { minReplicas: 1, maxReplicas: 99 } } },
    ],
    ["nodes of the B series beside a system pool", azure({ vmSize: "Standard_B2s" }), {}],
  ])("with %s fits", (_, clouds, rest) => {
    expect(problems(clouds, rest)).toEqual([]);
  });

  test("is told of capacity together with all other mistakes", () => {
    expect(problems({ ...aws({ instanceType: "t3.small" }), gcp: { ...CLOUDS.gcp, zoone: "x" } })).toEqual([
      "clouds.gcp.zoone: is not a known key; write zone",
      expect.stringContaining("clouds.aws.nodes.instanceType: "),
    ]);
  });

  test("with a number of nodes that cannot be used is not judged by another", () => {
    expect(problems(aws({ instanceType: "t3.small", count: 0 }))).toEqual([
      "clouds.aws.nodes.count: is 0; write at least 1",
    ]);
  });

  test("with a machine type that the catalogue lacks is no mistake, but said not to be judged", () => {
    const notes = capacityOf(parse(aws({ instanceType: "z1d.large" })));
    expect(notes).toContainEqual({
      cloud: "aws",
      judged: false,
      text: "capacity was not judged: the catalogue has no z1d.large",
    });
  });

  test("is no mistake where its owner knows better", () => {
    const clouds = aws({ instanceType: "t3.small", checkCapacity: false });
    expect(problems(clouds)).toEqual([]);
    expect(capacityOf(parse(clouds))).toContainEqual({
      cloud: "aws",
      judged: false,
      text: "capacity was not judged: nodes.checkCapacity is false",
    });
  });

  test("is told how much of its nodes is taken, and whether one may be away", () => {
    const [ofAws] = capacityOf(parse({}));
    expect(ofAws!.text).toMatch(
      /^capacity: 2\.8 of 5\.8 CPUs, 7\.5 of 9\.5 GiB and 34 of 51 pods are taken; while a node is away, some pods wait for it$/,
    );
    const [larger] = capacityOf(parse(aws({ instanceType: "m6i.large" })));
    expect(larger!.text).toMatch(/while a node is away, all pods still have room$/);
  });

  test("is told until when its Kubernetes is supported, where it names one", () => {
    const versions = (aws: string) =>
      supportOf(parse({ aws: { provider: "aws", kubernetesVersion: aws } })).map(
        ({ cloud, text }) => `${cloud}: ${text}`,
      );
    expect(versions("1.34")).toEqual([
      "aws: Kubernetes 1.34: standard support ends 2026-12-02",
      "azure: Kubernetes 1.35: support ends 2027-03",
    ]);
    expect(versions("1.99")).toContainEqual(
      expect.stringMatching(
        /^aws: Kubernetes 1\.99: the end of standard support is not known here, see https:/,
      ),
    );
  });

  test("with a system pool of AKS needs machines of two vCPUs", () => {
    expect(problems({ azure: { provider: "azure", systemNodes: { vmSize: "Standard_DS1_v2" } } })).toEqual([
      'clouds.azure.systemNodes.vmSize: is "Standard_DS1_v2", and AKS takes no system pool of less than 2 vCPUs; write another size such as Standard_D4s_v5',
    ]);
  });
});
