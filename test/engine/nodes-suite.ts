// A second node of a cloud, on a rehearsal that another test has stood up: what spreads over both, and what goes on while either is drained.
import path from "node:path";
import type { V1Pod } from "@kubernetes/client-node";
import { podSummary } from "../../cli/cluster";
import { type Mesh, usualAgent } from "../../cli/mesh-outputs";
import { loadKubeConfig } from "../../components/clouds/kubeconfig-client";
import { run } from "../../rehearsal/processes";
import { roundTrip } from "../../rehearsal/proof/calls";
import { until } from "../../rehearsal/proof/steps";
import { programFolder, type Report } from "../../rehearsal/rehearsal";
import { PROJECT, ROOT } from "./stack";

const MINUTES = 60_000;
/** Time between two calls while a node is drained. */
const PAUSE_MS = 250;
const NODES = ["aws-node-1", "aws-node-2"];
const PODS = { labelSelector: "app.kubernetes.io/part-of=agentweave-mesh" };

/** The rehearsal that the tests are about. */
export interface Stage {
  mesh(): Mesh;
  /** Runs one of `make`'s commands on it. */
  rehearsed<Found>(command: string): Promise<Found>;
  /** Gives every role two pods, at the next `up`. */
  twoPods(): void;
  expectProven(report: Report): void;
  /** Waits until `mesh verify` says that nothing is wrong. */
  untilNoTroubles(): Promise<unknown>;
}

const kubectl = (...args: string[]) =>
  run(path.join(programFolder({ project: PROJECT }), "kubectl"), [
    "--kubeconfig",
    path.join(ROOT, "aws", "kubeconfig"),
    ...args,
  ]);

const isOwnedBy = (kind: string, { metadata }: V1Pod) =>
  metadata?.ownerReferences?.some((owner) => owner.kind === kind) ?? false;

/** Tests of what two nodes are for: `aws` gets its second here, and keeps it. */
export function nodeTests(stage: Stage): void {
  const apis = async () => {
    const { name, kubeconfig } = stage.mesh().clouds.find((cloud) => cloud.name === "aws")!;
    const { k8s, config } = await loadKubeConfig(name, kubeconfig);
    return { core: config.makeApiClient(k8s.CoreV1Api), apps: config.makeApiClient(k8s.AppsV1Api) };
  };
  /** Pods of the mesh, but for those that are leaving. */
  const pods = async () => {
    const { items } = await (await apis()).core.listPodForAllNamespaces(PODS);
    return items.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
  };

  test(
    "has a second node join a cloud: the next run proves of both what it proves of one, and spreads pods over them",
    async () => {
      await stage.rehearsed("node aws");
      stage.twoPods();
      stage.expectProven(await stage.rehearsed<Report>("up"));
      const sets = (await (await apis()).apps.listDaemonSetForAllNamespaces()).items;
      expect(sets.length).toBeGreaterThan(0);
      expect(sets.filter(({ status }) => status?.numberReady !== NODES.length)).toEqual([]);
      const found = await pods();
      for (const { workload } of stage.mesh().clouds.find(({ name }) => name === "aws")!.agents) {
        const own = found.filter(
          ({ metadata }) => metadata?.labels?.["app.kubernetes.io/name"] === workload.name,
        );
        expect(own.map(({ spec }) => spec?.nodeName).sort()).toEqual(NODES);
      }
    },
    15 * MINUTES,
  );

  test.each(NODES)(
    "answers every call while %s is drained, and has everything on the other node then",
    async (node) => {
      // Called from another cloud: the caller's identity comes from its SPIRE server, and the one of `aws` moves, too.
      const [first, ...others] = stage.mesh().clouds.flatMap((cloud) => usualAgent(cloud) ?? []);
      const agents = [...others, first!];
      const failures: (string | undefined)[] = [];
      let drained = false;
      const calls = (async () => {
        for (; !drained; await new Promise((resolve) => setTimeout(resolve, PAUSE_MS)))
          failures.push((await roundTrip(stage.mesh(), agents)).failure);
      })();
      try {
        await kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=5m");
        await until("every pod to be ready on the other node", async () => {
          const wrong = (await pods()).filter(
            (pod) => !isOwnedBy("DaemonSet", pod) && (pod.spec?.nodeName === node || !podSummary(pod).ready),
          );
          if (wrong.length > 0) throw new Error(wrong.map(({ metadata }) => metadata?.name).join(", "));
          return true;
        });
        await stage.untilNoTroubles();
      } finally {
        drained = true;
        await calls;
        await kubectl("uncordon", node);
      }
      expect(failures.length).toBeGreaterThan(10);
      expect(failures.filter((failure) => failure !== undefined)).toEqual([]);
    },
    10 * MINUTES,
  );
}
