import { KubeConfig } from "@kubernetes/client-node";

import { aksEndpoint, aksKubeconfig } from "../../../components/clouds/aks-kubeconfig";
import { eksKubeconfig } from "../../../components/clouds/eks-kubeconfig";
import { gkeKubeconfig } from "../../../components/clouds/gke-kubeconfig";
import { mergeKubeconfigs } from "../../../components/clouds/kubeconfig";
import { CA_DATA } from "../../support/kubeconfig";

const aws = eksKubeconfig({
  context: "aws-cluster",
  region: "us-east-1",
  clusterName: "agentweave-aws",
  endpoint: "https://ABC.gr7.us-east-1.eks.amazonaws.com",
  certificateAuthorityData: CA_DATA,
});
const gcp = gkeKubeconfig({
  context: "gcp-cluster",
  endpoint: "203.0.113.7",
  certificateAuthorityData: CA_DATA,
});
const azure = aksKubeconfig({
  context: "azure-cluster",
  server: "https://agentweave.hcp.eastus.azmk8s.io:443",
  certificateAuthorityData: CA_DATA,
});

function load(text: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromString(text);
  return config;
}

describe("a cloud's kubeconfig", () => {
  it.each([
    [
      "EKS",
      aws,
      "https://ABC.gr7.us-east-1.eks.amazonaws.com",
      "aws",
      ["--region", "us-east-1", "eks", "get-token", "--cluster-name", "agentweave-aws", "--output", "json"],
    ],
    ["GKE", gcp, "https://203.0.113.7", "gke-gcloud-auth-plugin", undefined],
    [
      "AKS",
      azure,
      "https://agentweave.hcp.eastus.azmk8s.io:443",
      "kubelogin",
      ["get-token", "--login", "azurecli", "--server-id", "6dae42f8-4368-4678-94ff-3960e28e3630"],
    ],
  ])("gets its token on %s from the cloud's own plugin and holds none", (_, text, server, command, args) => {
    const config = load(text);
    expect(config.getCurrentCluster()).toMatchObject({ server, caData: CA_DATA, skipTLSVerify: false });
    const user = config.getCurrentUser()!;
    expect(user.exec).toMatchObject({
      command,
      apiVersion: "client.authentication.k8s.io/v1beta1",
      interactiveMode: "Never",
    });
    expect(user.exec.args).toEqual(args);
    expect(user.exec.installHint).toBeTruthy();
    for (const credential of [user.token, user.password, user.certData, user.keyData, user.authProvider]) {
      expect(credential).toBeUndefined();
    }
  });
});

describe("aksEndpoint", () => {
  const userKubeconfig = (text: string) => Buffer.from(text).toString("base64");

  it("takes address and CA from the kubeconfig that Azure hands out, and no credential", () => {
    const text = `
apiVersion: v1
kind: Config
clusters: [{name: agentweave-azure, cluster: {server: "https://a.example:443", certificate-authority-data: ${CA_DATA}}}]
users: [{name: clusterUser, user: {token: a-token}}]
contexts: [{name: agentweave-azure, context: {cluster: agentweave-azure, user: clusterUser}}]
current-context: agentweave-azure
`;
    expect(aksEndpoint(userKubeconfig(text))).toEqual({
      server: "https://a.example:443",
      certificateAuthorityData: CA_DATA,
    });
  });

  it.each([
    ["nothing", undefined],
    ["a kubeconfig without clusters", userKubeconfig("apiVersion: v1\nkind: Config\n")],
    [
      "a cluster without a CA",
      userKubeconfig("kind: Config\nclusters: [{name: a, cluster: {server: https://a}}]"),
    ],
  ])("refuses %s", (_, text) => {
    expect(() => aksEndpoint(text)).toThrow(/names no API server/);
  });
});

describe("mergeKubeconfigs", () => {
  it("makes one kubeconfig with a context for each cloud, its own cluster and user behind it", () => {
    const config = load(
      mergeKubeconfigs([
        { context: "aws-cluster", kubeconfig: aws },
        { context: "gcp-cluster", kubeconfig: gcp },
        { context: "azure-cluster", kubeconfig: azure },
      ]),
    );
    expect(config.getContexts().map((c) => c.name)).toEqual(["aws-cluster", "gcp-cluster", "azure-cluster"]);
    expect(config.getCurrentContext()).toBe("aws-cluster");
    config.setCurrentContext("gcp-cluster");
    expect(config.getCurrentCluster()?.server).toBe("https://203.0.113.7");
    expect(config.getCurrentUser()?.exec.command).toBe("gke-gcloud-auth-plugin");
    config.setCurrentContext("azure-cluster");
    expect(config.getCurrentUser()?.exec.command).toBe("kubelogin");
  });

  it("keeps apart clusters and users that have one name in their own kubeconfigs", () => {
    const kind = (context: string, server: string) => `
apiVersion: v1
kind: Config
clusters: [{name: default, cluster: {server: "${server}"}}, {name: unused, cluster: {server: "https://unused"}}]
users: [{name: admin, user: {token: "${context}-token"}}]
contexts: [{name: ${context}, context: {cluster: default, user: admin, namespace: spire}}]
`;
    const merged = mergeKubeconfigs([
      { context: "a", kubeconfig: kind("a", "https://a.example") },
      { context: "b", kubeconfig: kind("b", "https://b.example") },
    ]);
    const config = load(merged);
    config.setCurrentContext("b");
    expect(config.getCurrentCluster()?.server).toBe("https://b.example");
    expect(config.getCurrentUser()?.token).toBe("b-token");
    expect(config.getContextObject("b")?.namespace).toBe("spire");
    config.setCurrentContext("a");
    expect(config.getCurrentUser()?.token).toBe("a-token");
    expect(merged).not.toContain("unused");
  });

  it("refuses a context that comes twice", () => {
    const part = { context: "aws-cluster", kubeconfig: aws };
    expect(() => mergeKubeconfigs([part, part])).toThrow('two kubeconfigs have the context "aws-cluster"');
  });

  it("refuses what is no kubeconfig", () => {
    expect(() => mergeKubeconfigs([{ context: "a", kubeconfig: "just text" }])).toThrow("not a kubeconfig");
  });
});
