// Tells how fresh the bundles are that the workloads of one cloud have of the others: `trust-exporter --config <file>`.
import { workloadApi } from "../../spiffe/workload-api";
import { programLog } from "../log";
import { readConfig, type Running } from "../program";
import { trustExporterConfig } from "./config";
import { startTrustExporter } from "./exporter";

/** Starts the exporter. It is ready once it knows what the workloads have. */
export function trustExporter(args: readonly string[]): Promise<Running> {
  const config = readConfig(trustExporterConfig, args);
  const log = programLog({ cloud: config.cloud, region: config.region, program: "trust-exporter" });
  const identity = workloadApi({ endpoint: config.spiffeEndpoint, log });
  return startTrustExporter({ config, identity, log });
}
