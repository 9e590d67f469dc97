import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { connectKubernetes } from "../../../cli/cluster";

/** An API server that plays the legacy WebSocket port-forward: channel 0 is data, channel 1 errors, each beginning with the port. */
class FakeApiServer {
  private readonly server = new WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    handleProtocols: (offered) => (offered.has("v4.channel.k8s.io") ? "v4.channel.k8s.io" : false),
  });
  paths: string[] = [];
  sockets: WebSocket[] = [];

  constructor(private readonly onData: (socket: WebSocket, data: Buffer) => void) {
    this.server.on("connection", (socket, request) => {
      this.paths.push(request.url!);
      this.sockets.push(socket);
      const port = Buffer.from([8443 & 255, 8443 >> 8]);
      socket.send(Buffer.concat([Buffer.from([0]), port]));
      socket.send(Buffer.concat([Buffer.from([1]), port]));
      socket.on("message", (message: Buffer) => this.onData(socket, message.subarray(1)));
    });
  }

  async cluster() {
    if (!this.server.address()) await once(this.server, "listening");
    const { port } = this.server.address() as AddressInfo;
    const kubeconfig = JSON.stringify({
      clusters: [
        { name: "c", cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } },
      ],
      users: [{ name: "u", user: {} }],
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      "current-context": "c",
    });
    const cloud = {
      name: "aws",
      region: "r",
      context: "c",
      trustDomain: "t",
      bundleEndpoint: "",
      agents: [],
    };
    return connectKubernetes({ ...cloud, kubeconfig });
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.terminate();
    await new Promise((closed) => this.server.close(closed));
  }
}

describe("A port-forward", () => {
  let api: FakeApiServer;
  afterEach(() => api.stop());

  it("carries bytes both ways, without the port that each channel begins with", async () => {
    api = new FakeApiServer((socket, data) => socket.send(Buffer.concat([Buffer.from([0]), data])));
    const stream = await (await api.cluster()).portForward("agentweave", "pod-1", 8443);
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i & 255));
    stream.write(bytes);
    const chunks: Buffer[] = [];
    let length = 0;
    while (length < bytes.length) {
      const [chunk] = (await once(stream, "data")) as [Buffer];
      chunks.push(chunk);
      length += chunk.length;
    }
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    expect(api.paths).toEqual(["/api/v1/namespaces/agentweave/pods/pod-1/portforward?ports=8443"]);
    stream.destroy();
  });

  it("ends when the stream is destroyed", async () => {
    api = new FakeApiServer(() => {});
    const stream = await (await api.cluster()).portForward("agentweave", "pod-1", 8443);
    const closed = once(api.sockets[0]!, "close");
    stream.destroy();
    await closed;
  });

  it("fails with the node's own words when nobody listens in the pod", async () => {
    api = new FakeApiServer((socket) =>
      socket.send(Buffer.concat([Buffer.from([1]), Buffer.from("connection refused")])),
    );
    const stream = await (await api.cluster()).portForward("agentweave", "pod-1", 8443);
    const failed = once(stream, "error");
    stream.write("hello");
    expect(String((await failed)[0])).toContain("port-forward to agentweave/pod-1: connection refused");
  });

  it("ends for the reader when the API server closes it", async () => {
    api = new FakeApiServer((socket) => socket.close());
    const stream = await (await api.cluster()).portForward("agentweave", "pod-1", 8443);
    const ended = once(stream, "end");
    stream.resume();
    stream.write("hello");
    await ended;
    stream.destroy();
  });

  it("that cannot be had says so with the cloud's name and the cause", async () => {
    api = new FakeApiServer(() => {});
    const cluster = await api.cluster();
    await api.stop();
    await expect(cluster.portForward("agentweave", "pod-1", 8443)).rejects.toThrow(
      /^aws: no port-forward to pod agentweave\/pod-1: .*ECONNREFUSED/,
    );
    await expect(cluster.version()).rejects.toThrow(
      /^aws: the Kubernetes API cannot be reached to tell its version: /,
    );
  });
});
