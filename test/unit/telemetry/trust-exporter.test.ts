import { selfSigned, spiffeBundle } from "../../support/certificate";
import { objectStore } from "../../support/object-store";
import { bundleOfRoots } from "../../../spiffe/bundle";
import { TRUST_METRICS } from "../../../telemetry/metrics";
import { pem } from "../../support/agent/pki";
import type { Certificate } from "../../support/certificate";
import { bundleEndpoint, ca, closeAll, exporting, GCP, WEEK_SECONDS } from "./trust-exporter-world";

afterEach(closeAll);

const digestOf = (...authorities: Certificate[]) =>
  bundleOfRoots(
    GCP,
    authorities.map(({ der }) => pem(der)),
  ).digest;

/** A sixth of a week is left when a CA's successor signs; a third of it is the overlap. */
const FRESH = (5 / 6) * WEEK_SECONDS;
const OVERLAP = WEEK_SECONDS / 3;

describe("A pair whose target has what the source serves", () => {
  test("is in sync, confirmed now, and has the time of a whole CA", async () => {
    const first = ca(0);
    const source = await bundleEndpoint(first);
    source.state.more = { spiffe_refresh_hint: 60 };
    const { store, next, read, clock } = await exporting(source.url);
    const round = next();
    store(first);
    await round;
    const found = await read();
    expect(found).toEqual({
      stored: digestOf(first),
      served: digestOf(first),
      endpointUp: 1,
      inSync: 1,
      confirmed: clock.now / 1000,
      refresh: 60,
      timeLeft: expect.any(Number) as number,
      overlap: expect.any(Number) as number,
    });
    expect(Math.abs((found["timeLeft"] as number) - FRESH)).toBeLessThan(60);
    expect(found["overlap"]).toBeCloseTo(OVERLAP, -1);
  });

  test("is so by an object, which has a public certificate", async () => {
    const first = ca(0);
    const bucket = await objectStore(spiffeBundle([first.der]));
    const sources = [
      { cloud: "gcp", trustDomain: GCP, bundleEndpoint: bucket.url, profile: "https_web" as const },
    ];
    const { store, next, read, lines } = await exporting(bucket.url, { sources });
    try {
      const round = next();
      store(first);
      await round;
      expect(await read()).toMatchObject({ served: digestOf(first), endpointUp: 1, inSync: 1 });
      bucket.distrust();
      await next();
      await next();
      expect(await read()).toMatchObject({ endpointUp: 0 });
      expect(JSON.stringify(lines.at(-1))).toMatch(/unable to verify|self-signed/);
    } finally {
      bucket.close();
    }
  });

  test("is told of before the first fetch as far as it is known, and not at all before the bundles are", async () => {
    const first = ca(0);
    const source = await bundleEndpoint(first);
    source.state.silent = true;
    const { store, read, get } = await exporting(source.url);
    expect(await read()).toEqual({});
    expect((await get("/ready")).status).toBe(503);
    expect((await get("/live")).status).toBe(200);
    store(first);
    expect((await get("/ready")).status).toBe(200);
    expect(await read()).toEqual({
      stored: digestOf(first),
      refresh: 300,
      overlap: expect.any(Number) as number,
    });
  });
});

describe("A rotation of the source's CA", () => {
  test("replaces the series of the digests, and is confirmed when the target has the new bundle", async () => {
    const [first, second] = [ca(84), ca(0)];
    const source = await bundleEndpoint(first);
    const { store, next, read, clock, lines } = await exporting(source.url);
    let round = next();
    store(first);
    await round;
    const before = clock.now / 1000;
    clock.now += 1000;
    source.state.authorities = [first, second];
    await next();
    await next();
    const behind = await read();
    expect(behind).toMatchObject({ stored: digestOf(first), served: digestOf(first, second), endpointUp: 1 });
    expect(behind).toMatchObject({ inSync: 0, confirmed: before });
    // Half of the first CA's life is over, and only that counts.
    expect(behind["timeLeft"]).toBeLessThan(FRESH - WEEK_SECONDS / 2 + 60);
    store(first, second);
    round = next();
    await round;
    await next();
    expect(await read()).toMatchObject({
      stored: digestOf(first, second),
      served: digestOf(first, second),
      inSync: 1,
      confirmed: clock.now / 1000,
    });
    expect(lines.map(({ stored }) => stored).filter(Boolean)).toEqual(["same", "older", "same"]);
  });
});

describe("A source that does not answer", () => {
  test("keeps what it served last, while the time left goes on", async () => {
    const first = ca(0);
    const source = await bundleEndpoint(first);
    const { store, next, read, clock, lines } = await exporting(source.url);
    const round = next();
    store(first);
    await round;
    const before = await read();
    await source.stop();
    await next();
    await next();
    clock.now += 3_600_000;
    const after = await read();
    expect(after).toEqual({
      ...before,
      endpointUp: 0,
      timeLeft: expect.closeTo((before["timeLeft"] as number) - 3600, 3) as number,
    });
    clock.now += 2 * WEEK_SECONDS * 1000;
    expect(await read()).toMatchObject({ timeLeft: 0, served: digestOf(first) });
    await source.start();
    await next();
    await next();
    expect(await read()).toMatchObject({ endpointUp: 1, confirmed: clock.now / 1000 });
    // Told once for each cause: a connection that was cut, then one that was refused.
    const causes = lines.filter(({ msg }) => msg === "bundle not fetched").map(({ cause }) => cause);
    expect(causes.length).toBeGreaterThan(0);
    expect(causes).toEqual([...new Set(causes)]);
    expect(lines.at(-1)).toMatchObject({ msg: "bundle fetched", stored: "same" });
  });

  test("is given up after the limit, and counts as a check", async () => {
    const first = ca(0);
    const source = await bundleEndpoint(first);
    source.state.silent = true;
    const { store, next, read, get, lines } = await exporting(source.url, { limitSeconds: 0.05 });
    const round = next();
    store(first);
    await round;
    expect(await read()).toMatchObject({ endpointUp: 0, confirmed: 0, stored: digestOf(first) });
    expect(lines.at(-1)).toMatchObject({ cause: "no answer within 0.05 s", source: "gcp" });
    expect(await (await get("/metrics")).text()).toMatch(
      `${TRUST_METRICS.checkDuration}_count{source="gcp"}`,
    );
  });

  test("is no source that answers as somebody else, or by a CA that the target lacks", async () => {
    const [first, second] = [ca(0), ca(0)];
    const source = await bundleEndpoint(first);
    const { store, next, read, lines } = await exporting(source.url);
    source.present(first, `spiffe://${GCP}/region/gcp-r/agent`);
    const round = next();
    store(first);
    await round;
    expect(await read()).toMatchObject({ endpointUp: 0, confirmed: 0 });
    expect(lines.at(-1)!["cause"]).toMatch(/answered instead of spiffe:\/\/gcp.example.org\/spire\/server/);
    source.present(second);
    await next();
    await next();
    expect(await read()).toMatchObject({ endpointUp: 0, confirmed: 0 });
    expect(await read()).not.toHaveProperty("served");
  });

  test("is one that serves what must not be handed on", async () => {
    const first = ca(0);
    const source = await bundleEndpoint(first);
    source.state.authorities = [{ ...first, der: selfSigned({ uri: "spiffe://elsewhere.example.org" }) }];
    const { store, next, read, lines } = await exporting(source.url);
    const round = next();
    store(first);
    await round;
    expect(await read()).toMatchObject({ endpointUp: 0 });
    expect(lines.at(-1)!["cause"]).toMatch(/an authority of spiffe:\/\/elsewhere/);
  });
});

describe("A target", () => {
  test("that has nothing of the source has no time left", async () => {
    const first = ca(0);
    const source = await bundleEndpoint(first);
    const { store, next, read } = await exporting(source.url);
    let round = next();
    store();
    await round;
    expect(await read()).toEqual({ endpointUp: 0, inSync: 0, timeLeft: 0, confirmed: 0, refresh: 300 });
    round = next();
    store(first);
    await round;
    await next();
    expect(await read()).toMatchObject({ stored: digestOf(first), inSync: 1 });
    store();
    expect(await read()).toMatchObject({ inSync: 0, timeLeft: 0, served: digestOf(first) });
    expect(await read()).not.toHaveProperty("stored");
  });

  test("that has another bundle than the one served has no time left", async () => {
    const [first, second] = [ca(0), ca(0)];
    const source = await bundleEndpoint(first);
    source.state.authorities = [second];
    const { store, next, read } = await exporting(source.url);
    const round = next();
    store(first);
    await round;
    expect(await read()).toMatchObject({ endpointUp: 1, inSync: 0, timeLeft: 0, confirmed: 0 });
  });

  test("keeps its bundles when the Workload API is gone and the identity has expired", async () => {
    const first = ca(0);
    const source = await bundleEndpoint(first);
    const { store, lose, next, read, get } = await exporting(source.url);
    const round = next();
    store(first);
    await round;
    lose();
    await next();
    await next();
    expect(await read()).toMatchObject({ stored: digestOf(first), inSync: 1, endpointUp: 1 });
    expect((await get("/ready")).status).toBe(200);
  });

  test("tells when the last CA of its own bundle expires", async () => {
    const source = await bundleEndpoint(ca(0));
    const { store, next, get, aws } = await exporting(source.url);
    const round = next();
    store();
    await round;
    const expiry = Date.parse(bundleOfRoots(aws.name, [aws.root]).expiresAt) / 1000;
    const text = await (await get("/metrics")).text();
    expect(text).toContain(`${TRUST_METRICS.caExpiry}{trust_domain="aws.example.org"} ${expiry}\n`);
  });
});

test("An exporter ends in the middle of a check, and has all the metrics that rules and dashboards know", async () => {
  const first = ca(0);
  const source = await bundleEndpoint(first);
  source.state.silent = true;
  const { store, get, close } = await exporting(source.url);
  store(first);
  const text = await (await get("/metrics")).text();
  const described = [...text.matchAll(/^# HELP (agentweave_\w+)/gm)].map(([, name]) => name);
  expect(described.sort()).toEqual(Object.values(TRUST_METRICS).sort());
  await close();
});
