import { CliError } from "../../../cli/errors";
import { agentNamed, meshOf, usualAgent } from "../../../cli/mesh-outputs";
import { observability } from "./observed";

const agent = (cloud: string, role: string) => ({
  spiffeId: `spiffe://${cloud}.example.org/region/${cloud}-r1/${role}`,
  address: `https://${cloud}-${role}.example.org:8443`,
  namespace: "agentweave",
  service: `agentweave-${role}`,
  cloud,
  role,
  context: `${cloud}-cluster`,
});
const cloud = (name: string) => ({
  region: "r1",
  clusterName: `${name}-cluster`,
  context: `${name}-cluster`,
  trustDomain: `${name}.example.org`,
  bundleEndpoint: `https://${name}.example.org:8443`,
  bundleDigest: "00",
});
const outputs = {
  clouds: { aws: cloud("aws"), gcp: cloud("gcp"), bare: cloud("bare") },
  agents: {
    "aws/orchestrator": agent("aws", "orchestrator"),
    "aws/agent": agent("aws", "agent"),
    "gcp/worker": agent("gcp", "worker"),
  },
  relationships: {},
  kubeconfig: JSON.stringify({ contexts: [{ name: "aws-cluster" }], "current-context": "aws-cluster" }),
};

const thrownBy = (action: () => unknown): CliError => {
  try {
    action();
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
};

describe("A stack's outputs", () => {
  it("give each cloud its own current context of the one kubeconfig, and its agents", () => {
    const [aws, gcp] = meshOf(outputs).clouds;
    expect(JSON.parse(gcp!.kubeconfig)).toMatchObject({
      contexts: [{ name: "aws-cluster" }],
      "current-context": "gcp-cluster",
    });
    expect(aws!.agents.map(({ role }) => role)).toEqual(["orchestrator", "agent"]);
  });

  it("may have the kubeconfig as YAML, or as an object", () => {
    for (const kubeconfig of ["contexts: []\n", { contexts: [] }])
      expect(JSON.parse(meshOf({ ...outputs, kubeconfig }).clouds[0]!.kubeconfig)).toMatchObject({
        contexts: [],
      });
  });

  it("tell how the clouds are connected, and what an agent's pods belong to", () => {
    const network = { mode: "tailscale", tailnet: "tail1a2b3c.ts.net", global: "https://g:8443" };
    const workload = { kind: "StatefulSet", name: "agentweave-worker-set" };
    const agents = { "aws/worker": { ...agent("aws", "worker"), workload } };
    const mesh = meshOf({ ...outputs, agents, network });
    expect(mesh.network).toEqual(network);
    expect(mesh.clouds[0]!.agents[0]!.workload).toEqual(workload);
  });

  it("tell where observability is", () => {
    expect(meshOf({ ...outputs, observability }).observability).toEqual(observability);
    const { message } = thrownBy(() =>
      meshOf({ ...outputs, observability: { ...observability, prometheus: { pod: "prometheus-0" } } }),
    );
    expect(message).toMatch(/observability\.prometheus\.namespace.*observability\.prometheus\.port/);
  });

  it("of an older version tell of no observability", () => {
    expect(meshOf(outputs).observability).toBeUndefined();
  });

  it("of an older version tell no network, and have Deployments", () => {
    const mesh = meshOf(outputs);
    expect(mesh.network).toBeUndefined();
    expect(mesh.clouds[1]!.agents[0]!.workload).toEqual({ kind: "Deployment", name: "agentweave-worker" });
  });

  it("with a network of a kind that is not known are refused with the kinds there are", () => {
    const { message } = thrownBy(() => meshOf({ ...outputs, network: { mode: "carrier-pigeon" } }));
    expect(message).toMatch(/network\.mode: .*tailscale.*vpn.*direct/);
  });

  it("that are empty tell to run an update", () => {
    expect(thrownBy(() => meshOf({})).message).toContain("pulumi up");
  });

  it("of another program are refused with every problem and how to take them", () => {
    const { message, exitCode } = thrownBy(() =>
      meshOf({ clouds: { aws: { ...cloud("aws"), trustDomain: 1 } }, kubeconfig: "" }),
    );
    expect(message).toContain("clouds.aws.trustDomain");
    expect(message).toContain("kubeconfig");
    expect(message).toContain("--show-secrets");
    expect(exitCode).toBe(2);
  });

  it("whose secrets were not shown say so, and a broken kubeconfig is not quoted", () => {
    for (const kubeconfig of ["[secret", "token: hunter2\n  : :"]) {
      const { message } = thrownBy(() => meshOf({ ...outputs, kubeconfig }));
      expect(message).toContain("--show-secrets");
      expect(message).not.toContain("hunter2");
    }
    // What Pulumi prints in place of a secret is YAML of a list.
    expect(thrownBy(() => meshOf({ ...outputs, kubeconfig: "[secret]" })).message).toContain(
      "--show-secrets",
    );
  });
});

describe("The name of an agent", () => {
  const mesh = meshOf(outputs);
  const found = (name: string, role?: string) => agentNamed(mesh, name, role).agent.role;

  it("is a cloud and a role", () => expect(found("aws/orchestrator")).toBe("orchestrator"));

  it("without a role is the agent of that cloud, else its first", () => {
    expect(found("aws")).toBe("agent");
    expect(found("gcp")).toBe("worker");
    expect(usualAgent(mesh.clouds[2]!)).toBeUndefined();
  });

  it("takes its role from elsewhere when it has none of its own", () => {
    expect(found("aws", "orchestrator")).toBe("orchestrator");
    expect(found("aws/agent", "orchestrator")).toBe("agent");
  });

  it.each([
    ["azure", "one of: aws, gcp, bare"],
    ["aws/worker", "aws/orchestrator, aws/agent"],
    ["aws/agent/x", "aws/orchestrator, aws/agent"],
    ["bare", "bare has no agents"],
  ])("that is unknown (%s) is answered with those there are", (name, words) => {
    const { message, exitCode } = thrownBy(() => agentNamed(mesh, name));
    expect(message).toContain(words);
    expect(exitCode).toBe(2);
  });
});
