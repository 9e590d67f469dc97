// The whole rehearsal from end to end, on clouds of its own: what `make rehearse` does, and more.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { execInPod } from "../../components/trust/exec";
import { NAMESPACES, OPA, SPIRE_SERVER } from "../../components/well-known";
import { CliError } from "../../cli/errors";
import { meshCall } from "../../cli/call";
import { memberOf } from "../../cli/member";
import { connectKubernetes } from "../../cli/cluster";
import { type Mesh, meshOf } from "../../cli/mesh-outputs";
import type { VerifyReport } from "../../cli/report";
import { runInServer, SERVER_PLACE, serverCommand } from "../../cli/spire";
import { verifyMesh } from "../../cli/verify";
import { isRunning } from "../../rehearsal/machine/cloud";
import { runningIn, sweep } from "../../rehearsal/machine/world";
import type { Changes } from "../../rehearsal/machine/engine";
import { scale } from "../../rehearsal/proof/scale";
import { until } from "../../rehearsal/proof/steps";
import type { Report } from "../../rehearsal/rehearsal";
import { kill, processesNamed } from "./kill";
import { NODES, nodesOfWorkloads, nodeTests } from "./nodes-suite";
import { laterObservabilityTests, observabilityTests } from "./observability-suite";
import { type Place, placeOf, rehearsed, ROOT, writeStack } from "./stack";

const MINUTES = 60_000;

/** How many resources the state has when an update is killed: SPIRE and observability are being made. The campaign kills the trust layer's. */
const KILLED_AT = [60, 290];

/** Programs of the home cloud that are killed one after the other. `node` is every agent, exporter and renewer at once, `envoy` every relay. */
const PARTS = [
  ...[
    "spire-server",
    "spire-agent",
    "spiffe-csi-driver",
    "opa",
    "node",
    "envoy",
    "otelcol-k8s",
    "jaeger-linux",
    "prometheus",
  ],
  ...["kubelet", "containerd", "etcd", "kube-apiserver", "coredns", "kube-proxy", "kube-router"],
];

/** The container of a cloud's SPIRE server: another one has another id. */
async function serverContainer({ root }: Place, cloud: string): Promise<string | undefined> {
  const k8s = await import("@kubernetes/client-node");
  const config = new k8s.KubeConfig();
  config.loadFromFile(path.join(root, cloud, "kubeconfig"));
  const pod = { namespace: NAMESPACES.spireServer, name: SPIRE_SERVER.pod };
  const { status } = await config.makeApiClient(k8s.CoreV1Api).readNamespacedPod(pod);
  return status?.containerStatuses?.[0]?.containerID;
}

const servers = (place: Place) =>
  Promise.all(["aws", "gcp", "azure"].map((name) => serverContainer(place, name)));

/** Number of resources in the state. */
function recorded({ root }: Place): number {
  const file = path.join(root, "engine/state/.pulumi/stacks/agentweave-mesh/rehearsal.json");
  if (!existsSync(file)) return 0;
  const { checkpoint } = JSON.parse(readFileSync(file, "utf8")) as {
    checkpoint: { latest?: { resources?: unknown[] } };
  };
  return checkpoint.latest?.resources?.length ?? 0;
}

/** Everything proven that was tried, between all of so many clouds. */
function expectProven({ verified, calls, machine, observability }: Report, clouds: number): void {
  const checks = [...verified.clouds, ...verified.pairs].flatMap((each): readonly object[] => each.checks);
  expect(checks.filter((check) => (check as { status: string }).status !== "ok")).toEqual([]);
  expect(verified.pairs).toHaveLength(clouds * (clouds - 1));
  for (const { stored, served } of verified.pairs) {
    expect(stored).toMatch(/^[0-9a-f]{64}$/);
    expect(stored).toBe(served);
  }
  expect(calls.pings).toHaveLength(clouds * clouds);
  const proofs = [...calls.pings, ...calls.others, ...machine, ...observability!.steps];
  expect(proofs.filter(({ failure }) => failure !== undefined)).toEqual([]);
}

/** The mesh as the command line finds it. */
function meshOn({ root }: Place): Mesh {
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
  const rehearsal = placeOf("mesh", ["aws", "gcp", "azure"]);
  /** Of the first run. */
  let report: Report | undefined;
  const untilNoTroubles = () =>
    until("nothing to complain of", async () => {
      const found = troubles(await verifyMesh(meshOn(rehearsal)));
      if (Object.keys(found).length > 0) throw new Error(JSON.stringify(found));
      return true;
    });

  afterAll(() => rehearsed(rehearsal, "down"), 2 * MINUTES);

  test.each(KILLED_AT)(
    "stands up three clouds, but the engine is killed when it has recorded %i resources",
    async (limit) => {
      const killed = until("the resources", async () => (recorded(rehearsal) >= limit ? true : undefined), {
        limitMs: 9 * MINUTES,
      }).then(() => kill("within", "pulumi"));
      const [report, ids] = await Promise.all([
        rehearsed<Report | undefined>(rehearsal, "up").catch(() => undefined),
        killed,
      ]);
      expect(ids.length).toBeGreaterThan(0);
      expect(report).toBeUndefined();
    },
    10 * MINUTES,
  );

  test(
    "stands up three clouds that trust each other: the next run goes on where the killed ones ended",
    async () => {
      const before = recorded(rehearsal);
      // Files of attributes beside the state's, which a killed engine can leave empty: no engine reads the state then.
      const state = readdirSync(path.join(rehearsal.root, "engine/state"), { recursive: true }) as string[];
      expect(state.filter((file) => file.endsWith(".attrs"))).toEqual([]);
      expect(before).toBeGreaterThanOrEqual(KILLED_AT.at(-1)!);
      report = await rehearsed<Report>(rehearsal, "up");
      expect(report.started).toEqual([]);
      expect(report.changes.create).toBeGreaterThan(0);
      expectProven(report, 3);
      const admitted = await opaAdmits(path.join(rehearsal.root, "aws", "kubeconfig"));
      expect(admitted.length).toBeGreaterThan(0);
      expect(admitted).not.toContain(undefined);
    },
    20 * MINUTES,
  );

  test("has proven the round trip through all clouds, what the policy allows and denies, and a failover", async () => {
    const { calls } = report!;
    expect(calls.others.map(({ what }) => what)).toEqual([
      "aws/orchestrator may call gcp/worker: echo",
      "gcp/worker may not call aws/orchestrator: echo",
      "round trip aws/agent → gcp/agent → azure/agent → aws/agent",
      "azure/researcher may call gcp/researcher, a program in Python",
      "gcp/researcher, a program in Python, may not call azure/researcher",
      "aws/agent may call gcp/researcher, a program in Python",
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

  const stage = {
    mesh: () => meshOn(rehearsal),
    outputs: () => path.join(rehearsal.root, "outputs.json"),
    report: () => report!,
    troubles: async () => troubles(await verifyMesh(meshOn(rehearsal))),
  };
  observabilityTests(stage);

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
        expect(found["aws trusts gcp ping"]).toMatch(/Not authorized: undecided/);
        expect(Object.keys(found).filter((key) => !key.includes("gcp"))).toEqual([]);
      } finally {
        await restore();
      }
      expect(troubles(await verifyMesh(mesh))).toEqual({});
    },
    10 * MINUTES,
  );

  test.each(PARTS)(
    "comes back by itself when %s is killed",
    async (program) => {
      const killed = kill("aws", program);
      expect(killed.length).toBeGreaterThan(0);
      await until(`${program} again`, async () =>
        processesNamed("aws", program).length >= killed.length ? true : undefined,
      );
      await untilNoTroubles();
    },
    5 * MINUTES,
  );

  nodeTests({
    mesh: () => meshOn(rehearsal),
    rehearsed: (command) => rehearsed(rehearsal, command),
    twoPods: () => writeStack(rehearsal, ["aws", "gcp", "azure"], 2),
    expectProven: (report) => expectProven(report, 3),
    untilNoTroubles,
  });
  laterObservabilityTests(stage);

  test(
    "goes on when a whole cloud and one node of another have lost power, after the next run",
    async () => {
      await sweep(ROOT, "gcp");
      await sweep(ROOT, "aws/node-2");
      const report = await rehearsed<Report>(rehearsal, "up --brief");
      expect([...report.started].sort()).toEqual(["aws", "gcp"]);
      // The engine counts what was not ready when it read it as updated, and waits for it.
      expect(report.changed.filter((change) => !change.startsWith("update"))).toEqual([]);
      expectProven(report, 3);
    },
    10 * MINUTES,
  );

  test(
    "is told by the command line of a bundle that was replaced, and the next run mends it and changes nothing else",
    async () => {
      const before = await servers(rehearsal);
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
      const report = await rehearsed<Report>(rehearsal, "up --brief");
      expect(report.started).toEqual([]);
      // Nothing else has anything to be mended after all that the tests before have broken.
      expect(report.changed).toEqual(["update aws-trusts-gcp"]);
      expect(report.warnings).toEqual([]);
      expectProven(report, 3);
      expect(await servers(rehearsal)).toEqual(before);
    },
    10 * MINUTES,
  );

  test(
    "lets a fourth cloud join without a restart of the others",
    async () => {
      const before = await servers(rehearsal);
      writeStack(rehearsal, ["aws", "gcp", "azure", "onprem"], 2);
      const report = await rehearsed<Report>(rehearsal, "up");
      expect(report.started).toEqual(["onprem"]);
      expect(report.warnings).toEqual([]);
      // Of each agent its entry, configuration and pods, which now name the new cloud, and of each OPA its data and pods.
      const calls = 3 * 8 + 2 * 3;
      // Of each trust exporter the same three, of each collector its entry; at home the trace store's entry, configuration and pod,
      // Prometheus' configuration, rules and pod, the token renewer's configuration, rights and pod, and Grafana's dashboards.
      const seen = 3 * 3 + 3 + 3 + 3 + 3 + 1;
      expect(report.changes).toMatchObject({ update: calls + seen });
      expect(report.changes).not.toHaveProperty("replace");
      expect(report.changes).not.toHaveProperty("delete");
      expectProven(report, 4);
      expect(await servers(rehearsal)).toEqual(before);
      // All of them are new, and spread among themselves.
      expect(await nodesOfWorkloads()).toEqual({
        "agentweave-agent": NODES,
        "agentweave-orchestrator": NODES,
        opa: NODES,
      });
    },
    10 * MINUTES,
  );

  test(
    "lets a cloud leave, and the others forget it",
    async () => {
      writeStack(rehearsal, ["aws", "gcp", "onprem"], 2);
      const planned = await rehearsed<Changes>(rehearsal, "preview");
      expect(planned).not.toHaveProperty("create");
      expect(planned).not.toHaveProperty("replace");
      const report = await rehearsed<Report>(rehearsal, "up");
      expect(report.changes.delete).toBe(planned.delete);
      expect(report.left).toEqual(["azure"]);
      expect(existsSync(path.join(rehearsal.root, "azure"))).toBe(false);
      expectProven(report, 3);
    },
    10 * MINUTES,
  );

  test(
    "leaves nothing in any cluster when it is destroyed",
    async () => {
      await rehearsed(rehearsal, "destroy");
      for (const cloud of ["aws", "gcp", "onprem"]) {
        expect(await remains(path.join(rehearsal.root, cloud, "kubeconfig"))).toEqual([]);
      }
    },
    10 * MINUTES,
  );

  test(
    "leaves no process and no file when it is taken down",
    async () => {
      const clouds = ["aws", "gcp", "onprem"];
      const dirOf = (name: string) => path.join(rehearsal.root, name);
      expect(clouds.filter((name) => isRunning(dirOf(name)))).toEqual(clouds);
      await rehearsed(rehearsal, "down");
      expect(clouds.flatMap((name) => runningIn(ROOT, name))).toEqual([]);
      expect(clouds.filter((name) => existsSync(dirOf(name)))).toEqual([]);
    },
    2 * MINUTES,
  );
});
