// What a mesh has otherwise in an existing cluster: by the settings for it, in one of two clouds.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { parseConfig } from "../../infra/config";
import { AgentMesh } from "../../infra/mesh";
import { CA_DATA } from "../support/kubeconfig";
import { record, type Recording } from "../../infra/plan/recorder";

const FAKES = {
  outputs: {
    "kubernetes:core/v1:Service": { status: { loadBalancer: { ingress: [{ hostname: "lb.example.com" }] } } },
  },
};
const TOLERATIONS = [
  { key: "dedicated", operator: "Equal", value: "agents", effect: "NoSchedule" },
  { operator: "Exists", effect: "NoExecute", tolerationSeconds: 60 },
];

let dir: string;
let made: Recording;

function kubeconfig(cloud: string): string {
  const file = path.join(dir, cloud);
  const config = {
    clusters: [
      {
        name: "c",
        cluster: { server: `https://${cloud}.example.org`, "certificate-authority-data": CA_DATA },
      },
    ],
    users: [{ name: "u", user: { token: "t" } }],
    contexts: [{ name: `${cloud}-cluster`, context: { cluster: "c", user: "u" } }],
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

const existing = (cloud: string, second: number, more: object = {}) => ({
  provider: "existing",
  kubeconfig: kubeconfig(cloud),
  region: "here",
  podCidr: `10.${second}.0.0/16`,
  serviceCidr: `10.${second + 1}.0.0/16`,
  ...more,
});

beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "existing-mesh-"));
  const clouds = {
    plain: existing("plain", 60),
    special: existing("special", 62, {
      kubeletDirectory: "/var/lib/k0s/kubelet",
      tolerations: TOLERATIONS.map(({ operator, ...rest }) => ({
        ...rest,
        ...(operator === "Exists" && { operator }),
      })),
    }),
  };
  const raw = { clouds, network: { mode: "direct" }, observability: {} };
  const config = parseConfig(raw, { stack: "test", projectDir: dir });
  [, made] = await record(() => new AgentMesh("mesh", config), FAKES);
});
afterAll(() => rmSync(dir, { recursive: true }));

/** The pods of a cloud, by the names of their resources. */
const podsOf = (cloud: string, kinds: RegExp) =>
  made.resources
    .filter(({ type, name }) => kinds.test(type) && name.startsWith(`${cloud}-`))
    .map(({ name, inputs }) => [name, inputs.spec.template.spec] as const);

test("every pod tolerates what its cloud asks for, and no other cloud's does", () => {
  const special = podsOf("special", /:(Deployment|StatefulSet)$/);
  expect(special.length).toBeGreaterThan(4);
  for (const [name, { tolerations }] of special) expect([name, tolerations]).toEqual([name, TOLERATIONS]);
  for (const [name, { tolerations }] of podsOf("plain", /:(Deployment|StatefulSet)$/)) {
    expect([name, tolerations]).toEqual([name, undefined]);
  }
});

test("what a cluster has once under its name tells the stack that made it, or has a name that begins with the mesh's", () => {
  const scoped = made.resources.filter(
    ({ type, inputs }) =>
      type.startsWith("kubernetes:") && inputs.metadata.namespace === undefined && !type.includes("Patch"),
  );
  const named = (kind: string) => scoped.filter(({ type }) => type.endsWith(`:${kind}`));
  expect([named("Namespace").length, named("CSIDriver").length]).toEqual([10, 2]);
  for (const { name, inputs } of scoped) {
    const { annotations, name: object } = inputs.metadata;
    const own = /^agentweave-/.test(object) || annotations["agentweave.io/stack"] === "agentweave-mesh/test";
    expect([name, own]).toEqual([name, true]);
  }
});

test("what every node needs tolerates everything", () => {
  const everywhere = podsOf("special", /:DaemonSet$/);
  expect(everywhere).toHaveLength(2);
  for (const [name, { tolerations }] of everywhere) {
    expect([name, tolerations]).toEqual([name, [{ operator: "Exists" }]]);
  }
});

test.each([
  ["plain", "/var/lib/kubelet"],
  ["special", "/var/lib/k0s/kubelet"],
])("the CSI driver of %s is where its kubelets look for it", (cloud, kubelet) => {
  const [[, pod]] = podsOf(cloud, /:DaemonSet$/).filter(([name]) => name.endsWith("csi-driver")) as [
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- A pod as the monitor got it.
    readonly [string, any],
  ];
  const onHost = (pod.volumes as { name: string; hostPath: { path: string } }[]).map(
    ({ hostPath }) => hostPath.path,
  );
  expect(onHost.filter((directory) => !directory.startsWith("/run/"))).toEqual([
    `${kubelet}/plugins/csi.spiffe.io`,
    `${kubelet}/pods`,
    `${kubelet}/plugins_registry`,
  ]);
  // The kubelet names targets by the paths of the node.
  const [driver, registrar] = pod.containers;
  expect(driver.volumeMounts).toContainEqual(
    expect.objectContaining({ mountPath: `${kubelet}/pods`, mountPropagation: "Bidirectional" }),
  );
  expect(registrar.args).toContain(`--kubelet-registration-path=${kubelet}/plugins/csi.spiffe.io/csi.sock`);
});

test.each([
  ["key", { value: "agents" }, "is missing; write the taint's key"],
  ["value", { key: "a", operator: "Exists", value: "b" }, "is set beside operator: Exists"],
  ["tolerationSeconds", { key: "a", tolerationSeconds: 3 }, "is set without effect: NoExecute"],
])("a toleration that Kubernetes refuses is a mistake: %s", (field, toleration, message) => {
  const clouds = { onprem: existing("onprem", 60, { tolerations: [toleration] }) };
  expect(() =>
    parseConfig({ clouds, network: { mode: "direct" } }, { stack: "test", projectDir: dir }),
  ).toThrow(`clouds.onprem.tolerations[0].${field}: ${message}`);
});

test("a directory of kubelets that is no absolute path is a mistake", () => {
  const clouds = { onprem: existing("onprem", 60, { kubeletDirectory: "var/lib/kubelet/" }) };
  expect(() =>
    parseConfig({ clouds, network: { mode: "direct" } }, { stack: "test", projectDir: dir }),
  ).toThrow(/clouds\.onprem\.kubeletDirectory: .*an absolute path such as \/var\/lib\/kubelet/);
});
