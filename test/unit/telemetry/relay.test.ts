import { once } from "node:events";
import net from "node:net";
import { connectProxy } from "../../support/agent/connect-proxy";
import { manualIdentity } from "../../support/agent/identity";
import { freePort } from "../../support/port";
import {
  closed,
  collectorIdentity,
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
    const { target: kept } = await store();
    const { port } = await receiver(kept, manualIdentity(storeIdentity()));
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
    const { target } = await store();
    const gone = await receiver(target, manualIdentity(storeIdentity()));
    const { port } = gone;
    await gone.close();
    const sending = await sender({ host: "127.0.0.1", port }, manualIdentity(collectorIdentity()));
    expect(await closed(sending.connect())).toBe("");
    expect(await sending.counted()).toEqual({ ...NOTHING, unreachable: 1 });
    const other = await receiver(target, manualIdentity(storeIdentity()));
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
    const kept = { host: "127.0.0.1", port: await freePort() };
    const receiving = await receiver(kept, manualIdentity(storeIdentity()));
    const target = { host: "127.0.0.1", port: receiving.port };
    const sending = await sender(target, manualIdentity(collectorIdentity()));
    expect(await closed(sending.connect())).toBe("");
    expect(await receiving.counted()).toEqual({ ...NOTHING, unreachable: 1 });
    expect(await sending.counted()).toEqual({ ...NOTHING, unreachable: 1 });
    await store(kept);
    expect((await read(sending.connect(), GREETING.length)).toString()).toBe(GREETING);
  });
});
