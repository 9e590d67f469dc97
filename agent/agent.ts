// One agent: identity, policy, tasks and capabilities behind its three ports.
import { createAuthorizer } from "./authorize";
import { createCalls } from "./calls";
import { capabilities as reference, type Capability } from "./capabilities";
import type { AgentState } from "./capabilities/capability";
import type { AgentConfig } from "./config";
import { ConfigError } from "./config/config-error";
import type { IdentitySource } from "./identity/source";
import { startProbe } from "./probe";
import { dispatcher } from "./server/dispatch";
import { close, listen } from "./server/lifecycle";
import { mutualTlsServer } from "./server/mutual-tls";
import { Peers } from "./server/peers";
import { healthPages, metricsPages, pageServer } from "./server/plain";
import { type Route, serve } from "./server/routes";
import { rpcEndpoint } from "./server/rpc";
import { createTelemetry, type Telemetry } from "./telemetry";
import { TaskStore } from "./task-store";

/** How long requests under way may still take once no new ones are taken. */
const FINISH_SECONDS = 20;

/** What an agent is made of. */
export interface AgentArgs {
  readonly config: AgentConfig;
  readonly identity: IdentitySource;
  /** Default: as the configuration says. */
  readonly telemetry?: Telemetry;
  /** What the program can do; the agent offers what its configuration names of it. Default: the reference agent's. */
  readonly capabilities?: ReadonlyMap<string, Capability>;
}

/** An agent that is running. */
export interface Agent {
  /** The ports that it listens on; `metrics` is missing when they are turned off. */
  readonly ports: { readonly server: number; readonly health: number; readonly metrics?: number };
  /** Why it is not ready; undefined when it is. */
  problem(): string | undefined;
  /**
   * Stops in order: not ready at once, serving for `delaySeconds` more (load balancers must notice), then finishing what is
   * under way for 20 s at most. A second call hastens nothing.
   */
  shutdown(delaySeconds: number): Promise<void>;
}

/** The capabilities that the configuration names. */
function offered(
  config: AgentConfig,
  known: ReadonlyMap<string, Capability>,
): ReadonlyMap<string, Capability> {
  const names = config.agent.capabilities.map(({ name }) => name);
  const problems = names.flatMap((name, index) =>
    known.has(name)
      ? []
      : [
          `agent.capabilities[${index}].name: ${name} is unknown; write one of ${[...known.keys()].join(", ")}`,
        ],
  );
  if (problems.length > 0) throw new ConfigError(problems);
  return new Map([...known].filter(([name]) => names.includes(name)));
}

/** Says who the agent is and what it offers, to whom it may concern. */
function cardOf({ agent, metadata, server }: AgentConfig, spiffeId: string): string {
  const { name, description, trust_domain, environment, capabilities } = agent;
  const url = server.advertise_address === undefined ? {} : { url: `${server.advertise_address}/rpc` };
  return JSON.stringify({
    name,
    description,
    ...url,
    protocol: server.protocol,
    spiffe_id: spiffeId,
    trust_domain,
    environment,
    metadata,
    capabilities,
  });
}

/** Starts an agent. Throws ConfigError, or the error of a port that cannot be had. */
export async function startAgent({ config, identity, capabilities, ...args }: AgentArgs): Promise<Agent> {
  const offers = offered(config, capabilities ?? reference);
  const { server: serverConfig, observability } = config;
  const telemetry = args.telemetry ?? createTelemetry(config);
  const { log, metrics } = telemetry;
  const started = performance.now();
  const authorizer = createAuthorizer(config, telemetry);
  const tasks = new TaskStore(serverConfig.limits.request_seconds);
  const calls = createCalls({ identity, config, telemetry });
  const peers = new Peers(identity, config.identity.allowed_trust_domains);
  let stopping: Promise<void> | undefined;

  const problem = () => {
    if (stopping) return "shutting down";
    return identity.current() ? undefined : `no identity: ${identity.problem?.() ?? "it has expired"}`;
  };
  const state: AgentState = {
    uptimeSeconds: () => (performance.now() - started) / 1000,
    tasks: () => tasks.counts(),
    policyProblem: async () => authorizer.problem(identity.current()?.spiffeId ?? ""),
  };
  const health: Route = async (_request, { identity: { spiffeId } }) => {
    const policy = await state.policyProblem();
    const reason = problem() ?? (policy === undefined ? undefined : "policy unavailable");
    const body = JSON.stringify({
      status: reason === undefined ? "healthy" : "unhealthy",
      agent: spiffeId,
      reason,
    });
    return { status: reason === undefined ? 200 : 503, body };
  };
  const card: Route = (_request, caller) =>
    Promise.resolve({ status: 200, body: cardOf(config, caller.identity.spiffeId) });
  const dispatch = dispatcher({ config, capabilities: offers, authorizer, tasks, calls, state, log });
  const rpc = rpcEndpoint({ config, telemetry, dispatch });
  const routes = new Map([
    ["POST /rpc", rpc],
    ["GET /health", health],
    ["GET /.well-known/agent.json", card],
  ]);

  const main = mutualTlsServer({ config, source: identity, peers, log });
  main.on("request", serve({ peers, routes, log, closing: () => stopping !== undefined }));
  const healthPort = pageServer(healthPages(problem));
  const metricsPort = pageServer(metricsPages(metrics));
  const servers = [main, healthPort, metricsPort];

  const now = identity.current();
  if (now) metrics.identity(now.notAfter);
  const unsubscribe = identity.onUpdate(({ notAfter }) => metrics.identity(notAfter));

  let stopProbe = () => {};
  const release = async () => {
    stopProbe();
    tasks.cancelAll("the agent is shutting down");
    unsubscribe();
    identity.close();
    authorizer.close();
    await calls.close();
    await Promise.all([close(healthPort, 0), close(metricsPort, 0)]);
    await telemetry.close();
  };
  const stop = async (delaySeconds: number) => {
    log.info({ delay_seconds: delaySeconds }, "shutting down");
    stopProbe();
    await new Promise((resolve) => setTimeout(resolve, delaySeconds * 1000));
    await close(main, FINISH_SECONDS);
    await release();
    log.info("stopped");
  };

  try {
    const { host } = serverConfig;
    const ports = {
      server: await listen(main, serverConfig.port, host),
      health: await listen(healthPort, observability.health.port, host),
      ...(observability.metrics.enabled
        ? { metrics: await listen(metricsPort, observability.metrics.port, host) }
        : {}),
    };
    log.info({ name: config.agent.name, ports }, "listening");
    stopProbe = startProbe({ config, calls, identity, telemetry });
    return { ports, problem, shutdown: (delaySeconds) => (stopping ??= stop(delaySeconds)) };
  } catch (error) {
    await Promise.all(servers.map((server) => close(server, 0)));
    await release();
    throw error;
  }
}
