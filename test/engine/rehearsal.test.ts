// The whole rehearsal from end to end, on API servers and SPIRE servers of its own: what `make rehearse` does, and more.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { dump } from "js-yaml";
import { isRunning, stopStarted } from "../../rehearsal/clouds";
import { down, engineOf, preview, type Rehearsal, rehearse, type Report } from "../../rehearsal/rehearsal";

const PROJECT = path.resolve(__dirname, "../..");
const MINUTES = 60_000;

/** A stack of clouds of these names, each with address ranges of its own. */
function writeStack({ config, root }: Rehearsal, names: string[]): void {
  const clouds = Object.fromEntries(
    names.map((name) => {
      const second = 60 + 2 * ["aws", "gcp", "azure", "onprem"].indexOf(name);
      return [
        name,
        {
          provider: "existing",
          kubeconfig: path.join(root, name, "kubeconfig"),
          region: `region-of-${name}`,
          podCidr: `10.${second}.0.0/16`,
          serviceCidr: `10.${second + 1}.0.0/16`,
        },
      ];
    }),
  );
  const entries = { "pulumi:disable-default-providers": ["kubernetes"], "agentweave-mesh:clouds": clouds };
  writeFileSync(config, dump({ config: entries }));
}

/** Pid and start time of a cloud's SPIRE server. */
function serverProcess({ root }: Rehearsal, cloud: string): string {
  return readFileSync(path.join(root, cloud, "pods", "spire_spire-server-0", "spire-server.pid"), "utf8");
}

function expectProven({ proofs }: Report, clouds: number): void {
  expect(proofs.filter(({ failure }) => failure !== undefined)).toEqual([]);
  expect(proofs).toHaveLength(clouds * (clouds - 1));
  for (const { stored, served } of proofs) {
    expect(stored).toMatch(/^[0-9a-f]{64}$/);
    expect(stored).toBe(served);
  }
}

/** Names of what the mesh left in a cluster: its namespaces, and its objects outside of namespaces. */
async function remains(kubeconfig: string): Promise<string[]> {
  const k8s = await import("@kubernetes/client-node");
  const config = new k8s.KubeConfig();
  config.loadFromFile(kubeconfig);
  const ours = { labelSelector: "app.kubernetes.io/part-of=agentweave-mesh" };
  const core = config.makeApiClient(k8s.CoreV1Api);
  const rbac = config.makeApiClient(k8s.RbacAuthorizationV1Api);
  const storage = config.makeApiClient(k8s.StorageV1Api);
  const lists = await Promise.all([
    core.listNamespace(ours),
    rbac.listClusterRole(ours),
    rbac.listClusterRoleBinding(ours),
    storage.listCSIDriver(ours),
    core.listPersistentVolumeClaimForAllNamespaces(),
  ]);
  return lists.flatMap(({ items }) => items.map(({ kind, metadata }) => `${kind} ${metadata?.name}`));
}

describe("the rehearsal", () => {
  let rehearsal: Rehearsal;

  beforeAll(() => {
    mkdirSync(path.join(PROJECT, ".rehearsal"), { recursive: true });
    const root = mkdtempSync(path.join(PROJECT, ".rehearsal", "test-"));
    rehearsal = {
      project: PROJECT,
      stack: "rehearsal",
      config: path.join(root, "Pulumi.rehearsal.yaml"),
      root,
    };
    writeStack(rehearsal, ["aws", "gcp", "azure"]);
  });

  afterAll(async () => {
    await stopStarted();
    await down(rehearsal);
  }, 2 * MINUTES);

  test(
    "stands up three clouds that trust each other",
    async () => {
      const report = await rehearse(rehearsal);
      expect(report.started.sort()).toEqual(["aws", "azure", "gcp"]);
      expect(report.changes.create).toBeGreaterThan(30);
      expectProven(report, 3);
    },
    10 * MINUTES,
  );

  test(
    "changes nothing when it is run again",
    async () => {
      const before = ["aws", "gcp", "azure"].map((cloud) => serverProcess(rehearsal, cloud));
      const report = await rehearse(rehearsal);
      expect(report.started).toEqual([]);
      expect(report.changes).toMatchObject({ create: 0, update: 0, replace: 0, delete: 0 });
      expectProven(report, 3);
      expect(["aws", "gcp", "azure"].map((cloud) => serverProcess(rehearsal, cloud))).toEqual(before);
    },
    5 * MINUTES,
  );

  test(
    "lets a fourth cloud join without a restart of the others",
    async () => {
      const before = ["aws", "gcp", "azure"].map((cloud) => serverProcess(rehearsal, cloud));
      writeStack(rehearsal, ["aws", "gcp", "azure", "onprem"]);
      const report = await rehearse(rehearsal);
      expect(report.started).toEqual(["onprem"]);
      expect(report.changes).toMatchObject({ update: 0, replace: 0, delete: 0 });
      expectProven(report, 4);
      expect(["aws", "gcp", "azure"].map((cloud) => serverProcess(rehearsal, cloud))).toEqual(before);
    },
    5 * MINUTES,
  );

  test(
    "lets a cloud leave, and the others forget it",
    async () => {
      writeStack(rehearsal, ["aws", "gcp", "onprem"]);
      const planned = await preview(rehearsal);
      expect(planned).toMatchObject({ create: 0, update: 0, replace: 0 });
      const report = await rehearse(rehearsal);
      expect(report.changes.delete).toBe(planned.delete);
      expect(report.left).toEqual(["azure"]);
      expect(existsSync(path.join(rehearsal.root, "azure"))).toBe(false);
      expectProven(report, 3);
    },
    5 * MINUTES,
  );

  test(
    "leaves nothing in any cluster when it is destroyed",
    async () => {
      await (await engineOf(rehearsal)).destroy();
      for (const cloud of ["aws", "gcp", "onprem"]) {
        expect(await remains(path.join(rehearsal.root, cloud, "kubeconfig"))).toEqual([]);
      }
    },
    5 * MINUTES,
  );

  test(
    "leaves no process and no file when it is taken down",
    async () => {
      const clouds = ["aws", "gcp", "onprem"].map((name) => path.join(rehearsal.root, name));
      expect(clouds.filter(isRunning)).toEqual(clouds);
      await down(rehearsal);
      expect(clouds.filter((dir) => isRunning(dir) || existsSync(dir))).toEqual([]);
    },
    2 * MINUTES,
  );
});
