import { once } from "node:events";
import { existsSync, renameSync, utimesSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { connectProxy } from "../../support/agent/connect-proxy";
import { manualIdentity } from "../../support/agent/identity";
import {
  closed,
  collectorIdentity,
  directory,
  endAll,
  GREETING,
  greeted,
  NOTHING,
  read,
  receiver,
  sender,
  store,
  storeIdentity,
  world,
} from "./relay-world";

afterEach(endAll);

describe("between the collector and the store that it means", () => {
  test("bytes pass both ways, and are counted as one connection at either end", async () => {
    const there = await world();
    const socket = await greeted(there);
    const sent = Buffer.alloc(4 * 2 ** 20, "spans ");
    socket.write(sent);
    expect((await read(socket, sent.length)).equals(sent)).toBe(true);
    expect(await there.sending.counted()).toEqual({ ...NOTHING, ok: 1, open: 1 });
    expect(await there.receiving.counted()).toEqual({ ...NOTHING, ok: 1, open: 1 });
  });

  test("the collector's end reaches the store after all that came before it", async () => {
    const there = await world();
    const socket = await greeted(there);
    const [behind] = there.sockets;
    const chunks: Buffer[] = [];
    behind!
      .unpipe()
      .on("data", (chunk: Buffer) => void chunks.push(chunk))
      .resume();
    const ended = once(behind!, "end");
    socket.end("the last spans");
    await ended;
    expect(Buffer.concat(chunks).toString()).toBe("the last spans");
    await closed(socket);
  });

  test.each(["collector", "store"])(
    "a connection that is cut at the %s is cut at the other, too",
    async (which) => {
      const there = await world();
      const socket = await greeted(there);
      const [behind] = there.sockets;
      const [cut, other] = which === "collector" ? [socket, behind!] : [behind!, socket];
      const gone = once(other, "close");
      other.resume();
      cut.destroy();
      await gone;
      expect(await there.sending.counted()).toMatchObject({ ok: 1, open: 0 });
    },
  );

  test("there are no more connections than a collector needs", async () => {
    const there = await world();
    const open = [];
    while (open.length < 16) open.push(await greeted(there));
    expect(await closed(there.sending.connect())).toBe("");
    const gone = once(open[0]!.resume(), "close");
    for (const socket of there.sockets) socket.destroy();
    await gone;
    await greeted(there);
  });

  test("a proxy is asked for the store's name, which it alone may know", async () => {
    const socketPath = path.join(directory(), "store.sock");
    await store(socketPath);
    const { port } = await receiver(socketPath, manualIdentity(storeIdentity()));
    const proxy = await connectProxy({ "aws-traces.tail1a2b3c.ts.net:4317": port });
    try {
      const target = { host: "aws-traces.tail1a2b3c.ts.net", port: 4317 };
      const through = await sender(target, manualIdentity(collectorIdentity()), { proxy: proxy.url });
      (await greeted({ sending: through })).destroy();
      const lost = await sender({ ...target, port: 4318 }, manualIdentity(collectorIdentity()), {
        proxy: proxy.url,
      });
      expect(await closed(lost.connect())).toBe("");
      expect(await lost.counted()).toEqual({ ...NOTHING, unreachable: 1 });
      expect(lost.causes().join()).toContain("no such host");
    } finally {
      await endAll();
      await proxy.close();
    }
  });
});

describe("while something is down", () => {
  test("the collector's end keeps on listening, and gets through once the other end is there", async () => {
    const socketPath = path.join(directory(), "store.sock");
    await store(socketPath);
    const gone = await receiver(socketPath, manualIdentity(storeIdentity()));
    const { port } = gone;
    await gone.close();
    const sending = await sender({ host: "127.0.0.1", port }, manualIdentity(collectorIdentity()));
    expect(await closed(sending.connect())).toBe("");
    expect(await sending.counted()).toEqual({ ...NOTHING, unreachable: 1 });
    const other = await receiver(socketPath, manualIdentity(storeIdentity()));
    const up = await sender({ host: "127.0.0.1", port: other.port }, manualIdentity(collectorIdentity()));
    await greeted({ sending: up });
  });

  test("the collector's end counts what speaks no TLS as unreachable, not as refused", async () => {
    const server = net.createServer(
      (socket) => void socket.on("error", () => undefined).end("HTTP/1.1 400\r\n"),
    );
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as net.AddressInfo;
    const sending = await sender({ host: "127.0.0.1", port }, manualIdentity(collectorIdentity()));
    try {
      expect(await closed(sending.connect())).toBe("");
      expect(await sending.counted()).toEqual({ ...NOTHING, unreachable: 1 });
    } finally {
      server.close();
    }
  });

  test("the store's end counts the store as unreachable, not the collector as refused", async () => {
    const socketPath = path.join(directory(), "store.sock");
    const receiving = await receiver(socketPath, manualIdentity(storeIdentity()));
    const target = { host: "127.0.0.1", port: receiving.port };
    const sending = await sender(target, manualIdentity(collectorIdentity()));
    expect(await closed(sending.connect())).toBe("");
    expect(await receiving.counted()).toEqual({ ...NOTHING, unreachable: 1 });
    expect(await sending.counted()).toEqual({ ...NOTHING, unreachable: 1 });
    await store(socketPath);
    expect((await read(sending.connect(), GREETING.length)).toString()).toBe(GREETING);
  });

  /** What is left of the socket of a process that was killed, `age` milliseconds ago. */
  async function deadSocket(age: number): Promise<string> {
    const dir = directory();
    const server = net.createServer().listen(path.join(dir, "alive.sock"));
    await once(server, "listening");
    const dead = path.join(dir, "dead.sock");
    // Under another name, it is not found and removed by who closes it.
    renameSync(path.join(dir, "alive.sock"), dead);
    server.close();
    await once(server, "close");
    const then = new Date(Date.now() - age);
    utimesSync(dead, then, then);
    return dead;
  }

  test("the store's end removes the socket of a store that died, so that its successor can have it", async () => {
    // Its pod is not ready without a store, so that no collector ever connects.
    const dead = await deadSocket(60_000);
    const receiving = await receiver(dead, manualIdentity(storeIdentity()));
    while (existsSync(dead)) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(existsSync(dead)).toBe(false);
    await store(dead);
    const target = { host: "127.0.0.1", port: receiving.port };
    await greeted({ sending: await sender(target, manualIdentity(collectorIdentity())) });
  });

  test("but not one that was made a moment ago, whose store may be about to listen", async () => {
    const dead = await deadSocket(0);
    await receiver(dead, manualIdentity(storeIdentity()));
    await new Promise((resolve) => setTimeout(resolve, 2_500)); // it was looked at once
    expect(existsSync(dead)).toBe(true);
  });
});
