import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { KubeConfig } from "@kubernetes/client-node";
import * as pulumi from "@pulumi/pulumi";

import { ExistingCluster } from "../../../components/clouds/existing";
import {
  kubeconfigReference,
  placeOf,
  readKubeconfig,
  resolveKubeconfig,
} from "../../../components/clouds/kubeconfig-file";
import { CA, CA_DATA, CA_KEY, CA_KEY_DATA } from "../../support/kubeconfig";
import { record, unwrapSecret, valueOf } from "../../../infra/plan/recorder";

const KUBECONFIG = `
apiVersion: v1
kind: Config
current-context: other
clusters:
- name: kind
  cluster: { server: "https://127.0.11.1:6443", certificate-authority: pki/ca.crt }
- name: elsewhere
  cluster: { server: "https://elsewhere.example.org" }
users:
- name: admin
  user: { client-certificate: admin.crt, client-key: admin.key }
- name: other
  user: { token: token-of-another-cluster }
- name: plugin
  user: { exec: { apiVersion: client.authentication.k8s.io/v1, command: ./bin/token, interactiveMode: Never } }
- name: file
  user: { tokenFile: token }
contexts:
- name: aws-cluster
  context: { cluster: kind, user: admin, namespace: spire }
- name: other
  context: { cluster: elsewhere, user: other }
- name: plugin
  context: { cluster: elsewhere, user: plugin }
- name: file
  context: { cluster: elsewhere, user: file }
- name: broken
  context: { cluster: gone, user: admin }
`;

let dir: string;
let path: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "kubeconfig-"));
  path = join(dir, "config");
  writeFileSync(path, KUBECONFIG.replace("pki/", ""));
  writeFileSync(join(dir, "ca.crt"), CA);
  writeFileSync(join(dir, "admin.crt"), CA);
  writeFileSync(join(dir, "admin.key"), CA_KEY);
  writeFileSync(join(dir, "token"), "the token\n");
});
afterAll(() => rmSync(dir, { recursive: true }));

describe("readKubeconfig", () => {
  it("keeps the given context alone, makes it current, and reads its files in", () => {
    const config = new KubeConfig();
    config.loadFromString(readKubeconfig(path, "aws-cluster"));
    expect(config.getCurrentContext()).toBe("aws-cluster");
    expect(config.getContexts()).toHaveLength(1);
    expect(config.getContextObject("aws-cluster")?.namespace).toBe("spire");
    expect(config.getClusters()).toHaveLength(1);
    expect(config.getCurrentCluster()?.server).toBe("https://127.0.11.1:6443");
    expect(config.getCurrentCluster()?.caData).toBe(CA_DATA);
    expect(config.getCurrentUser()?.certData).toBe(CA_DATA);
    expect(config.getCurrentUser()?.keyData).toBe(CA_KEY_DATA);
    expect(readKubeconfig(path, "aws-cluster")).not.toContain("token-of-another-cluster");
    expect(readKubeconfig(path, "aws-cluster")).not.toContain("admin.key");
  });

  it("gives a plugin named by a relative path its full path", () => {
    expect(JSON.parse(readKubeconfig(path, "plugin")).users[0].user.exec.command).toBe(
      join(dir, "bin/token"),
    );
  });

  it("reads a token file in", () => {
    expect(JSON.parse(readKubeconfig(path, "file")).users[0].user).toEqual({ token: "the token" });
  });

  it("names the contexts there are when the given one is missing", () => {
    expect(() => readKubeconfig(path, "gcp-cluster")).toThrow(
      `kubeconfig ${path}: no context "gcp-cluster" in the kubeconfig; it has: aws-cluster, other, plugin, file, broken`,
    );
  });

  it("names what a context refers to in vain", () => {
    expect(() => readKubeconfig(path, "broken")).toThrow(
      'context "broken" refers to cluster "gone", which is missing',
    );
  });

  it("names the file that is missing", () => {
    expect(() => readKubeconfig(join(dir, "none"), "aws-cluster")).toThrow(/none.*no such file/);
  });

  it("quotes nothing of a file that it cannot parse", () => {
    const bad = join(dir, "bad");
    writeFileSync(bad, "kind: Config\nusers: [{user: {token: very-secret}}\n  bad: : indent\n");
    let message = "";
    try {
      readKubeconfig(bad, "aws-cluster");
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain(bad);
    expect(message).not.toContain("very-secret");
  });
});

describe("a reference to a kubeconfig", () => {
  const root = resolve(__dirname, "../../..");

  it("has nothing of the file but its place, and is resolved to what is there at that time", () => {
    const moving = join(dir, "moving");
    copyFileSync(path, moving);
    const reference = kubeconfigReference(moving, "aws-cluster", "existing/here/aws");
    expect(JSON.parse(reference)).toEqual({
      file: moving,
      context: "aws-cluster",
      cluster: "existing/here/aws",
      server: "https://127.0.11.1:6443",
    });
    rmSync(moving);
    expect(() => resolveKubeconfig(reference)).toThrow(/moving.*no such file/);
    copyFileSync(path, moving);
    expect(resolveKubeconfig(reference)).toBe(readKubeconfig(path, "aws-cluster"));
  });

  it("is not followed into another cluster, nor taken for that one's", () => {
    const exchanged = join(dir, "exchanged");
    copyFileSync(path, exchanged);
    const reference = kubeconfigReference(exchanged, "aws-cluster", "existing/here/aws");
    const other = readFileSync(path, "utf8").replace("127.0.11.1:6443", "other.example.org");
    writeFileSync(exchanged, other);
    expect(() => resolveKubeconfig(reference)).toThrow(
      /exchanged: context "aws-cluster" is of https:\/\/other\.example\.org, and was of https:.* when it was last used/,
    );
    expect(kubeconfigReference(exchanged, "aws-cluster", "existing/here/aws")).not.toBe(reference);
    expect(kubeconfigReference(path, "aws-cluster", "existing/here/a")).not.toBe(
      kubeconfigReference(path, "aws-cluster", "existing/here/b"),
    );
  });

  it("tells a place in the project or at home from there, as it is on every machine", () => {
    expect(placeOf(join(root, "kubeconfigs/onprem"))).toBe("kubeconfigs/onprem");
    expect(placeOf(join(homedir(), ".kube/config"))).toBe("~/.kube/config");
    for (const file of ["none-of-the-project", "~/none-at-home"]) {
      const there = file.replace("~", homedir());
      expect(() => resolveKubeconfig(JSON.stringify({ file, context: "c" }))).toThrow(
        `kubeconfig ${resolve(root, there)}: `,
      );
    }
  });

  it("is not taken for one when it is a kubeconfig itself", () => {
    for (const text of ["kind: Config", readKubeconfig(path, "aws-cluster"), "null", ""]) {
      expect(resolveKubeconfig(text)).toBe(text);
    }
  });
});

describe("ExistingCluster", () => {
  const build = (preview = false) =>
    record(
      () =>
        new ExistingCluster("aws", {
          kubeconfig: path,
          context: "aws-cluster",
          clusterName: "agentweave-aws",
          region: "us-east-1",
          kubernetesVersion: "1.32",
          podCidr: "10.10.0.0/16",
          serviceCidr: "10.11.0.0/16",
          loadBalancer: { annotations: { "example.org/public": "yes" }, class: "example.org/lb" },
          storageClass: "standard",
        }),
      { preview },
    );

  it("registers nothing but itself and a provider with the kubeconfig as a secret", async () => {
    const [cluster, made] = await build();
    expect(made.resources.map((r) => r.type).sort()).toEqual([
      "agentweave:clouds:ExistingCluster",
      "pulumi:providers:kubernetes",
    ]);
    const provider = made.one("pulumi:providers:kubernetes");
    expect(provider.parent).toBe(made.one("agentweave:clouds:ExistingCluster").urn);
    expect(unwrapSecret(provider.inputs.kubeconfig)).toBe(readKubeconfig(path, "aws-cluster"));
    expect(provider.inputs.clusterIdentifier).toBe("existing/us-east-1/agentweave-aws");
    expect(provider.inputs.enableServerSideApply).toBe("true");
    expect(made.one("agentweave:clouds:ExistingCluster").inputs).toEqual({});
    expect(await pulumi.isSecret(cluster.kubeconfig)).toBe(true);
  });

  it("gives dynamic resources the place of its credentials, and not them", async () => {
    const [cluster] = await build(true);
    expect(await valueOf(cluster.credentials)).toBe(
      kubeconfigReference(path, "aws-cluster", "existing/us-east-1/agentweave-aws"),
    );
    expect(await pulumi.isSecret(cluster.credentials)).toBe(true);
  });

  it("tells of a file that is missing as of a user's mistake, without a stack", async () => {
    const [error] = await record(() => {
      try {
        return new ExistingCluster("aws", {
          kubeconfig: join(dir, "none"),
          context: "aws-cluster",
          clusterName: "agentweave-aws",
          region: "us-east-1",
          podCidr: "10.10.0.0/16",
          serviceCidr: "10.11.0.0/16",
        });
      } catch (thrown) {
        return thrown;
      }
    });
    expect(error).toBeInstanceOf(pulumi.RunError);
  });

  it("hands on what the configuration says of the cluster", async () => {
    const [cluster] = await build();
    expect(await valueOf(cluster.kubernetesVersion!)).toBe("1.32");
    expect(cluster).toMatchObject({
      name: "aws",
      region: "us-east-1",
      context: "aws-cluster",
      podCidr: "10.10.0.0/16",
      serviceCidr: "10.11.0.0/16",
      loadBalancerAnnotations: { "example.org/public": "yes" },
      loadBalancerClass: "example.org/lb",
      storageClassName: "standard",
    });
  });

  it("asks for load balancers in its one way, and hands on its gateway, whose ranges are the cluster's too", async () => {
    const [cluster] = await record(
      () =>
        new ExistingCluster("aws", {
          kubeconfig: path,
          context: "aws-cluster",
          clusterName: "agentweave-aws",
          region: "us-east-1",
          podCidr: "10.10.0.0/16",
          serviceCidr: "10.11.0.0/16",
          loadBalancer: { annotations: { "example.org/reachable": "yes" }, class: "example.org/lb" },
          vpn: { gatewayAddresses: ["198.51.100.7"], asn: 64600, ranges: ["10.12.0.0/24"] },
          egressCidrs: ["198.51.100.9/32"],
        }),
    );
    expect(await valueOf(cluster.egressCidrs!)).toEqual(["198.51.100.9/32"]);
    expect(cluster.internalLoadBalancerAnnotations).toEqual({ "example.org/reachable": "yes" });
    expect(cluster.internalLoadBalancerClass).toBe("example.org/lb");
    expect(cluster.sourceCidrs).toEqual(["10.10.0.0/16", "10.12.0.0/24"]);
    expect(cluster.privateNetwork).toEqual({
      provider: "existing",
      gateway: { addresses: ["198.51.100.7"], asn: 64600, sharedKey: undefined },
    });
  });

  it("knows its kubeconfig at preview", async () => {
    const [cluster] = await build(true);
    expect(await valueOf(cluster.kubeconfig)).toBe(readKubeconfig(path, "aws-cluster"));
  });
});
