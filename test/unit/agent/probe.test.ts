import type { ServerResponse } from "node:http";
import { setImmediate } from "node:timers/promises";
import { createCalls } from "../../../agent/calls";
import { METRICS, type PeerLabels } from "../../../agent/telemetry/metrics";
import { startProbe } from "../../../agent/probe";
import { manualIdentity } from "../../support/agent/identity";
import { identityIn, trustDomain } from "../../support/agent/pki";
import { ALLOW, policyServer } from "../../support/agent/policy-server";
import { runAgent, testConfig } from "../../support/agent/run";
import {
  callsTo,
  closeAll,
  type Endpoint,
  failed,
  failure,
  nobody,
  peer,
  ping,
  reply,
  self,
  well,
} from "./calls-world";

afterEach(closeAll);

const GCP: PeerLabels = { peer: "gcp-agent", peer_cloud: "gcp" };
const stops: (() => void)[] = [];
afterEach(() => stops.splice(0).forEach((stop) => stop()));

/** Probes of the registry's one entry; `result` waits for the end of the next one, with its seconds if it was answered. */
function probing(
  endpoints: readonly Endpoint[],
  { interval = 0.01, identity = manualIdentity(self()), failures = 1000 } = {},
) {
  const retry = { max_attempts: 3, backoff_base_seconds: 0.001, backoff_max_seconds: 0.002 };
  const probe = { enabled: true, interval_seconds: interval, targets: ["agent"] };
  const world = callsTo(endpoints, { retry, circuit_breaker: { failure_threshold: failures } }, { probe });
  const { config, telemetry } = world;
  const calls = createCalls({ identity, config, telemetry });
  const waiting: ((seconds: number | undefined) => void)[] = [];
  const { probe: count } = telemetry.metrics;
  const metrics = {
    ...telemetry.metrics,
    probe: (labels: PeerLabels, seconds?: number) => {
      expect(labels).toEqual(GCP);
      count(labels, seconds);
      waiting.splice(0).forEach((resolve) => resolve(seconds));
    },
  };
  const stop = startProbe({ config, calls, identity, telemetry: { ...telemetry, metrics } });
  stops.push(stop, () => void calls.close());
  const result = () => new Promise<number | undefined>((resolve) => waiting.push(resolve));
  const up = async () => {
    const found = new RegExp(`^${METRICS.probeUp}{peer="gcp-agent",peer_cloud="gcp",.*} (.)$`, "m");
    return found.exec(await telemetry.metrics.text())?.[1];
  };
  return { ...world, calls, identity, stop, result, up };
}

test("pings a peer again and again, each time by a connection of its own, and tells how long it took", async () => {
  const there = await peer("gcp");
  const { result, up } = probing([there]);
  expect(await result()).toBeGreaterThan(0);
  await result();
  expect(there.asked.map(({ params }) => params["task_type"])).toEqual(["ping", "ping"]);
  expect(there.connections()).toBe(2);
  expect(await up()).toBe("1");
});

test("is not traced, and tells the peer so", async () => {
  const there = await peer("gcp");
  const { result, spans, telemetry } = probing([there]);
  await result();
  await telemetry.close();
  expect(spans).toEqual([]);
  expect(there.asked[0]!.headers["traceparent"]).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-00$/);
});

test.each([
  ["denies", -32000],
  ["rejects", -32602],
])("takes a peer that %s the ping for one that can be reached", async (_, code) => {
  const there = await peer(
    "gcp",
    reply((id) => failure(id, code)),
  );
  const { result, up } = probing([there]);
  expect(await result()).toBeGreaterThan(0);
  expect(await up()).toBe("1");
});

test("tries each endpoint once, and is content with one that answers", async () => {
  const there = await peer("gcp");
  const { result } = probing([nobody("gcp"), there]);
  expect(await result()).toBeGreaterThan(0);
  const { result: other, telemetry } = probing([nobody("gcp")], { interval: 1000 });
  expect(await other()).toBeUndefined();
  const errors = `${METRICS.calls}{peer="gcp-agent",peer_cloud="gcp",outcome="error",`;
  expect(await telemetry.metrics.text()).toMatch(new RegExp(`^${errors}.*} 1$`, "m"));
});

test("says once that a peer does not answer, and once that it does again", async () => {
  const there = await peer("gcp", ({ socket }) => void socket.destroy());
  const { result, up, lines } = probing([there]);
  expect([await result(), await result()]).toEqual([undefined, undefined]);
  expect(await up()).toBe("0");
  there.respond(well);
  while ((await result()) === undefined);
  expect(await up()).toBe("1");
  await setImmediate();
  expect(lines).toMatchObject([
    {
      level: "warn",
      msg: "peer does not answer",
      ...GCP,
      cause: expect.stringMatching(/no endpoint of agent/),
    },
    { level: "info", msg: "peer answers again", ...GCP },
  ]);
});

test("asks no circuit breaker, and opens none", async () => {
  const there = await peer("gcp", ({ socket }) => void socket.destroy());
  const { result, calls } = probing([there], { failures: 1 });
  expect([await result(), await result()]).toEqual([undefined, undefined]);
  expect(calls.endpoints()[0]!.breaker).toBe("closed");
  await failed(ping(calls));
  expect(calls.endpoints()[0]!.breaker).toBe("open");
  there.respond(well);
  while ((await result()) === undefined);
  expect(calls.endpoints()[0]!.breaker).toBe("open");
});

test("begins when there is an identity", async () => {
  const there = await peer("gcp");
  const identity = manualIdentity();
  const { result } = probing([there], { identity });
  await setImmediate();
  expect(there.asked).toEqual([]);
  identity.set(self());
  expect(await result()).toBeGreaterThan(0);
});

test("ends in the middle of a ping, which the peer is told of", async () => {
  const there = await peer("gcp", () => undefined);
  const asked = there.next();
  const { stop, up } = probing([there]);
  const [{ id }] = await asked;
  const next = there.next();
  stop();
  const [cancelled] = await next;
  expect(cancelled).toMatchObject({ method: "task.cancel", params: { task_id: id } });
  expect(await up()).toBeUndefined();
});

test("an agent whose configuration says so probes another, which decides about it as about any call", async () => {
  let twice: () => void;
  const pinged = new Promise<void>((resolve) => (twice = resolve));
  const policy = await policyServer((response: ServerResponse) => {
    if (policy.asked.length === 2) twice();
    response.end(JSON.stringify(ALLOW));
  });
  const [aws, gcp] = [trustDomain("aws.example.org"), trustDomain("gcp.example.org")];
  const here = identityIn([aws, gcp], "/region/aws-us-east-1/agent");
  const there = identityIn([gcp, aws], "/region/gcp-us-central1/agent");
  const target = await runAgent(
    testConfig({
      agent: { name: "gcp-agent", trust_domain: gcp.name },
      authorization: { opa_endpoint: policy.endpoint },
      metadata: { cloud: "gcp", region: "us-central1" },
    }),
    manualIdentity(there),
  );
  const agent = await runAgent(
    testConfig({
      observability: { probe: { enabled: true, interval_seconds: 0.01, targets: ["gcp_agent"] } },
      agent_registry: { gcp_agent: { spiffe_id: there.spiffeId, address: target.address, cloud: "gcp" } },
    }),
    manualIdentity(here),
  );
  await pinged;
  const ping = { action: "ping", caller_spiffe_id: here.spiffeId };
  expect(policy.asked.slice(0, 2).map(({ input }) => input)).toMatchObject([ping, ping]);
  const metrics = await (await fetch(`http://127.0.0.1:${agent.ports.metrics}/metrics`)).text();
  expect(metrics).toMatch(
    new RegExp(`^${METRICS.probeUp}{peer="gcp-agent",peer_cloud="gcp",cloud="aws",.*} 1$`, "m"),
  );
  await agent.shutdown(0);
  await target.shutdown(0);
  await policy.close();
});
