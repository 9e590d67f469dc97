import { once } from "node:events";
import { bundlesOf } from "../../support/agent/pki";
import { aws, azure, callsTo, closeAll, failed, peer, ping, self, well } from "./calls-world";

afterEach(closeAll);

describe("a rotation of the caller's identity", () => {
  test("lets calls under way finish, and makes later ones with the new identity", async () => {
    const there = await peer("gcp");
    const { calls, identity } = callsTo([there]);
    await ping(calls);
    let answer: () => void = () => undefined;
    there.respond((asked, response) => void (answer = () => well(asked, response)));
    const arrived = there.next();
    const underWay = ping(calls);
    await arrived;
    identity.set(self());
    there.respond(well);
    await ping(calls);
    const [, old, renewed] = there.asked.map(({ socket }) => socket);
    expect(renewed!.getPeerCertificate().serialNumber).not.toBe(old!.getPeerCertificate().serialNumber);
    const closed = once(old!, "close");
    answer();
    expect((await underWay).task.state).toBe("completed");
    await closed;
  });

  test("loses no call under load", async () => {
    const there = await peer("gcp");
    const { calls, identity } = callsTo([there], { connection_pool: { max_connections: 3 } });
    let next = 0;
    const worker = async () => {
      while (next < 200) {
        if (next++ % 20 === 0) identity.set(self());
        expect((await ping(calls)).attempts).toHaveLength(1);
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    expect(there.asked.length).toBeGreaterThanOrEqual(200);
    expect(there.connections()).toBeGreaterThan(3);
  });

  test("ends idle connections", async () => {
    const there = await peer("gcp");
    const { calls, identity } = callsTo([there]);
    await ping(calls);
    const closed = once(there.asked[0]!.socket, "close");
    identity.set(self());
    await closed;
  });

  test("ends calls to a peer whose trust domain is trusted no more", async () => {
    const there = await peer("gcp");
    const { calls, identity } = callsTo([there]);
    await ping(calls);
    identity.set({ ...self(), bundles: bundlesOf(aws, azure) });
    expect((await failed(ping(calls))).message).toContain("no bundle of trust domain gcp.example.org");
  });

  test("is not needed for a connection to end with the peer's certificate", async () => {
    const there = await peer("gcp", well, { leaf: { notAfter: new Date(Date.now() + 30_000) } });
    const { calls } = callsTo([there]);
    await ping(calls);
    await ping(calls);
    expect(there.connections()).toBe(2);
  });
});
