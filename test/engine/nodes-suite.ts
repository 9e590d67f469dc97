// A second node of a cloud, on a rehearsal that another test has stood up: what spreads over both, and what goes on while either is drained.
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import type { KubernetesObject, V1Pod } from "@kubernetes/client-node";
import { podSummary } from "../../cli/cluster";
import { type Mesh, usualAgent } from "../../cli/mesh-outputs";
import { run } from "../../rehearsal/processes";
import { roundTrip } from "../../rehearsal/proof/calls";
import { until } from "../../rehearsal/proof/steps";
import { programFolder, type Report } from "../../rehearsal/rehearsal";
import { PROJECT, ROOT } from "./stack";

const MINUTES = 60_000;
/** Time between two calls while a node is drained. */
const PAUSE_MS = 250;
/** For how long a call that failed is tried again: kube-proxy may be that late on a machine that is busy. */
const RETRY_LIMIT_MS = 5_000;
export const NODES = ["aws-node-1", "aws-node-2"];
/** What the mesh has of its own. */
const OURS = { labelSelector: "app.kubernetes.io/part-of=agentweave-mesh" };

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

const KUBECONFIG = path.join(ROOT, "aws", "kubeconfig");
const KUBECTL = path.join(programFolder({ project: PROJECT }), "kubectl");
const kubectl = (...args: string[]) => run(KUBECTL, ["--kubeconfig", KUBECONFIG, ...args]);

const isOfDaemonSet = ({ metadata }: V1Pod) =>
  metadata?.ownerReferences?.some(({ kind }) => kind === "DaemonSet") ?? false;
/** Name of the workload that an object is, or is of. */
const nameLabel = ({ metadata }: KubernetesObject) => metadata?.labels?.["app.kubernetes.io/name"];

async function apis() {
  const k8s = await import("@kubernetes/client-node");
  const config = new k8s.KubeConfig();
  config.loadFromFile(KUBECONFIG);
  return { core: config.makeApiClient(k8s.CoreV1Api), apps: config.makeApiClient(k8s.AppsV1Api) };
}

/** Pods of the mesh in `aws`, but for those that are leaving. */
async function pods(): Promise<V1Pod[]> {
  const { items } = await (await apis()).core.listPodForAllNamespaces(OURS);
  return items.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
}

/** Where the pods of each Deployment of several are, in `aws`: names of nodes by the Deployment's. */
export async function nodesOfWorkloads(): Promise<Record<string, string[]>> {
  const { items } = await (await apis()).apps.listDeploymentForAllNamespaces(OURS);
  const all = await pods();
  return Object.fromEntries(
    items
      .filter(({ spec }) => spec!.replicas! > 1)
      .map((deployment) => {
        const name = nameLabel(deployment)!;
        const own = all.filter((pod) => nameLabel(pod) === name);
        return [name, own.map(({ spec }) => spec!.nodeName!).sort()];
      }),
  );
}

/** Tests of what two nodes are for: `aws` gets its second here, and keeps it. */
export function nodeTests(stage: Stage): void {
  test(
    "has a second node join a cloud: the next run is proven again, and spreads pods over both",
    async () => {
      await stage.rehearsed("node aws");
      stage.twoPods();
      stage.expectProven(await stage.rehearsed<Report>("up --brief"));
      const sets = (await (await apis()).apps.listDaemonSetForAllNamespaces()).items;
      expect(sets.length).toBeGreaterThan(0);
      expect(sets.filter(({ status }) => status?.numberReady !== NODES.length)).toEqual([]);
      const { opa, ...agents } = await nodesOfWorkloads();
      expect(opa).toHaveLength(2); // from before
      expect(agents).toEqual({ "agentweave-agent": NODES, "agentweave-orchestrator": NODES });
    },
    15 * MINUTES,
  );

  test.each(NODES)(
    "keeps a pod of every workload and answers calls while %s is drained, and has everything on the other node then",
    async (node) => {
      const kept = Object.keys(await nodesOfWorkloads());
      expect(kept).toHaveLength(3); // OPA, and the agents of two roles
      // Called from another cloud: the caller's identity comes from its SPIRE server, and the one of `aws` moves, too.
      const [first, ...others] = stage.mesh().clouds.flatMap((cloud) => usualAgent(cloud) ?? []);
      const mustAnswer = async () => {
        const { failure } = await roundTrip(stage.mesh(), [...others, first!]);
        if (failure !== undefined) throw new Error(failure);
        return true;
      };
      let drained = false;
      /** Does something again and again until the node is drained. */
      const meanwhile = async (work: () => Promise<unknown>) => {
        let times = 0;
        for (; !drained; times++) {
          await work();
          await setTimeout(PAUSE_MS);
        }
        return times;
      };
      const drain = async () => {
        await kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=5m");
        await until("every pod to be ready on the other node", async () => {
          const wrong = (await pods()).filter(
            (pod) => !isOfDaemonSet(pod) && (pod.spec?.nodeName === node || !podSummary(pod).ready),
          );
          if (wrong.length > 0) throw new Error(wrong.map(({ metadata }) => metadata?.name).join(", "));
          return true;
        });
      };
      const draining = drain().finally(() => (drained = true));
      try {
        const [, calls, looks] = await Promise.all([
          draining,
          meanwhile(() => until("a call around all clouds", mustAnswer, { limitMs: RETRY_LIMIT_MS })),
          meanwhile(async () => {
            const ready = (await pods()).filter((pod) => podSummary(pod).ready).map(nameLabel);
            expect(ready).toEqual(expect.arrayContaining(kept));
          }),
        ]);
        expect(Math.min(calls, looks)).toBeGreaterThan(5);
        await stage.untilNoTroubles();
      } finally {
        await Promise.allSettled([draining]);
        await kubectl("uncordon", node);
      }
    },
    10 * MINUTES,
  );
}
