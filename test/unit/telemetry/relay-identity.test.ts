import { once } from "node:events";
import net from "node:net";
import { bundlesOf, identityIn, pemOf } from "../../support/agent/pki";
import {
  aws,
  azure,
  closed,
  COLLECTOR,
  collectorId,
  collectorIdentity,
  endAll,
  gcp,
  greeted,
  NOTHING,
  oci,
  read,
  STORE,
  storeId,
  storeIdentity,
  world,
} from "./relay-world";

afterEach(endAll);

/** An identity under any id, by the CA of `by`. */
function forged(by: typeof azure, id: string) {
  const { cert, key } = pemOf(by.leaf(id));
  return { ...storeIdentity(), spiffeId: id, certificates: cert, key, bundles: bundlesOf(aws, gcp, azure) };
}

describe("the store's end refuses, and lets nothing through to the store,", () => {
  const day = 86_400_000;
  test.each([
    ["another identity of the collector's cloud", identityIn([gcp, aws], "/region/gcp-us-central1/agent")],
    ["a collector of a cloud that sends no traces", identityIn([oci, aws], COLLECTOR)],
    ["the collector's id by another cloud's CA", forged(azure, collectorId)],
    ["the collector's id by the home cloud's CA", forged(aws, collectorId)],
    ["two ids at once", { ...forged(gcp, collectorId), ...twoIds() }],
    [
      "a certificate that has expired",
      {
        ...identityIn([gcp, aws], COLLECTOR, {
          notBefore: new Date(Date.now() - 2 * day),
          notAfter: new Date(Date.now() - day),
        }),
        notAfter: new Date(Date.now() + day),
      },
    ],
    ["who shows no certificate", { ...collectorIdentity(), certificates: "" }],
  ])("%s", async (_who, identity) => {
    const there = await world(identity);
    expect(await closed(there.sending.connect())).toBe("");
    expect(await there.receiving.counted()).toEqual({ ...NOTHING, refused: 1 });
    expect(await there.sending.counted()).toMatchObject({ ok: 0, open: 0 });
    expect(there.sockets.size).toBe(0);
  });

  function twoIds() {
    const { cert, key } = pemOf(gcp.leaf([collectorId, `${collectorId}-2`]));
    return { certificates: cert, key };
  }

  test("everybody, while it has no identity itself", async () => {
    const there = await world();
    there.store.set(undefined);
    expect(await closed(there.sending.connect())).toBe("");
    expect(await there.receiving.counted()).toMatchObject({ ok: 0, open: 0 });
    expect(await there.sending.counted()).toEqual({ ...NOTHING, refused: 1 });
    there.store.set(storeIdentity());
    await greeted(there);
  });

  test("and counts nobody who only knocks", async () => {
    const there = await world();
    const knocking = net.connect(there.receiving.port, "127.0.0.1");
    await once(knocking, "connect");
    knocking.end("GET / HTTP/1.1\r\n\r\n");
    await closed(knocking);
    expect(await there.receiving.counted()).toEqual(NOTHING);
  });
});

describe("the collector's end refuses, and sends nothing to,", () => {
  test.each([
    ["another identity of the home cloud", identityIn([aws, gcp], "/region/aws-us-east-1/agent")],
    ["the store's name in another cloud", identityIn([azure, gcp], STORE)],
    ["the store's id by another cloud's CA", forged(azure, storeId)],
    ["the store's id by the collector's own CA", forged(gcp, storeId)],
  ])("%s", async (_who, identity) => {
    const there = await world(collectorIdentity(), identity);
    const socket = there.sending.connect();
    socket.write("spans");
    expect(await closed(socket)).toBe("");
    expect(await there.sending.counted()).toEqual({ ...NOTHING, refused: 1 });
    expect(there.sockets.size).toBe(0);
  });

  test("everybody, while it has no identity", async () => {
    const there = await world();
    there.collector.set(undefined);
    expect(await closed(there.sending.connect())).toBe("");
    expect(await there.sending.counted()).toEqual({ ...NOTHING, refused: 1 });
    expect(there.sending.causes()).toContain("this relay has no identity");
    expect(await there.receiving.counted()).toEqual(NOTHING);
  });

  test("a home cloud whose bundle it does not have", async () => {
    const there = await world(identityIn([gcp], COLLECTOR));
    expect(await closed(there.sending.connect())).toBe("");
    expect(await there.sending.counted()).toEqual({ ...NOTHING, refused: 1 });
  });
});

describe("identities change", () => {
  test("for the next connection, while those that are open go on", async () => {
    const there = await world();
    const first = await greeted(there);
    there.collector.set(collectorIdentity());
    there.store.set(storeIdentity());
    await greeted(there);
    first.write("more");
    expect((await read(first, 4)).toString()).toBe("more");
    expect(await there.receiving.counted()).toMatchObject({ ok: 2, open: 2 });
  });

  test.each(["collector", "store"] as const)(
    "and what is open ends when the %s believes the other no more",
    async (who) => {
      const there = await world();
      const socket = await greeted(there);
      const [own, path] = who === "collector" ? [gcp, COLLECTOR] : [aws, STORE];
      there[who].set(identityIn([own], path));
      await closed(socket);
      expect(await there.receiving.counted()).toMatchObject({ open: 0 });
    },
  );

  test.each(["collector", "store"] as const)(
    "and what is open ends with the certificate of the %s",
    async (who) => {
      const soon = { notAfter: new Date(Math.ceil(Date.now() / 1000) * 1000 + 1000) };
      const short =
        who === "collector" ? identityIn([gcp, aws], COLLECTOR, soon) : identityIn([aws, gcp], STORE, soon);
      const there = await (who === "collector" ? world(short) : world(collectorIdentity(), short));
      await closed(await greeted(there));
      // Each certificate is seen by both ends, and the first to act may be either.
      const lines = [...there.sending.lines, ...there.receiving.lines].map(({ msg }) => msg);
      expect(lines).toContain("connection has lived long enough");
    },
  );
});
