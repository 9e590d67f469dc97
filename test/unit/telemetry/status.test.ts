import { Gauge, Registry } from "prom-client";
import { startStatus, type Status } from "../../../telemetry/status";

let reason: string | undefined;
let status: Status;
beforeAll(async () => {
  const register = new Registry();
  new Gauge({ name: "answer", help: "of all", registers: [register] }).set(42);
  status = await startStatus({ host: "127.0.0.1", port: 0, register, problem: () => reason });
});
afterAll(() => status.close());

const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${status.port}${path}`, init);

test("a program is alive whatever its problem, and ready without one", async () => {
  reason = "no identity";
  expect((await get("/live")).status).toBe(200);
  const unready = await get("/ready");
  expect([unready.status, await unready.json()]).toEqual([503, { ready: false, reason: "no identity" }]);
  reason = undefined;
  expect((await get("/ready")).status).toBe(200);
});

test("its metrics are in Prometheus' text format", async () => {
  const response = await get("/metrics");
  expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(await response.text()).toContain("\nanswer 42\n");
});

test("it takes nothing in, and has nothing else", async () => {
  expect((await get("/metrics", { method: "POST", body: "x" })).status).toBe(405);
  expect((await get("/")).status).toBe(404);
});

test("a port that is taken is told of", async () => {
  const again = { host: "127.0.0.1", port: status.port, register: new Registry(), problem: () => undefined };
  await expect(startStatus(again)).rejects.toThrow("EADDRINUSE");
});
