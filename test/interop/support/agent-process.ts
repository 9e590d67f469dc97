// The reference agent as its pod runs it, but for its ports, which are free ones of loopback.
import { writeFileSync } from "node:fs";
import * as path from "node:path";
import { dump, load } from "js-yaml";
import { nodeBundle } from "../../../components/kubernetes/node-bundle";
import { renderAgentConfig } from "../../../components/workloads/agent-config";
import { LOADER } from "../../../components/kubernetes/node-loader";
import type { MeshAgent } from "../../../components/workloads/registry";
import { LineProcess } from "./lines";

/** What a running agent needs. */
export interface AgentProcessArgs {
  /** Directory for its files. */
  readonly dir: string;
  readonly self: MeshAgent;
  /** All agents of the mesh, whose trust domains are allowed. */
  readonly agents: readonly MeshAgent[];
  /** Path of the Workload API's socket. */
  readonly socket: string;
  /** URL of OPA. */
  readonly opa: string;
  /** Instead of the mesh's own limits. */
  readonly limits?: Readonly<Record<string, number>>;
  readonly logLevel?: "DEBUG" | "INFO";
}

/** A process of the agent that has its identity. */
export interface AgentProcess {
  readonly process: LineProcess;
  readonly ports: { readonly server: number; readonly health: number; readonly metrics: number };
  /** Where it is reached over mutual TLS. */
  readonly url: string;
  stop(): Promise<void>;
}

function configText({ self, agents, socket, opa, limits, logLevel = "DEBUG" }: AgentProcessArgs): string {
  const settings = { environment: "production", routing: "order", timeoutSeconds: 10, logLevel } as const;
  const text = renderAgentConfig({ self, agents, network: { mode: "direct" }, settings, opaEndpoint: opa });
  const { identity, server, observability, ...others } = load(text) as Record<string, Record<string, object>>;
  return dump({
    ...others,
    identity: { ...identity, spiffe_endpoint: `unix://${socket}` },
    server: { ...server, host: "127.0.0.1", port: 0, limits: { ...server!["limits"], ...limits } },
    observability: { ...observability, metrics: { port: 0 }, health: { port: 0 } },
  });
}

/** Starts an agent from its bundle and waits until it listens and has an identity. */
export async function startAgentProcess(args: AgentProcessArgs): Promise<AgentProcess> {
  const bundle = path.join(args.dir, "agent.js.gz");
  const config = path.join(args.dir, `${args.self.cloud}-${args.self.role}.yaml`);
  writeFileSync(bundle, nodeBundle("agent").gzip);
  writeFileSync(config, configText(args));
  const child = new LineProcess(process.execPath, ["-e", LOADER, bundle, "--config", config], {
    SHUTDOWN_DELAY_SECONDS: "0",
  });
  try {
    const { ports } = await child.line(({ msg }) => msg === "listening");
    await child.line(({ msg }) => msg === "identity");
    const known = ports as AgentProcess["ports"];
    const url = `https://127.0.0.1:${known.server}`;
    return { process: child, ports: known, url, stop: () => child.stop() };
  } catch (error) {
    await child.stop();
    throw error;
  }
}
