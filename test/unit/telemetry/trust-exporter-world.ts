// The trust exporter of AWS and one source, Google Cloud: a real bundle endpoint on loopback, identities by hand, a clock by hand.
import { once } from "node:events";
import https from "node:https";
import type { AddressInfo } from "node:net";
import pino from "pino";
import { serverSpiffeId } from "../../../spiffe/spiffe-id";
import { TRUST_METRICS } from "../../../telemetry/metrics";
import type { TrustExporterConfig } from "../../../telemetry/trust-exporter/config";
import { startTrustExporter } from "../../../telemetry/trust-exporter/exporter";
import { manualIdentity } from "../../support/agent/identity";
import { identityIn, pem, pemOf, trustDomain } from "../../support/agent/pki";
import { type Certificate, issue, spiffeBundle } from "../../support/certificate";

export const GCP = "gcp.example.org";
const HOUR = 3_600_000;
export const WEEK_SECONDS = 168 * 3600;

const opened: (() => unknown)[] = [];
/** For `afterEach`. */
export async function closeAll(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close();
}

/** A CA of Google Cloud that lives for a week and has so many hours behind it. */
export function ca(hours: number): Certificate {
  const notBefore = new Date(Date.now() - hours * HOUR);
  return issue({ uri: `spiffe://${GCP}`, notBefore, notAfter: new Date(notBefore.getTime() + 168 * HOUR) });
}

/** An https_spiffe endpoint that a test rotates. */
export async function bundleEndpoint(signer: Certificate) {
  const state = { authorities: [signer], more: {} as Record<string, unknown>, silent: false };
  const server = https.createServer({ minVersion: "TLSv1.3" });
  const present = (by: Certificate, id = serverSpiffeId(GCP)) => {
    const { cert, key } = pemOf(issue({ uri: id, ca: false, issuer: by }));
    server.setSecureContext({ cert, key, minVersion: "TLSv1.3" });
  };
  present(signer);
  server.on("tlsClientError", () => {});
  server.on("request", (_request, response) => {
    if (state.silent) return;
    response.end(
      spiffeBundle(
        state.authorities.map(({ der }) => der),
        state.more,
      ),
    );
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  opened.push(stop);
  return { url: `https://127.0.0.1:${port}`, state, present, stop, start: () => listen(port) };
}

/** An exporter, and what it tells. `next` waits for the end of the next round of checks. */
export async function exporting(bundleEndpoint: string, changes: Partial<TrustExporterConfig> = {}) {
  const aws = trustDomain("aws.example.org");
  const config: TrustExporterConfig = {
    cloud: "aws",
    region: "us-east-1",
    trustDomain: aws.name,
    spiffeEndpoint: "unix:///nowhere",
    status: { host: "127.0.0.1", port: 0 },
    intervalSeconds: 0.01,
    limitSeconds: 5,
    refreshSeconds: 300,
    sources: [{ cloud: "gcp", trustDomain: GCP, bundleEndpoint }],
    ...changes,
  };
  const identity = manualIdentity();
  const clock = { now: Date.now() };
  const waiting: (() => void)[] = [];
  const lines: Record<string, unknown>[] = [];
  const exporter = await startTrustExporter({
    config,
    identity,
    log: pino(
      { base: {} },
      { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
    ),
    now: () => clock.now,
    onRound: () => waiting.splice(0).forEach((resolve) => resolve()),
  });
  opened.push(() => exporter.close());

  const get = (path: string) => fetch(`http://127.0.0.1:${exporter.port}${path}`);
  /** Series of the pair by the keys of TRUST_METRICS: a number, or the digest. */
  const read = async () => {
    const text = await (await get("/metrics")).text();
    const found: Record<string, number | string> = {};
    for (const [key, name] of Object.entries(TRUST_METRICS)) {
      const series = new RegExp(`^${name}{target="aws",source="gcp"(?:,digest="(\\w+)")?} (\\S+)$`, "gm");
      const matches = [...text.matchAll(series)];
      if (matches.length > 1) throw new Error(`${name} has ${matches.length} series`);
      for (const [, digest, value] of matches) found[key] = digest ?? Number(value);
    }
    return found;
  };
  return {
    aws,
    clock,
    lines,
    get,
    read,
    close: () => exporter.close(),
    /** Makes these the CAs that workloads have of Google Cloud; none: no bundle. */
    store: (...authorities: Certificate[]) => {
      const own = identityIn([aws], "/observability/trust-exporter");
      const bundles = new Map(own.bundles);
      if (authorities.length > 0)
        bundles.set(
          GCP,
          authorities.map(({ der }) => pem(der)),
        );
      identity.set({ ...own, bundles });
    },
    /** Takes the identity away, and the Workload API with it. */
    lose: () => identity.set(undefined),
    next: () => new Promise<void>((resolve) => waiting.push(resolve)),
  };
}
