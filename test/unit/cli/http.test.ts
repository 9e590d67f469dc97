import { once } from "node:events";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { connectKubernetes } from "../../../cli/cluster";
import { podHttp } from "../../../cli/http";

/** An API server whose port-forwards reach one HTTP server, by the legacy WebSocket protocol: channel 0 is data, channel 1 errors. */
class ForwardingApiServer {
  readonly #server = new WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    handleProtocols: () => "v4.channel.k8s.io",
  });
  readonly sockets: WebSocket[] = [];
  readonly #tcp: net.Socket[] = [];

  constructor(target: number) {
    this.#server.on("connection", (socket) => {
      this.sockets.push(socket);
      const pod = net.connect(target, "127.0.0.1");
      this.#tcp.push(pod);
      const send = (channel: number, data: Buffer) =>
        socket.send(Buffer.concat([Buffer.from([channel]), data]));
      const port = Buffer.from([80, 0]);
      send(0, port);
      send(1, port);
      pod.on("data", (data) => send(0, data)).on("close", () => socket.close());
      socket
        .on("message", (message: Buffer) => pod.write(message.subarray(1)))
        .on("close", () => pod.destroy());
    });
  }

  async start() {
    if (!this.#server.address()) await once(this.#server, "listening");
    const server = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    const kubeconfig = JSON.stringify({
      clusters: [{ name: "c", cluster: { server, "insecure-skip-tls-verify": true } }],
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

  async stop() {
    for (const socket of this.sockets) socket.terminate();
    for (const socket of this.#tcp) socket.destroy();
    await new Promise((closed) => this.#server.close(closed));
  }
}

describe("HTTP through a port-forward", () => {
  const page = "x".repeat(300_000);
  let answers: boolean;
  let server: http.Server;
  let api: ForwardingApiServer;
  let pod: ReturnType<typeof podHttp>;
  beforeEach(async () => {
    answers = true;
    server = http.createServer((request, response) => {
      if (answers) response.end(`${request.url} of ${request.headers.host}: ${page}`);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    api = new ForwardingApiServer((server.address() as AddressInfo).port);
    const cluster = await api.start();
    pod = podHttp(() => cluster.portForward("observability", "prometheus-0", 80));
  });
  afterEach(async () => {
    pod.close();
    await api.stop();
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });

  const get = (path: string, signal = new AbortController().signal) => pod.get(path, signal);

  it("brings whole answers, one after another over the same one", async () => {
    for (const path of ["/a", "/b?c=%7B"]) {
      expect(await get(path)).toEqual({ status: 200, body: `${path} of localhost: ${page}` });
    }
    expect(api.sockets).toHaveLength(1);
  });

  it("is opened anew after the API server has closed it", async () => {
    await get("/a");
    const closed = once(api.sockets[0]!, "close");
    api.sockets[0]!.close();
    await closed;
    expect((await get("/b")).status).toBe(200);
    expect(api.sockets).toHaveLength(2);
  });

  it("fails a request that is cut in the middle, and only that one", async () => {
    answers = false;
    const asked = once(server, "request");
    const failed = expect(get("/a")).rejects.toThrow(/hang up|closed/);
    await asked;
    api.sockets[0]!.terminate();
    await failed;
    answers = true;
    expect((await get("/b")).status).toBe(200);
  });

  it("ends with a request that is given up, in the words of who gave it up", async () => {
    answers = false;
    const asked = once(server, "request");
    const controller = new AbortController();
    const failed = expect(get("/a", controller.signal)).rejects.toThrow("enough");
    await asked;
    const closed = once(api.sockets[0]!, "close");
    controller.abort(new Error("enough"));
    await Promise.all([failed, closed]);
  });

  it("is never opened for a request that was given up before", async () => {
    await expect(get("/a", AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
    expect(api.sockets).toHaveLength(0);
  });

  it("ends when it is closed", async () => {
    await get("/a");
    const closed = once(api.sockets[0]!, "close");
    pod.close();
    await closed;
  });
});
