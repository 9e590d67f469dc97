import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(__dirname, "../../..");

/** Stands the cloud up under mocks in a Node process of its own and tells which cloud SDKs it loaded. */
function sdksLoadedFor(args: object): string[] {
  const program = `
    const pulumi = require("@pulumi/pulumi");
    pulumi.runtime.setMocks({
      newResource: ({ name, inputs }) => ({ id: name + "-id", state: inputs }),
      call: ({ token }) => { throw new Error("Mock not implemented: " + token); },
    }, "agentweave-mesh", "test", true);
    const { createCluster } = require("./load")(process.cwd() + "/components/clouds/index.ts");
    createCluster(${JSON.stringify(args)});
    const sdks = Object.keys(require.cache).map((file) => /node_modules.@pulumi.(aws|eks|gcp|azure-native)\\b/.exec(file)?.[1]);
    console.log(JSON.stringify([...new Set(sdks.filter(Boolean))].sort()));
  `;
  const out = execFileSync(process.execPath, ["-e", program], {
    cwd: ROOT,
    encoding: "utf8",
  });
  return JSON.parse(out.trim().split("\n").at(-1)!);
}

describe("createCluster", () => {
  let dir: string;
  beforeAll(() => (dir = mkdtempSync(join(tmpdir(), "clouds-"))));
  afterAll(() => rmSync(dir, { recursive: true }));

  it("loads no cloud's SDK for an existing cluster", () => {
    const kubeconfig = join(dir, "config");
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        kind: "Config",
        clusters: [{ name: "a", cluster: { server: "https://127.0.0.1:6443" } }],
        users: [{ name: "a", user: { token: "t" } }],
        contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
      }),
    );
    const existing = {
      context: "a",
      clusterName: "a",
      region: "here",
      podCidr: "10.0.0.0/16",
      serviceCidr: "10.1.0.0/16",
    };
    expect(sdksLoadedFor({ provider: "existing", name: "a", kubeconfig, ...existing })).toEqual([]);
  }, 120_000);

  it("loads Google Cloud's SDK alone for a cluster on Google Cloud", () => {
    const ranges = {
      nodeCidr: "10.20.0.0/20",
      podCidr: "10.21.0.0/16",
      serviceCidr: "10.22.0.0/20",
      controlPlaneCidr: "10.23.0.0/28",
    };
    const gcp = {
      context: "gcp-cluster",
      clusterName: "agentweave-gcp",
      project: "your-project-id",
      zone: "us-central1-a",
      releaseChannel: "REGULAR",
      nodes: { count: 3, machineType: "e2-standard-2" },
      network: ranges,
    };
    expect(sdksLoadedFor({ provider: "gcp", name: "gcp", ...gcp })).toEqual(["gcp"]);
  }, 120_000);
});
