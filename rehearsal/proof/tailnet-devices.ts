// What the devices of the tailnet see and are told: who answers at a place, whose ranges lead where, which pods there are.
import type { Mesh, MeshAgent } from "../../cli/mesh-outputs";
import { AGENT, NAMESPACES, TAILNET } from "../../components/well-known";
import { inPodOf } from "./calls";
import { coreOf } from "./core";

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
