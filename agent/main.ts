// The program that an agent's pod runs: `node agent.js --config /etc/agentweave/config.yaml`.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { startAgent } from "./agent";
import { parseAgentConfig } from "./config";
import { workloadApi } from "./identity/workload-api";
import { exitWith, untilSignal } from "./process";
import { createTelemetry } from "./telemetry";

/** How long load balancers get to notice that the agent is going, unless SHUTDOWN_DELAY_SECONDS says otherwise. */
const SHUTDOWN_DELAY_SECONDS = 5;

function shutdownDelay(): number {
  const seconds = Number(process.env["SHUTDOWN_DELAY_SECONDS"] ?? SHUTDOWN_DELAY_SECONDS);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : SHUTDOWN_DELAY_SECONDS;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    // By default these begin elsewhere under `node -e`, which is how a pod runs this.
    args: process.argv.slice(2),
    options: { config: { type: "string", default: "/etc/agentweave/config.yaml" } },
  });
  const config = parseAgentConfig(readFileSync(values.config, "utf8"));
  const telemetry = createTelemetry(config);
  const { spiffe_endpoint: endpoint, spiffe_id: spiffeId } = config.identity;
  const identity = workloadApi({ endpoint, spiffeId, log: telemetry.log });
  await untilSignal(startAgent({ config, identity, telemetry }), (agent) => agent.shutdown(shutdownDelay()));
}

main().catch(exitWith);
