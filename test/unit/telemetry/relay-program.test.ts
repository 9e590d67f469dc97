import { once } from "node:events";
import net from "node:net";
import { Duplex } from "node:stream";
import { ConfigError } from "../../../agent/config/config-error";
import { relay } from "../../../telemetry/relay";
import { join } from "../../../telemetry/relay/join";
import { parseSettings } from "../../../telemetry/relay/settings";
import { freePort } from "../../support/port";
import {
  type WorkloadApiServer,
  workloadApiServer,
  x509SvidResponse,
} from "../../support/agent/workload-api";
import type { TrustDomain } from "../../support/agent/pki";
import { aws, collectorId, endAll, gcp, GREETING, read, store, storeId } from "./relay-world";

afterEach(endAll);

const PLACE = ["--status", "127.0.0.1:9464", "--cloud", "gcp", "--region", "us-central1"];
const SEND = ["send", "--listen", "127.0.0.2:14317", "--target", "traces.example.org:4317"];
const RECEIVE = ["receive", "--listen", "0.0.0.0:4317", "--target", "127.0.0.2:14317"];

describe("the arguments", () => {
  test("of the collector's end are an address, one peer, and perhaps a proxy", () => {
    const given = [...SEND, "--peer", storeId, "--proxy", "http://127.0.0.1:1055", ...PLACE];
    expect(parseSettings(given)).toEqual({
      direction: "send",
      listen: { host: "127.0.0.2", port: 14317 },
      target: { host: "traces.example.org", port: 4317 },
      peers: [storeId],
      proxy: "http://127.0.0.1:1055/",
      status: { host: "127.0.0.1", port: 9464 },
      cloud: "gcp",
      region: "us-central1",
    });
  });

  test("of the store's end are a port, and all of its peers", () => {
    const given = [...RECEIVE, "--peer", storeId, "--peer", collectorId, ...PLACE];
    expect(parseSettings(given)).toMatchObject({
      direction: "receive",
      listen: { host: "0.0.0.0", port: 4317 },
      target: { host: "127.0.0.2", port: 14317 },
      peers: [storeId, collectorId],
    });
  });

  test.each([
    ["[2001:db8::1]:4317", { host: "2001:db8::1", port: 4317 }],
    ["10.0.0.1:80", { host: "10.0.0.1", port: 80 }],
  ])("may name the other end by its IP address: %s", (target, expected) => {
    const given = ["send", "--listen", "127.0.0.1:1", "--target", target, "--peer", storeId, ...PLACE];
    expect(parseSettings(given)).toMatchObject({ target: expected });
  });

  test("are told with everything that is wrong about them at once", () => {
    const given = [
      "send",
      "--listen",
      "unix:/run/x.sock",
      "--target",
      "traces",
      "--peer",
      "jaeger",
      "--cloud",
      "",
    ];
    const problems = () => {
      try {
        parseSettings([...given, "--proxy", "socks5://localhost:1"]);
      } catch (error) {
        return (error as ConfigError).problems.map((problem) => problem.split(":")[0]);
      }
      return [];
    };
    expect(problems()).toEqual(
      expect.arrayContaining([
        "--listen",
        "--target",
        "--peer",
        "--proxy",
        "--cloud",
        "--status",
        "--region",
      ]),
    );
  });

  test.each([
    [["both", ...RECEIVE.slice(1), "--peer", storeId, ...PLACE]],
    [[...SEND, "--peer", storeId, "--peer", collectorId, ...PLACE]],
    [[...RECEIVE, ...PLACE]],
    [[...RECEIVE, "--peer", storeId, "--verbose", ...PLACE]],
  ])("are refused as a mistake of their writer: %j", (given) => {
    expect(() => parseSettings(given)).toThrow(ConfigError);
  });
});

test("what one side does not take is not read from the other", async () => {
  const CHUNK = Buffer.alloc(16 * 2 ** 10);
  let given = 0;
  const source = new Duplex({
    read() {
      given += 1;
      this.push(CHUNK);
    },
    write: (_chunk, _encoding, done) => done(),
  });
  const stuck = new Duplex({ read: () => undefined, write: () => undefined });
  join(source, stuck);
  // Every turn of the event loop would read more, if it could.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(given * CHUNK.length).toBeLessThan(4 * stuck.writableHighWaterMark + 4 * CHUNK.length);
  const gone = once(stuck, "close");
  source.destroy();
  await gone;
});

describe("the program", () => {
  const apis: WorkloadApiServer[] = [];
  const before = process.env["SPIFFE_ENDPOINT_SOCKET"];
  afterEach(() => {
    process.env["SPIFFE_ENDPOINT_SOCKET"] = before;
    if (before === undefined) delete process.env["SPIFFE_ENDPOINT_SOCKET"];
    apis.splice(0).forEach((api) => api.close());
  });

  /** Starts a relay whose Workload API issues nothing until `issue` is called. */
  async function start(own: TrustDomain, other: TrustDomain, id: string, args: string[]) {
    const api = await workloadApiServer();
    apis.push(api);
    process.env["SPIFFE_ENDPOINT_SOCKET"] = api.endpoint;
    const status = await freePort();
    const running = await relay([...args, "--status", `127.0.0.1:${status}`, ...PLACE.slice(2)]);
    const page = async (name: string) => {
      const response = await fetch(`http://127.0.0.1:${status}${name}`);
      return { status: response.status, text: await response.text() };
    };
    const ready = async () => {
      while ((await page("/ready")).status !== 200) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    const issue = () =>
      api.send(
        x509SvidResponse([{ spiffeId: id, chain: [own.leaf(id)], bundle: [own.ca] }], {
          [`spiffe://${other.name}`]: [other.ca],
        }),
      );
    return { ...running, page, ready, issue };
  }

  test("is ready when it has an identity, tells of it, and leaves nothing behind", async () => {
    const { target } = await store();
    const port = await freePort();
    const intake = `127.0.0.1:${await freePort()}`;
    const receiving = await start(aws, gcp, storeId, [
      ...["receive", "--listen", intake, "--target", `127.0.0.1:${target.port}`, "--peer", collectorId],
    ]);
    const sending = await start(gcp, aws, collectorId, [
      ...["send", "--listen", `127.0.0.1:${port}`, "--target", intake, "--peer", storeId],
    ]);
    expect(await sending.page("/live")).toMatchObject({ status: 200 });
    expect(await sending.page("/ready")).toMatchObject({ status: 503 });
    receiving.issue();
    sending.issue();
    await Promise.all([receiving.ready(), sending.ready()]);

    const socket = net.connect(port, "127.0.0.1");
    expect((await read(socket, GREETING.length)).toString()).toBe(GREETING);
    const { text } = await sending.page("/metrics");
    expect(text).toMatch(/^agentweave_relay_connections_total\{direction="send",outcome="ok",.*\} 1$/m);
    expect(text).toMatch(/^agentweave_relay_svid_expiry_timestamp_seconds\{cloud="gcp",.*\} [1-9][0-9]{9}$/m);

    const gone = once(socket, "close");
    await Promise.all([sending.close(), receiving.close()]);
    await gone;
    await expect(once(net.connect(port, "127.0.0.1"), "connect")).rejects.toThrow("ECONNREFUSED");
    await expect(sending.page("/live")).rejects.toThrow();
  });
});
