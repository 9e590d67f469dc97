// A SPIRE agent as a local process, for workloads that are known by their user.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { programPath } from "../../support/programs";
import type { TestSpireServer } from "../../support/spire";
import { Daemon } from "./daemon";

/** Starts an agent with its files in `dir`, which joins `server` by a token, and waits for its Workload API. */
export async function startSpireAgent(
  { trustDomain, apiPort }: Pick<TestSpireServer, "trustDomain" | "apiPort">,
  token: string,
  dir: string,
): Promise<{ daemon: Daemon; socket: string }> {
  const socket = path.join(dir, "api.sock");
  mkdirSync(path.join(dir, "data"), { recursive: true });
  writeFileSync(
    path.join(dir, "agent.conf"),
    `agent {
  server_address = "127.0.0.1"
  server_port = ${apiPort}
  socket_path = "${socket}"
  trust_domain = "${trustDomain}"
  data_dir = "${path.join(dir, "data")}"
  insecure_bootstrap = true
  log_level = "INFO"
  experimental { sync_interval = "1s" }
}
plugins {
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "memory" { plugin_data {} }
  WorkloadAttestor "unix" { plugin_data {} }
}
`,
  );
  const daemon = new Daemon(await programPath("spire-agent"), [
    ...["run", "-config", path.join(dir, "agent.conf"), "-joinToken", token],
  ]);
  await daemon.becomes("the SPIRE agent serves the Workload API", () => existsSync(socket));
  return { daemon, socket };
}
