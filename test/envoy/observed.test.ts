// What Envoys tell of calls: counters by peer and outcome, a log with both identities, and one trace over all of them.
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Asked, callThrough, message } from "./support/caller";
import { until } from "../support/daemon";
import { whileStopped } from "../support/stopped";
import {
  type CallOutcome,
  callSpan,
  CLUSTER_LABEL,
  CONNECTION_TAGS,
  ENVOY_METRICS,
  processSpan,
  type RequestOutcome,
} from "../../components/envoy/metrics";
import { EnvoyMesh } from "./support/mesh";

let mesh: EnvoyMesh;
let collector: Server;
let spans = "";

const PROTOCOLS = { agent: "agentweave", worker: "a2a" } as const;

beforeAll(async () => {
  collector = createServer((request, response) => {
    request.setEncoding("latin1").on("data", (text: string) => (spans += text));
    request.on("end", () => response.end());
  }).listen(0, "127.0.0.1");
  await once(collector, "listening");
  mesh = await EnvoyMesh.start({
    members: ["aws", "gcp"].map((cloud) => ({
      cloud,
      region: "r",
      trustDomain: `${cloud}.example.org`,
      roles: Object.keys(PROTOCOLS),
      protocols: PROTOCOLS,
    })),
    policy: {
      calls: [{ from: { cloud: "aws", role: "agent" }, to: { cloud: "gcp", role: "worker" } }],
      relays: [],
    },
    collector: (collector.address() as AddressInfo).port,
    run: [
      { cloud: "aws", role: "agent" },
      { cloud: "gcp", role: "agent" },
      { cloud: "gcp", role: "worker" },
    ],
  });
}, 120_000);
afterAll(async () => {
  await mesh?.stop();
  collector.close();
}, 30_000);

const call = (from: string, host: string, asked: Asked) =>
  callThrough(mesh.agent(from).ports.outbound, host, asked);

/** Value of the series with these labels, whatever else it has; 0 where there is none. */
async function value(agent: string, name: string, labels: Readonly<Record<string, string>>): Promise<number> {
  const url = `http://127.0.0.1:${mesh.agent(agent).ports.status}/metrics`;
  const series = (await (await fetch(url)).text())
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`))
    .filter((line) => Object.entries(labels).every(([label, text]) => line.includes(`${label}="${text}"`)));
  return series.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

const calls = (outcome: CallOutcome) =>
  value("aws-agent", ENVOY_METRICS.calls, { peer: "gcp-worker", peer_cloud: "gcp", outcome });
const requests = (outcome: RequestOutcome) => value("gcp-worker", ENVOY_METRICS.requests, { outcome });

const send = { body: message("SendMessage") };

test("each end of a call is counted, by the caller for its peer and by the peer", async () => {
  await call("aws-agent", "gcp-worker.mesh", send);
  expect([await calls("ok"), await requests("ok")]).toEqual([1, 1]);
  await call("aws-agent", "gcp-worker.mesh", { body: message("DoAnything") });
  expect([await calls("denied"), await requests("denied")]).toEqual([1, 1]);
  await call("aws-agent", "gcp-worker.mesh", { ...send, path: "/undecided" });
  expect([await calls("failed"), await requests("failed")]).toEqual([1, 1]);
  await whileStopped(mesh.opas.get("gcp")!.pid, () => call("aws-agent", "gcp-worker.mesh", send));
  // The first attempt and two more.
  expect([await calls("undecided"), await requests("undecided")]).toEqual([3, 3]);
  expect(await calls("unreachable")).toBe(0);
  // Health checks come all the time, and are none.
  expect(await value("gcp-agent", ENVOY_METRICS.requests, {})).toBe(0);
});

test("a peer can invent no series", async () => {
  await call("aws-agent", "gcp-worker.mesh", {
    ...send,
    path: "/undecided",
    headers: { "x-mesh-decision": "any" },
  });
  const outcomes = async () => {
    const url = `http://127.0.0.1:${mesh.agent("aws-agent").ports.status}/metrics`;
    return [...(await (await fetch(url)).text()).matchAll(/outcome="(\w+)"/g)].map(([, outcome]) => outcome);
  };
  expect(new Set(await outcomes())).toEqual(new Set(["ok", "denied", "failed", "undecided"]));
});

test("the names of rules and dashboards are Envoy's", async () => {
  // A histogram is there once something was observed, and a counter of the mesh once something was counted.
  await until(
    "histograms are merged",
    async () => (await value("aws-agent", `${ENVOY_METRICS.callDuration}_count`, {})) > 0,
  );
  for (const [what, name] of Object.entries(ENVOY_METRICS)) {
    const agent = name.includes("_mesh_request") ? "gcp-worker" : "aws-agent";
    const url = `http://127.0.0.1:${mesh.agent(agent).ports.status}/metrics`;
    expect([what, (await (await fetch(url)).text()).includes(`# TYPE ${name} `)]).toEqual([what, true]);
  }
  const labels = { [CLUSTER_LABEL]: "gcp/worker" };
  expect(await value("aws-agent", ENVOY_METRICS.healthy, labels)).toBe(1);
});

test("one trace goes from the caller's Envoy to the peer's, and names dialling and the handshake", async () => {
  await until("spans arrive", () =>
    [callSpan("gcp-worker"), processSpan("gcp-worker")].every((name) => spans.includes(name)),
  );
  for (const tag of [...Object.values(CONNECTION_TAGS), mesh.agent("aws-agent").spiffeId])
    expect(spans).toContain(tag);
  // Where the agent is, by which `mesh trace` tells the way of a trace.
  for (const [key, value] of Object.entries({ cloud: "gcp", region: "r", role: "worker" }))
    expect(spans).toMatch(new RegExp(`\\n.${key}\\x12.\\n.${value}\\n`, "s"));
});

test("both Envoys log a request with both identities and its trace, in JSON whatever the caller wrote", async () => {
  await call("aws-agent", "gcp-worker.mesh", {
    ...send,
    path: "/logged?%1b[2J",
    headers: { traceparent: "00-11111111111111111111111111111111-2222222222222222-01" },
  });
  const logged = (agent: string) =>
    mesh
      .agent(agent)
      .envoy.printed.split("\n")
      .filter((line) => line.includes("/logged"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  await until("the lines are written", () =>
    ["aws-agent", "gcp-worker"].every((agent) => logged(agent).length > 0),
  );
  const parties = { caller: mesh.agent("aws-agent").spiffeId, agent: mesh.agent("gcp-worker").spiffeId };
  const line = { ...parties, trace_id: "1".repeat(32), method: "POST", status: 200 };
  expect(logged("aws-agent")).toEqual([
    expect.objectContaining({ ...line, peer: "gcp-worker", attempts: 1 }),
  ]);
  expect(logged("gcp-worker")).toEqual([expect.objectContaining(line)]);
});

test("a peer that is gone, and what is there in its place, are told apart", async () => {
  await mesh.agent("gcp-worker").envoy.stop();
  const answer = await call("aws-agent", "gcp-worker.mesh", send);
  expect(answer).toMatchObject({ status: 503 });
  expect(JSON.parse(answer.body)).toMatchObject({
    error: { code: -32050, message: expect.stringMatching(/^gcp-worker\.mesh: .*refused/) },
  });
  expect([await calls("unreachable"), await calls("refused")]).toEqual([3, 0]);
});
