// What the devices of the tailnet see and are told: who answers at a place, whose ranges lead where, which pods there are.
import { connectKubernetes } from "../../cli/cluster";
import type { Mesh, MeshAgent } from "../../cli/mesh-outputs";
import { AGENT, NAMESPACES, TAILNET } from "../../components/well-known";
import { selector } from "../../components/kubernetes/metadata";
import { nameOf } from "./calls";
import { coreOf } from "./core";

const LIMIT_MS = 30_000;

/** Prints what the pod's own proxy makes of a connection to a place of the tailnet, and whose certificate is shown there. */
const DIAL = `
const [host, port, proxy] = process.argv.slice(1);
const end = (found) => { console.log(JSON.stringify(found)); process.exit(0); };
setTimeout(() => end({ failure: "no answer" }), 10_000);
require("node:http").request({ host: "127.0.0.1", port: proxy, method: "CONNECT", path: host + ":" + port })
  .once("error", ({ message }) => end({ failure: message }))
  .once("connect", ({ statusCode }, socket) => {
    if (statusCode !== 200) end({ failure: "the proxy answers " + statusCode });
    // Only looks: whom the certificate belongs to is what is asked here.
    const tls = require("node:tls").connect({ socket, rejectUnauthorized: false }, () => {
      end({ id: /URI:(spiffe:[^,\\s]+)/.exec(tls.getPeerCertificate().subjectaltname ?? "")?.[1] });
    }).once("error", () => end({ open: true }));
  })
  .end();
`;

/** Runs a command in a container of an agent's pod; what it printed. */
async function inPodOf(mesh: Mesh, agent: MeshAgent, container: string, command: string[]): Promise<string> {
  const cluster = connectKubernetes(mesh.clouds.find(({ name }) => name === agent.cloud)!);
  const [pod] = await cluster.pods(agent.namespace, selector(agent.service));
  if (!pod) throw new Error(`${nameOf(agent)} has no pod`);
  const place = { namespace: agent.namespace, pod: pod.name, container };
  const { stdout, stderr, exitCode } = await cluster.exec(place, command, LIMIT_MS);
  if (exitCode !== 0) throw new Error(`${pod.name}: ${command[0]}: ${stderr.trim()}`);
  return stdout.trim();
}

/** Runs Tailscale's command in the device of an agent. */
export function onDevice(mesh: Mesh, agent: MeshAgent, args: readonly string[]): Promise<string> {
  return inPodOf(mesh, agent, TAILNET.sidecar, ["/usr/local/bin/tailscale", ...args]);
}

/** What came of a connection: the SPIFFE id of who answers, or that somebody does who has none, or why there is none. */
export interface Dialled {
  readonly id?: string;
  readonly open?: true;
  readonly failure?: string;
}

/** Connects to a place of the tailnet as an agent does, by the proxy of its pod. */
export async function dialFrom(mesh: Mesh, agent: MeshAgent, host: string, port: number): Promise<Dialled> {
  const args = [host, String(port), String(TAILNET.proxyPort)];
  const node = ["/usr/local/bin/node", "-e", DIAL, ...args];
  return JSON.parse(await inPodOf(mesh, agent, AGENT.container, node)) as Dialled;
}

/** Every pod of the agents in all clouds, and how often its containers were restarted. */
export async function agentPods({ clouds }: Mesh): Promise<string> {
  const pods = clouds.map(async (cloud) => {
    const { items } = await (await coreOf(cloud)).listNamespacedPod({ namespace: NAMESPACES.agents });
    return items.map(({ metadata, status }) => {
      const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
      return [metadata?.uid, ...all.map(({ name, restartCount }) => `${name}:${restartCount}`)].join(" ");
    });
  });
  return (await Promise.all(pods)).flat().sort().join("\n");
}
