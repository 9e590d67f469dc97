// A mesh whose home cloud has a Prometheus and a trace store: both played by one HTTP server on loopback, with what a test tells it to say.
import { once } from "node:events";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import type { Cluster, Connect } from "../../../cli/cluster";
import { meshOf, type Mesh } from "../../../cli/mesh-outputs";

const NAMESPACE = "observability";
/** Where the outputs say the two are. */
export const PODS = {
  prometheus: { namespace: NAMESPACE, pod: "prometheus-0", port: 9090 },
  traces: { namespace: NAMESPACE, pod: "jaeger-0", port: 16686 },
} as const;

/** What the outputs tell of observability. */
export const observability = {
  home: "aws",
  ...PODS,
  grafana: { namespace: NAMESPACE, service: "grafana", port: 3000 },
};

/** An answer: its body is sent as JSON, or as it is when it is a string. `never`: none comes. */
export type Answer = { status?: number; body: unknown } | "never";

const agent = (cloud: string, role: string) => ({
  ...{ spiffeId: `spiffe://${cloud}.example.org/${role}`, address: `https://${cloud}.example.org:8443` },
  ...{ namespace: "agentweave", service: `agentweave-${role}`, cloud, role },
});

/** The outputs of a stack with these agents, each `<cloud>/<role>`. */
export function outputsOf(
  agents: readonly string[],
  more: Record<string, unknown> = { observability },
): Record<string, unknown> {
  const named = agents.map((name) => name.split("/") as [string, string]);
  const clouds = [...new Set(named.map(([cloud]) => cloud))].map((name) => [
    name,
    {
      region: "r1",
      context: `${name}-cluster`,
      trustDomain: `${name}.example.org`,
      bundleEndpoint: "https://x",
    },
  ]);
  return {
    clouds: Object.fromEntries(clouds) as unknown,
    agents: Object.fromEntries(named.map(([cloud, role]) => [`${cloud}/${role}`, agent(cloud, role)])),
    kubeconfig: "contexts: []",
    ...more,
  };
}

/** The mesh of three clouds with an agent each, or of these agents. */
export function observedMesh(
  agents = ["aws/agent", "gcp/agent", "azure/agent"],
  more?: Record<string, unknown>,
): Mesh {
  return meshOf(outputsOf(agents, more));
}

/** The home cloud's programs, and the way to them. */
export class FakeHome {
  /** Says what is answered to a path. */
  answer: (url: URL) => Answer = () => ({ status: 404, body: "no such page" });
  /** Paths that were asked for, with what was asked. */
  readonly asked: URL[] = [];
  /** Pods and ports that were connected to. */
  readonly forwards: string[] = [];
  /** Words with which a port-forward fails. */
  refuses?: string;
  readonly #sockets = new Set<net.Socket>();
  readonly #server = http.createServer((request, response) => {
    const url = new URL(request.url!, "http://home");
    this.asked.push(url);
    const answer = this.answer(url);
    if (answer === "never") return;
    const { status = 200, body } = answer;
    response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));
  });

  async start(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  readonly connect: Connect = ({ name }) =>
    ({
      portForward: async (namespace: string, pod: string, port: number) => {
        this.forwards.push(`${name} ${namespace}/${pod}:${port}`);
        if (this.refuses !== undefined) throw new Error(`${name}: ${this.refuses}`);
        const socket = net.connect((this.#server.address() as AddressInfo).port, "127.0.0.1");
        this.#sockets.add(socket);
        await once(socket, "connect");
        return socket;
      },
    }) as unknown as Cluster;

  /** Ends all connections as a pod does that goes away, and waits until the other side knows. */
  async hangUp(): Promise<void> {
    const closed = [...this.#sockets]
      .filter((socket) => !socket.destroyed)
      .map((socket) => once(socket, "close"));
    this.#server.closeAllConnections();
    await Promise.all(closed);
  }

  async stop(): Promise<void> {
    const closed = new Promise((done) => this.#server.close(done));
    this.#server.closeAllConnections();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
