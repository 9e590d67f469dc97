// What the devices of the tailnet see: who answers under a name, whose ranges lead where, which processes there are.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { connectKubernetes } from "../cli/cluster";
import type { Mesh, MeshAgent, MeshCloud } from "../cli/mesh-outputs";
import { AGENT_PORTS, NAMESPACES, selector, TAILNET } from "../components/well-known";
import { nameOf } from "./calls";
import { runningPid } from "./identity";
import { run } from "./processes";

/** Container of an agent's pod that is its device on the tailnet. */
const SIDECAR = "tailscale";

/** A peer in the answer of `tailscale status --json`, as far as it matters here. */
export interface Peer {
  readonly HostName: string;
  readonly PrimaryRoutes?: readonly string[];
}

/** What the proof works with. */
export interface TailnetTrial {
  readonly mesh: Mesh;
  /** The rehearsal's folder. */
  readonly root: string;
  /** Path of the program `cloud`. */
  readonly cloud: string;
}

/** Who answers at a host of the tailnet, asked through the proxy of an agent's own pod. */
export async function dialFrom(
  { root, mesh }: TailnetTrial,
  agent: MeshAgent,
  host: string,
): Promise<string> {
  const cloud = mesh.clouds.find(({ name }) => name === agent.cloud)!;
  const [pod] = await connectKubernetes(cloud).pods(agent.namespace, selector(agent.service));
  if (!pod) throw new Error(`${nameOf(agent)} has no pod`);
  const place = path.join(root, agent.cloud, "pods", `${agent.namespace}_${pod.name}`);
  const pid = runningPid(path.join(place, `${SIDECAR}.pid`));
  if (pid === undefined) throw new Error(`${pod.name}: its sidecar does not run`);
  const program = ["--require", "ts-node/register/transpile-only", path.join(__dirname, "dial.ts")];
  const args = [host, String(AGENT_PORTS.mtls), String(TAILNET.proxyPort)];
  const found = await run("nsenter", [
    "--net",
    "--target",
    String(pid),
    "--",
    process.execPath,
    ...program,
    ...args,
  ]);
  return found.trim();
}

/** Every process of the agents' pods in all clouds, and when it was started. */
export function agentProcesses({ root, mesh }: TailnetTrial): string {
  const files = mesh.clouds.flatMap(({ name }) => {
    const pods = path.join(root, name, "pods");
    return readdirSync(pods)
      .filter((pod) => pod.startsWith(`${NAMESPACES.agents}_`))
      .flatMap((pod) => readdirSync(path.join(pods, pod)).map((file) => path.join(pods, pod, file)))
      .filter((file) => file.endsWith(".pid"));
  });
  return files.map((file) => `${file} ${readFileSync(file, "utf8")}`).join("");
}

/** The node of the tailnet that a cloud's ranges lead to, as the device of another cloud's agent knows it. */
export async function routerOf(cloud: MeshCloud, asked: MeshAgent, askedCloud: MeshCloud): Promise<Peer> {
  const cluster = connectKubernetes(askedCloud);
  const [pod] = await cluster.pods(asked.namespace, selector(asked.service));
  const place = { namespace: asked.namespace, pod: pod!.name, container: SIDECAR };
  const { stdout, stderr, exitCode } = await cluster.exec(
    place,
    ["/usr/local/bin/tailscale", "status", "--json"],
    20_000,
  );
  if (exitCode !== 0) throw new Error(`tailscale status: ${stderr.trim()}`);
  const { Peer: peers } = JSON.parse(stdout) as { Peer: Record<string, Peer> };
  const found = Object.values(peers).filter(
    ({ HostName, PrimaryRoutes }) => HostName.startsWith(`${cloud.name}-`) && PrimaryRoutes,
  );
  if (found.length !== 1) throw new Error(`${found.length} nodes have ${cloud.name}'s ranges`);
  return found[0]!;
}
