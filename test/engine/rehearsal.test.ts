// The whole rehearsal from end to end, on API servers and SPIRE servers of its own: what `make rehearse` does, and more.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { execInPod } from "../../components/trust/exec";
import { NAMESPACES, OPA } from "../../components/well-known";
import { CliError } from "../../cli/errors";
import { meshCall } from "../../cli/call";
import { memberOf } from "../../cli/member";
import { connectKubernetes } from "../../cli/cluster";
import { type Mesh, meshOf } from "../../cli/mesh-outputs";
import type { VerifyReport } from "../../cli/report";
import { runInServer, SERVER_PLACE, serverCommand } from "../../cli/spire";
import { verifyMesh } from "../../cli/verify";
import { isRunning, stopStarted } from "../../rehearsal/clouds";
import { scale } from "../../rehearsal/scale";
import { down, engineOf, preview, type Rehearsal, rehearse, type Report } from "../../rehearsal/rehearsal";
import { observabilityTests } from "./observability-suite";
import { PROJECT, writeStack } from "./stack";

const MINUTES = 60_000;

/** Pid and start time of a cloud's SPIRE server. */
function serverProcess({ root }: Rehearsal, cloud: string): string {
  return readFileSync(path.join(root, cloud, "pods", "spire_spire-server-0", "spire-server.pid"), "utf8");
}

/** Everything proven, between all of so many clouds. */
function expectProven({ verified, calls, observability }: Report, clouds: number): void {
  const checks = [...verified.clouds, ...verified.pairs].flatMap((each): readonly object[] => each.checks);
  expect(checks.filter((check) => (check as { status: string }).status !== "ok")).toEqual([]);
  expect(verified.pairs).toHaveLength(clouds * (clouds - 1));
  for (const { stored, served } of verified.pairs) {
    expect(stored).toMatch(/^[0-9a-f]{64}$/);
    expect(stored).toBe(served);
  }
  expect(calls.pings).toHaveLength(clouds * clouds);
  const proofs = [...calls.pings, ...calls.others, ...observability!.steps];
  expect(proofs.filter(({ failure }) => failure !== undefined)).toEqual([]);
}

/** The mesh as the command line finds it. */
function meshOn({ root }: Rehearsal): Mesh {
  return meshOf(JSON.parse(readFileSync(path.join(root, "outputs.json"), "utf8")));
}

/** What `mesh verify` says is wrong: `<place> <check>` with its cause. */
function troubles(report: VerifyReport): Record<string, string> {
  const places = [
    ...report.clouds.map(({ cloud, checks }) => ({ place: cloud, checks })),
    ...report.pairs.map(({ target, source, checks }) => ({ place: `${target} trusts ${source}`, checks })),
  ];
  return Object.fromEntries(
    places.flatMap(({ place, checks }) =>
      checks
        .filter(({ status }) => status === "failed")
        .map(({ check, cause, next }) => {
          expect(cause).toBeTruthy();
          expect(next).toBeTruthy();
          return [`${place} ${check}`, cause!];
        }),
    ),
  );
}

/** Who may reach OPA's API by the cluster's policies; undefined stands for everybody. */
async function opaAdmits(kubeconfig: string): Promise<unknown[]> {
  const k8s = await import("@kubernetes/client-node");
  const config = new k8s.KubeConfig();
  config.loadFromFile(kubeconfig);
  const { items } = await config
    .makeApiClient(k8s.NetworkingV1Api)
    .listNamespacedNetworkPolicy({ namespace: NAMESPACES.opa });
  return items
    .flatMap(({ spec }) => spec?.ingress ?? [])
    .filter(({ ports }) => ports?.some(({ port }) => port === OPA.port))
    .flatMap(({ _from }) => _from ?? [undefined]);
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
  /** Of the first run. */
  let report: Report | undefined;

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
      report = await rehearse(rehearsal);
      expect(report.started.sort()).toEqual(["aws", "azure", "gcp"]);
      expect(report.changes.create).toBeGreaterThan(30);
      expectProven(report, 3);
      const admitted = await opaAdmits(path.join(rehearsal.root, "aws", "kubeconfig"));
      expect(admitted.length).toBeGreaterThan(0);
      expect(admitted).not.toContain(undefined);
    },
    10 * MINUTES,
  );

  test("has proven the round trip through all clouds, what the policy allows and denies, and a failover", async () => {
    const { calls } = report!;
    expect(calls.others.map(({ what }) => what)).toEqual([
      "aws/orchestrator may call gcp/worker: echo",
      "gcp/worker may not call aws/orchestrator: echo",
      "round trip aws/agent → gcp/agent → azure/agent → aws/agent",
      "aws/agent calls any worker while azure/worker is down: gcp/worker answers",
    ]);
    const id = (cloud: string) => `spiffe://${cloud}.example.org/region/${cloud}-region-of-${cloud}/agent`;
    expect(calls.others[2]!.hops!.map(({ agent, caller }) => [agent, caller])).toEqual([
      [id("aws"), "spiffe://aws.example.org/operator/mesh"],
      [id("gcp"), id("aws")],
      [id("azure"), id("gcp")],
      [id("aws"), id("azure")],
    ]);
  });

  test(
    "is called by the command line, whose outputs only their owner can read",
    async () => {
      expect(statSync(path.join(rehearsal.root, "outputs.json")).mode & 0o777).toBe(0o600);
      const { hops, result } = await meshCall(meshOn(rehearsal), {
        from: "aws",
        to: "gcp",
        capability: "ping",
      });
      expect(result).toMatchObject({ pong: true, caller: hops[1]!.caller, agent: hops[1]!.agent });
      expect(hops[1]).toMatchObject({
        agent: "spiffe://gcp.example.org/region/gcp-region-of-gcp/agent",
        caller: "spiffe://aws.example.org/region/aws-region-of-aws/agent",
      });
    },
    MINUTES,
  );

  observabilityTests({
    mesh: () => meshOn(rehearsal),
    outputs: () => path.join(rehearsal.root, "outputs.json"),
    report: () => report!,
    troubles: async () => troubles(await verifyMesh(meshOn(rehearsal))),
  });

  test(
    "is told by the command line that OPA is down, and then nothing is allowed",
    async () => {
      const mesh = meshOn(rehearsal);
      const gcp = mesh.clouds.find(({ name }) => name === "gcp")!;
      const restore = await scale(gcp, { kind: "Deployment", namespace: "opa", name: "opa" }, 0);
      try {
        await expect(meshCall(mesh, { from: "aws", to: "gcp", capability: "ping" })).rejects.toThrow(
          CliError,
        );
        const found = troubles(await verifyMesh(mesh));
        expect(found["gcp policy"]).toBeDefined();
        expect(found["aws trusts gcp ping"]).toMatch(/policy unavailable/i);
        expect(Object.keys(found).filter((key) => !key.includes("gcp"))).toEqual([]);
      } finally {
        await restore();
      }
      expect(troubles(await verifyMesh(mesh))).toEqual({});
    },
    5 * MINUTES,
  );

  test(
    "is told by the command line of a bundle that was replaced, and the next run mends it",
    async () => {
      const mesh = meshOn(rehearsal);
      const [aws, azure, gcp] = mesh.clouds.map((cloud) => memberOf(cloud, connectKubernetes, 30_000));
      const own = await runInServer(azure!.cluster, 30_000)(["bundle", "show", "-format", "spiffe"]);
      const id = `spiffe://${gcp!.cloud.trustDomain}`;
      const { exitCode } = await execInPod(
        { cloud: "aws", ...SERVER_PLACE },
        aws!.cloud.kubeconfig,
        serverCommand(["bundle", "set", "-id", id, "-format", "spiffe"]),
        own.stdout,
        30_000,
      );
      expect(exitCode).toBe(0);
      const found = troubles(await verifyMesh(mesh));
      // Authenticated with a bundle that is not gcp's, gcp's own endpoint is a stranger. Pings both ways may fail by then too.
      expect(found["aws trusts gcp endpoint"]).toBeDefined();
      expect(Object.keys(found).filter((key) => !/aws trusts gcp|gcp trusts aws ping/.test(key))).toEqual([]);
      const report = await rehearse(rehearsal);
      // Nothing else has anything to be mended after all that the tests before have broken.
      expect(report.changes).toMatchObject({ create: 0, update: 1, replace: 0, delete: 0 });
      expectProven(report, 3);
    },
    5 * MINUTES,
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
      // Of each agent its entry, configuration and pods, which now name the new cloud, and of each OPA its data and pods.
      const calls = 3 * 6 + 2 * 3;
      // Of each trust exporter the same three, of each collector its entry; at home the trace store's entry and pod,
      // Prometheus' configuration and pod, the token renewer's configuration, rights and pod, and Grafana's dashboards.
      const seen = 3 * 3 + 3 + 2 + 2 + 3 + 1;
      expect(report.changes).toMatchObject({ update: calls + seen, replace: 0, delete: 0 });
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
      expect(planned).toMatchObject({ create: 0, replace: 0 });
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
