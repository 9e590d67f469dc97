import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../../components/clouds/cluster";
import { resolveImages } from "../../../components/images";
import { MeshNetwork } from "../../../components/network";
import type { NetworkSettings } from "../../../components/network/mode";
import { traceIntakeAddress } from "../../../components/network/traces";
import type { ObservabilitySettings } from "../../../components/observability/settings";
import { AWS, GCP } from "../../../infra/plan/fakes";
import { record } from "../../../infra/plan/recorder";
import { awsCluster, MANAGED } from "../../support/tailnet";
import * as vpn from "../../support/vpn";

const TAILSCALE: NetworkSettings = { mode: "tailscale", tailscale: MANAGED };
const VPN: NetworkSettings = { mode: "vpn", vpn: { domain: "mesh.internal", firstAsn: 64800 } };
const DIRECT: NetworkSettings = { mode: "direct" };

const SETTINGS: ObservabilitySettings = {
  home: "aws",
  metrics: {
    scrape: { home: "pods", others: "apiServer" },
    intervalSeconds: 30,
    retention: "15d",
    storageSize: "50Gi",
    remoteWrite: [{ url: "https://metrics.example.org/write" }],
    alertmanagers: ["https://other.example.org:9443/w"],
  },
  traces: {
    sampling: { mode: "head", percent: 100, slowerThanMs: 1000 },
    retention: "72h",
    storageSize: "20Gi",
    replicas: 2,
  },
  dashboards: {},
};
const OVER_NETWORK: ObservabilitySettings = {
  ...SETTINGS,
  metrics: { ...SETTINGS.metrics, scrape: { home: "pods", others: "network" } },
};

function clusters(mode: NetworkSettings["mode"], alone: boolean): Cluster[] {
  const both =
    mode === "vpn"
      ? [vpn.awsCluster("aws", "10.10.0.0/16"), vpn.gcpCluster("gcp", "10.20.0.0/20", "10.21.0.0/16")]
      : [awsCluster(), { ...awsCluster(), name: "gcp", podCidr: "10.2.0.0/16", serviceCidr: "10.3.0.0/16" }];
  return both.slice(0, alone ? 1 : 2);
}

/** Two clouds, or one that is alone. */
async function network(
  settings: NetworkSettings,
  observability: ObservabilitySettings | undefined = SETTINGS,
  alone = false,
) {
  return record(
    () =>
      new MeshNetwork("network", {
        clouds: clusters(settings.mode, alone).map((cluster) => ({ cluster, subnetRouter: "userspace" })),
        settings,
        observability,
        images: resolveImages(),
      }),
    {
      outputs: {
        ...AWS.outputs,
        ...GCP.outputs,
        "tailscale:index/tailnetKey:TailnetKey": { key: "tskey-auth-made" },
        "pulumi-nodejs:dynamic/agentweave:RandomText": { value: "key" },
      },
    },
  );
}

describe("the Service at which traces arrive", () => {
  test.each<[NetworkSettings, object]>([
    [TAILSCALE, { kind: "cluster" }],
    [VPN, { kind: "internal", sources: ["10.20.0.0/20", "10.21.0.0/16"] }],
    [DIRECT, { kind: "public" }],
  ])("is reached by whom the network brings, by $mode", async (settings, exposure) => {
    const [mesh] = await network(settings);
    expect(mesh.traceIntakeExposure()).toEqual(exposure);
  });

  test.each([TAILSCALE, VPN, DIRECT])(
    "is of the cluster alone without other clouds, by $mode",
    async (settings) => {
      const [mesh] = await network(settings, SETTINGS, true);
      expect(mesh.traceIntakeExposure()).toEqual({ kind: "cluster" });
      expect(mesh.observabilityDevice("aws")).toBeUndefined();
    },
  );

  test.each<[NetworkSettings, string]>([
    [TAILSCALE, "aws-traces.tail1a2b3c.ts.net:4317"],
    [VPN, "k8s-traces.elb.us-east-1.amazonaws.com:4317"],
    [DIRECT, "k8s-traces.elb.us-east-1.amazonaws.com:4317"],
  ])("has the address that other clouds reach, by $mode", (settings, address) => {
    const host = "k8s-traces.elb.us-east-1.amazonaws.com";
    expect(traceIntakeAddress("gcp", "aws", settings, host)).toBe(address);
    expect(traceIntakeAddress("aws", "aws", settings, host)).toBe(
      "trace-intake.observability.svc.cluster.local:4317",
    );
  });

  test("may have an IP address of either version", () => {
    expect(traceIntakeAddress("gcp", "aws", DIRECT, "192.0.2.1")).toBe("192.0.2.1:4317");
    expect(traceIntakeAddress("gcp", "aws", DIRECT, "2001:db8::1")).toBe("[2001:db8::1]:4317");
  });

  test("is not found without the load balancer that the mode needs", () => {
    expect(() => traceIntakeAddress("gcp", "aws", DIRECT)).toThrow("aws has no load balancer for traces");
  });
});

describe("the flows of a cluster", () => {
  test("depend on its part", async () => {
    const [mesh] = await network(DIRECT);
    expect(mesh.flowsOf("aws").observability).toEqual({
      home: true,
      scrapedBy: "pods",
      readsOthersBy: "apiServer",
      outsidePorts: [443, 9443],
    });
    expect(mesh.flowsOf("gcp").observability).toEqual({ home: false, scrapedBy: "apiServer" });
  });

  test("have no part where there is no observability", async () => {
    const [mesh] = await record(
      () =>
        new MeshNetwork("network", {
          clouds: clusters("direct", false).map((cluster) => ({ cluster, subnetRouter: "userspace" })),
          settings: DIRECT,
          images: resolveImages(),
        }),
    );
    expect(mesh.flowsOf("aws").observability).toBeUndefined();
    expect(mesh.traceIntakeExposure()).toEqual({ kind: "cluster" });
  });
});

describe("on a tailnet", () => {
  test("each cloud's devices have a key of their own, once the policy knows their tag", async () => {
    const [mesh, made] = await network(TAILSCALE);
    for (const cloud of ["aws", "gcp"]) {
      const { authKey, settled } = mesh.observabilityDevice(cloud)!;
      expect(await pulumi.isSecret(authKey)).toBe(true);
      expect(settled.length).toBeGreaterThan(0);
    }
    expect(made.one("tailscale:index/acl:Acl").inputs.acl).toContain("tag:agentweave-observability");
  });

  test("subnet routers let through to metrics only what is read over the tailnet", async () => {
    const egress = async (settings: ObservabilitySettings, cloud: string) => {
      const [, made] = await network(TAILSCALE, settings);
      const policy = made.one(
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        `${cloud}-subnet-routers-network-subnet-router`,
      );
      return policy.inputs.spec.egress.flatMap(({ ports }: { ports: { port?: number }[] }) =>
        ports.map(({ port }) => port),
      );
    };
    expect(await egress(OVER_NETWORK, "gcp")).toEqual(expect.arrayContaining([9090, 9988, 8282, 9464]));
    expect(await egress(OVER_NETWORK, "aws")).not.toContain(9988);
    expect(await egress(SETTINGS, "gcp")).not.toContain(9988);
  });
});

describe("in the tunnels", () => {
  const opened = async (settings: ObservabilitySettings) => {
    const [, made] = await network(VPN, settings);
    const aws = made
      .all("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
      .map(({ inputs }) => inputs.fromPort as number);
    const gcp = made
      .all("gcp:compute/firewall:Firewall")
      .map(({ inputs }) => Number(inputs.allows[0].ports[0]));
    const sorted = (ports: number[]) => [...new Set(ports)].sort((a, b) => a - b);
    return { aws: sorted(aws), gcp: sorted(gcp) };
  };

  test("traces come in at home alone", async () => {
    expect(await opened(SETTINGS)).toEqual({ aws: [4317, 8443], gcp: [8443] });
  });

  test("metrics are open away from home, where they are read over the tunnels", async () => {
    expect(await opened(OVER_NETWORK)).toEqual({
      aws: [4317, 8443],
      gcp: [8282, 8443, 8888, 9090, 9464, 9988],
    });
  });

  test("each rule lets in the other clouds' ranges and nobody else, and says what for", async () => {
    const [, made] = await network(VPN, OVER_NETWORK);
    const { inputs } = made.one("gcp:compute/firewall:Firewall", "gcp-vpn-9988");
    expect(inputs).toMatchObject({
      sourceRanges: ["10.10.0.0/16"],
      description: "metrics for the other clouds",
    });
  });
});
