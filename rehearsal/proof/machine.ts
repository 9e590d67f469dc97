// The proof of what real nodes do: they are attested, pods are known by the kubelet's word, policies are enforced, and unsafe pods are refused.
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import type { V1Pod } from "@kubernetes/client-node";
import { connectKubernetes, podSummary } from "../../cli/cluster";
import type { Mesh, MeshCloud } from "../../cli/mesh-outputs";
import { runInServer } from "../../cli/spire";
import { centralPart } from "../../components/network/flow";
import { flowsIn } from "../../components/network/flows";
import { partOf } from "../../components/network/part";
import { PARTIES, type Party } from "../../components/network/parties";
import { CSI_DRIVER, NAMESPACES } from "../../components/well-known";
import type { MeshConfig } from "../../infra/config";
import { sharedServer } from "../../infra/config/spire";
import { processesOf } from "../machine/cloud";
import { run } from "../processes";
import { coreOf } from "./core";
import { step, type Step } from "./steps";

const LIMIT_MS = 30_000;
/** Policies take effect in the end, as Kubernetes says: what differs counts when it does so twice, with this time between. */
const AGAIN_MS = 5_000;
/** Longest time until a connection is taken; what a policy denies gets no answer, or a refusal. */
const CONNECT_MS = 2_000;

/** Every node of every cloud is attested by its projected token, as SPIRE tells. */
async function attestedNodes(mesh: Mesh): Promise<string> {
  const nodes = await Promise.all(
    mesh.clouds.map(async (cloud) => {
      const spire = runInServer(connectKubernetes(cloud.serverCloud ?? cloud), LIMIT_MS);
      const { stdout } = await spire(["agent", "list", "-output", "json"]);
      const { agents = [] } = JSON.parse(stdout) as { agents?: { attestation_type: string }[] };
      const types = agents.map(({ attestation_type }) => attestation_type);
      const { items } = await (await coreOf(cloud)).listNode();
      if (types.length < items.length || types.some((type) => type !== "k8s_psat"))
        throw new Error(`${cloud.name}: ${items.length} nodes; attested are ${types.join(", ") || "none"}`);
      return items.length;
    }),
  );
  return `${nodes.reduce((sum, count) => sum + count, 0)} nodes, all by k8s_psat`;
}

/** Pods that have their identity from the SPIRE agent's socket, which the CSI driver mounted: those that are ready have one. */
async function attestedPods(mesh: Mesh): Promise<string> {
  const counts = await Promise.all(
    mesh.clouds.map(async (cloud) => {
      const { items } = await (await coreOf(cloud)).listPodForAllNamespaces();
      const attested = items.filter(({ spec }) =>
        spec?.volumes?.some(({ csi }) => csi?.driver === CSI_DRIVER),
      );
      const waiting = attested.filter(
        (pod) => pod.metadata?.deletionTimestamp === undefined && !podSummary(pod).ready,
      );
      if (attested.length === 0) throw new Error(`${cloud.name}: no pod has a volume of ${CSI_DRIVER}`);
      if (waiting.length > 0) throw new Error(`${cloud.name}: ${waiting[0]!.metadata?.name} is not ready`);
      return attested.length;
    }),
  );
  return `${counts.reduce((sum, count) => sum + count, 0)} pods`;
}

/** A pod that wants its node's rights is refused where the Pod Security Standard is `restricted`. */
async function refusedPods(mesh: Mesh): Promise<string> {
  const body: V1Pod = {
    metadata: { name: "privileged" },
    spec: { containers: [{ name: "c", image: "example.org/c:1", securityContext: { privileged: true } }] },
  };
  const restricted = [NAMESPACES.spireServer, NAMESPACES.opa, NAMESPACES.agents];
  for (const cloud of mesh.clouds) {
    const core = await coreOf(cloud);
    for (const namespace of restricted) {
      const made = await core.createNamespacedPod({ namespace, body, dryRun: "All" }).then(
        () => "it was let in",
        (error: Error) => (/violates PodSecurity/.test(error.message) ? undefined : error.message),
      );
      if (made !== undefined) throw new Error(`${cloud.name}: a privileged pod in ${namespace}: ${made}`);
    }
  }
  return `in ${restricted.join(", ")} of ${mesh.clouds.length} clouds`;
}

/** A pod of a party of the table of flows. */
interface PartyPod {
  readonly party: Party;
  readonly pod: V1Pod;
  /** TCP ports that its containers listen at. */
  readonly ports: readonly number[];
}

/** One running pod of each party that a cloud has. Pods in the node's own network are not subject to policies. */
async function partyPods(cloud: MeshCloud): Promise<PartyPod[]> {
  const core = await coreOf(cloud);
  const found = await Promise.all(
    Object.entries(PARTIES).map(async ([party, details]) => {
      if (details.kind !== "pods") return [];
      const labelSelector = Object.entries(details.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(",");
      const { items } = await core.listNamespacedPod({ namespace: details.namespace, labelSelector });
      const pod = items.find(
        ({ metadata, spec, status }) =>
          status?.phase === "Running" && !metadata?.deletionTimestamp && !spec?.hostNetwork,
      );
      if (!pod) return [];
      const ports = [...(pod.spec?.initContainers ?? []), ...pod.spec!.containers].flatMap(({ ports = [] }) =>
        ports.flatMap(({ protocol, containerPort }) => (protocol === "UDP" ? [] : [containerPort])),
      );
      return [{ party: party as Party, pod, ports }];
    }),
  );
  return found.flat();
}

/** A port that is tried, of a party. */
interface Place {
  readonly party: Party;
  readonly host: string;
  readonly port: number;
}

/** What pods reach beside pods of the mesh in their cluster: DNS, the node with its API server and kubelet, and the other clouds. */
async function placesBeyond(mesh: Mesh, cloud: MeshCloud): Promise<Place[]> {
  const core = await coreOf(cloud);
  const [{ items: nodes }, { items: dns }] = await Promise.all([
    core.listNode(),
    core.listNamespacedPod({ namespace: "kube-system", labelSelector: "k8s-app=kube-dns" }),
  ]);
  const node = nodes[0]!.status!.addresses!.find(({ type }) => type === "InternalIP")!.address;
  const peers = mesh.clouds.filter((other) => other !== cloud);
  const urls = [
    ...peers.flatMap(({ bundleEndpoint }) =>
      bundleEndpoint === undefined ? [] : [["peerServers", bundleEndpoint] as const],
    ),
    // On a tailnet they have no address that a pod reaches without its device.
    ...(mesh.network?.mode === "tailscale" ? [] : peers.flatMap(({ agents }) => agents)).map(
      ({ address }) => ["peerAgents", address] as const,
    ),
  ];
  return [
    { party: "dns", host: dns[0]!.status!.podIP!, port: 53 },
    { party: "apiServer", host: node, port: 6443 },
    { party: "kubelet", host: node, port: 10250 },
    ...urls.map(([party, url]) => ({ party, host: new URL(url).hostname, port: Number(new URL(url).port) })),
  ];
}

/** Connects to each `host:port` and prints those that take the connection. */
const DIAL = `
const { connect } = require("node:net");
const dial = (place) => new Promise((resolve) => {
  const cut = place.lastIndexOf(":");
  const socket = connect({ host: place.slice(0, cut), port: Number(place.slice(cut + 1)) });
  const end = (open) => { socket.destroy(); resolve(open); };
  socket.setTimeout(${CONNECT_MS}, () => end(false)).once("error", () => end(false)).once("connect", () => end(true));
});
const places = process.argv.slice(1);
Promise.all(places.map(dial)).then((open) => console.log(JSON.stringify(places.filter((_, i) => open[i]))));
`;

/** Who may send what to whom in one cloud, as the table of flows has it. */
function judge(
  { network, observability, trust, spire }: MeshConfig,
  cloud: string,
  clouds: readonly string[],
) {
  const part = observability && partOf(cloud, observability, clouds);
  const flows = flowsIn({
    mode: network.mode,
    observability: part,
    sharedTrust: trust.mode === "single",
    central: centralPart(cloud, sharedServer(spire)),
  }).filter(({ protocol }) => protocol === "TCP");
  /** Other clouds come from, and are at, any address of the internet, as the pods of this one may seem to. */
  const covers = (party: Party, other: Party) => {
    const details = PARTIES[party];
    return (
      party === other ||
      details.kind === "anywhere" ||
      (details.kind === "peers" && details.over[network.mode] === "internet")
    );
  };
  const has = (ports: (typeof flows)[number]["ports"], port: number) =>
    ports === "any" || ports.includes(port);
  const sends = (party: Party, from: Party) => party === from || party === "everyPod";
  return (from: Party, to: Party, port: number) =>
    flows.some((flow) => sends(flow.from, from) && covers(flow.to, to) && has(flow.ports, port)) &&
    // What is no pod of this cluster is closed by no policy of it.
    (PARTIES[to].kind !== "pods" ||
      flows.some((flow) => flow.to === to && covers(flow.from, from) && has(flow.ports, port)));
}

/**
 * From a pod of each party to every port of every other, and to what is beyond: what the table of flows has must be taken, and all else must not. The
 * attempts are made in the network of the pods themselves.
 */
async function enforcedFlows(mesh: Mesh, config: MeshConfig, root: string): Promise<string> {
  const counts = { taken: 0, refused: 0 };
  const wrong: string[] = [];
  for (const cloud of mesh.clouds) {
    const may = judge(
      config,
      cloud.name,
      mesh.clouds.map(({ name }) => name),
    );
    const pods = await partyPods(cloud);
    const within = pods.flatMap(({ party, pod, ports }): Place[] =>
      ports.map((port) => ({ party, host: pod.status!.podIP!, port })),
    );
    const places = [...within, ...(await placesBeyond(mesh, cloud))].map((each) => ({
      ...each,
      place: `${each.host}:${each.port}`,
    }));
    const attempts = pods.map(async ({ party: from, pod }) => {
      const others = places.filter(({ host }) => host !== pod.status!.podIP);
      const net = `--net=/proc/${processesOf(path.join(root, cloud.name), pod.metadata!.uid!)[0]!}/ns/net`;
      const dial = [process.execPath, "-e", DIAL, ...others.map(({ place }) => place)];
      const differing = async () => {
        const open = JSON.parse(await run("nsenter", [net, ...dial])) as string[];
        return others.filter(({ party: to, port, place }) => may(from, to, port) !== open.includes(place));
      };
      const first = await differing();
      if (first.length > 0) await setTimeout(AGAIN_MS);
      const again = first.length > 0 ? await differing() : [];
      for (const each of others) {
        const { party: to, port } = each;
        const wanted = may(from, to, port);
        if (first.includes(each) && again.includes(each))
          wrong.push(`${cloud.name}: ${from} to ${to}:${port} is ${wanted ? "not taken" : "taken"}`);
        counts[wanted ? "taken" : "refused"]++;
      }
    });
    await Promise.all(attempts);
  }
  if (wrong.length > 0) throw new Error(`${wrong.length} differ: ${wrong.slice(0, 5).join("; ")}`);
  return `${counts.taken} connections taken, ${counts.refused} refused`;
}

/** Tries all of it, or, if it is to be brief, all but network policies. Called in the world. */
export async function proveMachine(
  mesh: Mesh,
  config: MeshConfig,
  root: string,
  brief: boolean,
): Promise<Step[]> {
  const steps = [
    await step("SPIRE has attested every node by its projected token", () => attestedNodes(mesh)),
    await step("workloads have their identities through the CSI driver", () => attestedPods(mesh)),
    await step("a privileged pod is refused", () => refusedPods(mesh)),
  ];
  if (brief) return steps;
  const what = "network policies let through what the table of flows has, and nothing else";
  return [...steps, await step(what, () => enforcedFlows(mesh, config, path.resolve(root)))];
}
