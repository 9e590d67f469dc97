// Calls between the agents of all clouds that go on while something is done to the mesh, and are counted.
import { spawn } from "node:child_process";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sendMessage } from "../../agent/message";
import { type Mesh, type MeshAgent, usualAgent } from "../../cli/mesh-outputs";
import { agentName } from "../../components/well-known";
import { selector } from "../../components/kubernetes/metadata";
import { processesOf } from "../machine/cloud";
import { coreOf } from "../proof/core";
import { until } from "../proof/steps";

/** Longest time for which calls go on, in milliseconds, if nobody ends them. */
const LONGEST_MS = 20 * 60_000;

/**
 * Calls each host through the Envoy of the pod in whose network it runs, one call after the other for each host, until its input ends; then it tells how
 * many it made and what became of those that were lost.
 */
const CALLER = `
const http = require("node:http");
const [body, ...hosts] = process.argv.slice(1);
const end = Date.now() + ${LONGEST_MS};
let ended = false;
process.stdin.resume().on("end", () => (ended = true));
const call = (host) => new Promise((resolve) => {
  const headers = { host, "content-type": "application/json", "a2a-version": "1.0" };
  const request = http.request({ host: "127.0.0.2", port: 80, method: "POST", path: "/", headers, timeout: 20000 }, (response) => {
    let text = "";
    response.on("data", (chunk) => (text += chunk)).on("end", () => resolve(text.includes('"pong":true') ? undefined : response.statusCode + " " + text.slice(0, 200)));
    response.on("error", (error) => resolve(error.message));
  });
  request.on("timeout", () => request.destroy(new Error("no answer within 20 s"))).on("error", (error) => resolve(error.message));
  request.end(body);
});
const pause = () => new Promise((resolve) => setTimeout(resolve, 100));
Promise.all(hosts.map(async (host) => {
  const lost = [];
  let made = 0;
  for (; !ended && Date.now() < end; await pause()) {
    const at = new Date().toISOString();
    const words = await call(host);
    made++;
    if (words !== undefined) lost.push(at + " " + words);
  }
  return [host, { made, lost }];
})).then((all) => console.log(JSON.stringify(Object.fromEntries(all))));
`;

/** Calls from one cloud's agent to another's. */
export interface Counted {
  readonly from: string;
  readonly to: string;
  readonly made: number;
  /** When, and what came instead of an answer. */
  readonly lost: readonly string[];
}

/** How often it is looked whether the pod of a caller leaves; its Envoy goes on for longer. */
const LOOK_MS = 500;

async function callerIn(root: string, mesh: Mesh, from: MeshAgent, to: readonly MeshAgent[]) {
  const cloud = mesh.clouds.find(({ name }) => name === from.cloud)!;
  const labelSelector = Object.entries(selector(from.service))
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
  const core = await coreOf(cloud);
  const { namespace } = from;
  const { items } = await core.listNamespacedPod({ namespace, labelSelector });
  const pod = items.find(
    ({ metadata, status }) =>
      !metadata?.deletionTimestamp &&
      status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True"),
  );
  if (!pod) throw new Error(`${from.cloud}/${from.role} has no pod that is ready`);
  const { name, uid } = pod.metadata!;
  const [pid] = processesOf(path.join(root, from.cloud), uid!);
  const hosts = to.map(({ cloud: other, role }) => `${agentName(other, role)}.mesh`);
  const body = JSON.stringify(sendMessage("ping", undefined));
  const program = [process.execPath, "-e", CALLER, body, ...hosts];
  const child = spawn("nsenter", [`--net=/proc/${pid}/ns/net`, ...program], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return {
    /** Whether the pod was told to end, or is gone. What cannot be asked has not said so. */
    async leaves(): Promise<boolean> {
      const { items: there } = await core.listNamespacedPod({
        namespace,
        fieldSelector: `metadata.name=${name}`,
      });
      return there.every(({ metadata }) => metadata?.deletionTimestamp);
    },
    async stop(): Promise<Counted[]> {
      child.stdin.end();
      await ended;
      const found = JSON.parse(text) as Record<string, Pick<Counted, "made" | "lost">>;
      return to.map((agent, i) => ({ from: from.cloud, to: agent.cloud, ...found[hosts[i]!]! }));
    },
  };
}

/** Calls from a ready pod of `from`, and from its successor once it is told to end, as its program would. */
async function calling(root: string, mesh: Mesh, from: MeshAgent, to: readonly MeshAgent[]) {
  const start = () => until(`${from.cloud}'s agent`, () => callerIn(root, mesh, from, to));
  const counts: Counted[] = [];
  let caller = await start();
  let over = false;
  const following = (async () => {
    while (!over) {
      await sleep(LOOK_MS);
      if (!(await caller.leaves().catch(() => false))) continue;
      counts.push(...(await caller.stop()));
      caller = await start();
    }
  })();
  // Told by `stop`.
  following.catch(() => {});
  return async (): Promise<Counted[]> => {
    over = true;
    await following;
    counts.push(...(await caller.stop()));
    return to.map((agent) => {
      const all = counts.filter((each) => each.to === agent.cloud);
      return {
        from: from.cloud,
        to: agent.cloud,
        made: all.reduce((sum, { made }) => sum + made, 0),
        lost: all.flatMap(({ lost }) => lost),
      };
    });
  };
}

/** Has the agent of each of these clouds call those of all others until it is told to stop. Called in the world. */
export async function callMeanwhile(
  root: string,
  mesh: Mesh,
  clouds: readonly string[] = mesh.clouds.map(({ name }) => name),
): Promise<() => Promise<Counted[]>> {
  const agents = mesh.clouds
    .filter(({ name }) => clouds.includes(name))
    .flatMap((cloud) => usualAgent(cloud) ?? []);
  const stops = await Promise.all(
    agents.map((from) =>
      calling(
        root,
        mesh,
        from,
        agents.filter((to) => to !== from),
      ),
    ),
  );
  return async () => (await Promise.all(stops.map((stop) => stop()))).flat();
}
