import { once } from "node:events";
import type { Socket } from "node:net";
import { ProxyFailed, Tunnel } from "../../../telemetry/token-renewer/proxy";
import { type ConnectProxy, connectProxy, type Misbehave } from "../../support/agent/connect-proxy";

let proxy: ConnectProxy;
beforeEach(async () => {
  proxy = await connectProxy({});
});
afterEach(() => proxy.close());

const gone = async (sockets: ReadonlySet<Socket>) => {
  for (const socket of sockets) if (!socket.closed) await once(socket, "close");
};

describe("a tunnel", () => {
  const opened = (misbehave: Misbehave) => {
    proxy.misbehave = misbehave;
    return new Tunnel(proxy.url, { host: "gcp-agent.tail1a2b3c.ts.net", port: 8443 });
  };

  test("loses none of the bytes that come with the proxy's answer", async () => {
    const tunnel = opened((socket) => void socket.end("HTTP/1.1 200 OK\r\n\r\nhello"));
    const chunks = await tunnel.setEncoding("utf8").toArray();
    expect(chunks.join("")).toBe("hello");
  });

  test("loses none of the bytes that came before the other side's end, however late they are read", async () => {
    const sent = "x".repeat(300_000);
    const tunnel = opened((socket) => void socket.end(`HTTP/1.1 200 OK\r\n\r\n${sent}`));
    await once(tunnel, "connect");
    const [client] = proxy.clients;
    let received = "";
    for await (const chunk of tunnel.setEncoding("utf8")) {
      received += String(chunk);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(received).toHaveLength(sent.length);
    if (!client!.closed) await once(client!, "close");
  });

  test("sends what was written before it was open, once it is", async () => {
    const tunnel = opened((socket) => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(socket);
    });
    tunnel.write("a");
    tunnel.write("b");
    await once(tunnel, "connect");
    tunnel.write("c");
    let text = "";
    for await (const chunk of tunnel.setEncoding("utf8")) {
      text += String(chunk);
      if (text === "abc") break;
    }
    expect(text).toBe("abc");
  });

  test("ends when the other side does, and lets go of the connection", async () => {
    const tunnel = opened((socket) => void socket.write("HTTP/1.1 200 OK\r\n\r\n"));
    await once(tunnel, "connect");
    const [client] = proxy.clients;
    tunnel.resume();
    client!.end();
    await once(tunnel, "close");
    await gone(proxy.clients);
  });

  test.each<[string, Misbehave, RegExp]>([
    ["refuses", (socket) => void socket.end("HTTP/1.1 503 Busy\r\n\r\n"), /HTTP 503 Busy/],
    ["answers garbage", (socket) => void socket.end("SSH-2.0-OpenSSH_9\r\n"), /no answer.*Parse Error/],
    [
      "has headers without end",
      (socket) => void socket.write(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(20_000)}`),
      /no answer.*Header overflow/i,
    ],
    ["hangs up", (socket) => void socket.destroy(), /does not answer/],
  ])("fails with the cause when the proxy %s", async (_, misbehave, words) => {
    const tunnel = opened(misbehave);
    const [error] = (await once(tunnel, "error").catch((thrown: unknown) => [thrown])) as [Error];
    expect(error).toBeInstanceOf(ProxyFailed);
    expect(error.message).toMatch(words);
    await gone(proxy.clients);
  });
});
