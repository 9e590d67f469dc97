// The configuration of the trust exporter: a pure function.
import type { TrustExporterConfig, TrustSource } from "../../../telemetry/trust-exporter/config";
import { WORKLOAD_API } from "../../spire/workload-api";
import { TRUST_EXPORTER } from "../../well-known";

/** Seconds between two checks of a pair: short beside the time that a bundle may be old, long beside a fetch. */
const INTERVAL_SECONDS = 30;
/** Longest that a check may take. */
const LIMIT_SECONDS = 10;

/** What `renderTrustExporterConfig` needs. */
export interface TrustExporterConfigArgs {
  readonly cloud: string;
  readonly region: string;
  /** The cloud's own trust domain. */
  readonly trustDomain: string;
  /** The other clouds; `bundleEndpoint` is a URL. */
  readonly sources: readonly TrustSource[];
  /** The stack's refresh hint, in seconds. */
  readonly refreshSeconds: number;
}

/** Text of the file, JSON. The same arguments give the same text. */
export function renderTrustExporterConfig(args: TrustExporterConfigArgs): string {
  const { cloud, region, trustDomain, sources, refreshSeconds } = args;
  const config: TrustExporterConfig = {
    cloud,
    region,
    trustDomain,
    spiffeEndpoint: WORKLOAD_API.endpoint,
    status: { host: "0.0.0.0", port: TRUST_EXPORTER.statusPort },
    intervalSeconds: INTERVAL_SECONDS,
    limitSeconds: LIMIT_SECONDS,
    refreshSeconds,
    sources: sources.map(({ cloud, trustDomain, bundleEndpoint, profile }) => ({
      cloud,
      trustDomain,
      bundleEndpoint,
      profile,
    })),
  };
  return JSON.stringify(config, undefined, 2);
}
