// An HTTP CONNECT proxy on loopback, as a tailscale sidecar has one: it knows hosts that no DNS has.
import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";
import net, { type AddressInfo, type Socket } from "node:net";

/** What the proxy does with a request instead of opening the tunnel; it has the client's socket to itself. */
export type Misbehave = (socket: Socket, request: IncomingMessage) => void;

export interface ConnectProxy {
  readonly url: string;
  /** `host:port` of every CONNECT. */
  readonly asked: string[];
  /** Connections of clients that are open now. */
  readonly clients: ReadonlySet<Socket>;
  /** Connections to the hosts behind it. */
  readonly tunnels: ReadonlySet<Socket>;
  /** Undefined: opens tunnels again. */
  misbehave?: Misbehave;
  /** The next CONNECT. */
  next(): Promise<unknown>;
  close(): Promise<void>;
}

/** Starts one. `hosts` are the ports on 127.0.0.1 by the `host:port` that clients ask for. */
export async function connectProxy(hosts: Record<string, number>): Promise<ConnectProxy> {
  const clients = new Set<Socket>();
  const tunnels = new Set<Socket>();
  const server = http.createServer();
  const keep = (set: Set<Socket>, socket: Socket) => {
    set.add(socket);
    socket.on("error", () => undefined).once("close", () => set.delete(socket));
  };
  server.on("connection", (socket: Socket) => keep(clients, socket));
  server.on("connect", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    proxy.asked.push(request.url!);
    server.emit("asked");
    if (proxy.misbehave) {
      // Who does not read does not learn that the client has gone.
      socket.resume().once("end", () => socket.end());
      return proxy.misbehave(socket, request);
    }
    const port = hosts[request.url!];
    if (port === undefined)
      return socket.end(
        "HTTP/1.1 500 Internal Server Error\r\nTailscale-Connect-Error: no such host\r\n\r\nno such host\n",
      );
    const tunnel = net.connect(port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      tunnel.write(head);
      socket.pipe(tunnel).pipe(socket);
    });
    keep(tunnels, tunnel);
    tunnel.once("close", () => socket.destroy());
    socket.once("close", () => tunnel.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy: ConnectProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    clients,
    tunnels,
    next: () => once(server, "asked"),
    close: async () => {
      for (const socket of [...clients, ...tunnels]) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
  return proxy;
}
