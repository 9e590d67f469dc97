import * as https from "node:https";
import * as http from "node:http";
import { once } from "node:events";
import type { Capability } from "../../../agent/capabilities";
import { manualIdentity } from "../../support/agent/identity";
import { bundlesOf, identityIn, trustDomain } from "../../support/agent/pki";
import { ALLOW, type PolicyServer, policyServer } from "../../support/agent/policy-server";
import {
  clientOf,
  poolOf,
  request,
  rpc,
  runAgent,
  type TestAgent,
  testConfig,
} from "../../support/agent/run";

const aws = trustDomain("aws.example.org");
const gcp = trustDomain("gcp.example.org");
const caller = identityIn([gcp, aws], "/region/gcp-us-central1/agent");
const path = "/region/aws-us-east-1/agent";
const ping = { task_type: "ping" };

let policy: PolicyServer;
const running: TestAgent[] = [];

beforeAll(async () => (policy = await policyServer()));
afterEach(async () => {
  policy.answer(ALLOW);
  await Promise.all(running.splice(0).map((agent) => agent.shutdown(0)));
});
afterAll(() => policy.close());

async function start(
  source = manualIdentity(identityIn([aws, gcp], path)),
  capabilities?: ReadonlyMap<string, Capability>,
) {
  const names = capabilities && {
    agent: { capabilities: [...capabilities.keys()].map((name) => ({ name })) },
  };
  const config = testConfig({ ...names, authorization: { opa_endpoint: policy.endpoint } });
  const agent = await runAgent(config, source, capabilities && { capabilities });
  running.push(agent);
  return { agent, source, target: { address: agent.address, spiffeId: `spiffe://aws.example.org${path}` } };
}

/** A client that keeps its one connection. */
const keeping = () => poolOf(caller, `spiffe://aws.example.org${path}`, 1);

/** A capability that tells when it begins, and ends when it is let go or aborted. */
function slow() {
  let begin: () => void = () => undefined;
  let release: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const capability: Capability = {
    name: "slow",
    description: "Waits",
    run: (_payload, { signal }) =>
      new Promise((resolve, reject) => {
        release = () => resolve("done");
        signal.addEventListener("abort", () => reject(signal.reason as Error));
        begin();
      }),
  };
  return { capabilities: new Map([["slow", capability]]), begun, release: () => release() };
}

test("rotations under load lose no request and drop no connection", async () => {
  const { agent, source, target } = await start();
  const pools = [keeping(), keeping(), keeping()];
  const total = 20;
  const load = pools.map(async (pool) => {
    const sockets = new Set<unknown>();
    pool.on("free", (socket) => sockets.add(socket));
    for (let i = 0; i < total; i++) {
      const { result } = await rpc(target, caller, "task.send", ping, { agent: pool });
      expect(result?.["state"]).toBe("completed");
    }
    return sockets.size;
  });
  const rotations = (async () => {
    for (let i = 0; i < 10; i++) {
      source.set(identityIn([aws, gcp], path));
      // A new connection shows the new identity while the old ones go on.
      const { result } = await rpc(target, caller, "task.send", ping);
      expect(result?.["state"]).toBe("completed");
    }
  })();
  expect(await Promise.all(load)).toEqual([1, 1, 1]);
  await rotations;
  pools.forEach((pool) => pool.destroy());
  const metrics = await metricsOf(agent);
  expect(metrics).toMatch(/agentweave_svid_rotations_total\{[^}]*\} 10/);
});

function metricsOf(agent: TestAgent): Promise<string> {
  return plain(agent.ports.metrics as number, "/metrics").then(({ body }) => body);
}

function plain(port: number, url: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    http
      .get({ port, host: "127.0.0.1", path: url, agent: false }, (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode, body }));
      })
      .on("error", reject);
  });
}

test("a new connection shows the new certificate", async () => {
  const { source, target } = await start();
  const shown = () =>
    new Promise<string>((resolve, reject) => {
      const options = { ...clientOf(caller, target.spiffeId), agent: false, method: "GET" } as const;
      const outgoing = https.request(
        new URL("/.well-known/agent.json", target.address),
        options,
        (response) => {
          const { fingerprint256 } = (response.socket as import("node:tls").TLSSocket).getPeerCertificate();
          response.resume().on("end", () => resolve(fingerprint256));
        },
      );
      outgoing.on("error", reject).end();
    });
  const before = await shown();
  expect(await shown()).toBe(before);
  source.set(identityIn([aws, gcp], path));
  expect(await shown()).not.toBe(before);
});

test("a connection whose trust is gone ends at its next request; one whose CA rotated goes on", async () => {
  const { source, target } = await start();
  const pool = keeping();
  const send = () => rpc(target, caller, "task.send", ping, { agent: pool });
  expect((await send()).result).toBeDefined();

  const rotated = trustDomain("gcp.example.org");
  const both = new Map([...bundlesOf(aws), ["gcp.example.org", [rotated.root, gcp.root]]]);
  source.set({ ...identityIn([aws], path), bundles: both });
  expect((await send()).result).toBeDefined();

  const asked = policy.asked.length;
  source.set({ ...identityIn([aws], path), bundles: bundlesOf(aws, rotated) });
  await expect(send()).rejects.toThrow("socket hang up");
  expect(policy.asked).toHaveLength(asked);
  pool.destroy();
});

test("a connection whose peer's certificate has expired ends at its next request", async () => {
  const { target } = await start(manualIdentity(identityIn([aws, gcp], path)));
  const hour = 3_600_000;
  const expiring = identityIn([gcp, aws], "/region/gcp-us-central1/agent", {
    notAfter: new Date(Date.now() + hour),
  });
  const pool = poolOf(expiring, target.spiffeId, 1);
  const send = () => rpc(target, expiring, "task.send", ping, { agent: pool });
  expect((await send()).result).toBeDefined();
  const later = Date.now() + hour + 1000;
  const clock = jest.spyOn(Date, "now").mockImplementation(() => later);
  try {
    await expect(send()).rejects.toThrow("socket hang up");
  } finally {
    clock.mockRestore();
    pool.destroy();
  }
});

test("readiness follows the identity", async () => {
  const { agent, source } = await start(manualIdentity());
  const ready = () => plain(agent.ports.health, "/ready");
  expect(await ready()).toEqual({ status: 503, body: expect.stringContaining("no identity") as string });
  expect((await plain(agent.ports.health, "/live")).status).toBe(200);
  source.set(identityIn([aws, gcp], path));
  expect(await ready()).toEqual({ status: 200, body: '{"ready":true}' });
  source.set(identityIn([aws, gcp], path, { notAfter: new Date(Date.now() - 1000) }));
  expect((await ready()).status).toBe(503);
});

test("a shutdown is not ready at once, serves on, and finishes the request that runs", async () => {
  const { capabilities, begun, release } = slow();
  const { agent, target } = await start(undefined, capabilities);
  const pool = keeping();
  const send = (options = {}) => rpc(target, caller, "task.send", { task_type: "slow" }, options);
  const first = send({ agent: pool });
  await begun;
  const stopped = agent.shutdown(0.5);
  const ready = await plain(agent.ports.health, "/ready");
  expect(ready).toEqual({ status: 503, body: expect.stringContaining("shutting down") as string });
  const during = await request(target.address, "/.well-known/agent.json", clientOf(caller, target.spiffeId));
  expect([during.status, during.headers.connection]).toEqual([200, "close"]);
  const refused = (async () => {
    // New connections are refused some time before the shutdown is over.
    for (;;) {
      const options = clientOf(caller, target.spiffeId);
      const answer = await request(target.address, "/.well-known/agent.json", options).catch(
        (error: NodeJS.ErrnoException) => error.code,
      );
      if (answer === "ECONNREFUSED") return answer;
    }
  })();
  expect(await refused).toBe("ECONNREFUSED");
  release();
  expect((await first).result).toMatchObject({ state: "completed", result: "done" });
  await stopped;
  pool.destroy();
});

test("an agent does not start with a capability that it does not have", async () => {
  const config = testConfig({ agent: { capabilities: [{ name: "ping" }, { name: "fly" }] } });
  await expect(runAgent(config, manualIdentity())).rejects.toThrow(
    "agent.capabilities[1].name: fly is unknown",
  );
});

test("an agent whose port is taken does not start, and leaves nothing open", async () => {
  const taken = http.createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as import("node:net").AddressInfo;
  const config = testConfig({ observability: { health: { port } } });
  await expect(runAgent(config, manualIdentity())).rejects.toThrow("EADDRINUSE");
  taken.close();
});
