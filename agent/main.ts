// The program that an agent's pod runs: `node agent.js --config /etc/agentweave/config.yaml`.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { startAgent } from "./agent";
import { AgentConfigError, parseAgentConfig } from "./config";
import { workloadApi } from "./identity/workload-api";
import { createTelemetry } from "./telemetry";

/** How long load balancers get to notice that the agent is going, unless SHUTDOWN_DELAY_SECONDS says otherwise. */
const SHUTDOWN_DELAY_SECONDS = 5;

function shutdownDelay(): number {
  const seconds = Number(process.env["SHUTDOWN_DELAY_SECONDS"] ?? SHUTDOWN_DELAY_SECONDS);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : SHUTDOWN_DELAY_SECONDS;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { config: { type: "string", default: "/etc/agentweave/config.yaml" } },
  });
  const config = parseAgentConfig(readFileSync(values.config, "utf8"));
  const telemetry = createTelemetry(config);
  const { spiffe_endpoint: endpoint, spiffe_id: spiffeId } = config.identity;
  const identity = workloadApi({ endpoint, spiffeId, log: telemetry.log });
  const starting = startAgent({ config, identity, telemetry });

  // Before the agent listens: who sees it listen may end it.
  let signals = 0;
  const stop = () => {
    if (++signals > 1) process.exit(1);
    starting
      .then((agent) => agent.shutdown(shutdownDelay()))
      .then(
        () => process.exit(0),
        () => process.exit(1),
      );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  await starting;
}

main().catch((error: Error) => {
  // A configuration is mended by reading the message; anything else needs to be traced.
  process.stderr.write(`${error instanceof AgentConfigError ? error.message : error.stack}\n`);
  process.exit(error instanceof AgentConfigError ? 2 : 1);
});
