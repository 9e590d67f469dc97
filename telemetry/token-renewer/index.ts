// Renews the tokens by which Prometheus reads the API servers of other clouds: `token-renewer --config <file>`.
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { CLUSTER_FILES, clusterFile, HOME_DIR } from "../../components/observability/prometheus/files";
import type { Logger } from "pino";
import { programLog } from "../log";
import { readConfig, type Running } from "../program";
import { startStatus } from "../status";
import { type TokenRenewerConfig, tokenRenewerConfig } from "./config";
import { createMetrics } from "./metrics";
import { Renewal } from "./renewal";

/** A token renewer that runs. */
export interface TokenRenewer extends Running {
  /** Of its status. */
  readonly port: number;
}

/**
 * Starts the renewals. It is ready when it has a good token for each cluster.
 * @param dir directory of the configuration, of `clusters/<cloud>/` and of the own account's files.
 * @param lookAgainMs see `RenewalArgs`.
 */
export async function startTokenRenewer(
  config: TokenRenewerConfig,
  dir: string,
  log: Logger,
  lookAgainMs?: number,
): Promise<TokenRenewer> {
  const { status, server, clusters, namespace, account, lifetimeSeconds } = config;
  const file = (name: string) => path.join(dir, name);
  const home = () => ({
    server,
    ca: readFileSync(file(`${HOME_DIR}/${CLUSTER_FILES.ca}`), "utf8"),
    token: readFileSync(file(`${HOME_DIR}/${CLUSTER_FILES.token}`), "utf8"),
  });
  const metrics = createMetrics(
    clusters.map(({ cloud }) => cloud),
    () => renewals,
  );
  const renewals = clusters.map(
    (cluster) =>
      new Renewal({
        cluster,
        files: {
          ca: file(clusterFile(cluster.cloud, CLUSTER_FILES.ca)),
          token: file(clusterFile(cluster.cloud, CLUSTER_FILES.token)),
        },
        home,
        namespace,
        account,
        lifetimeSeconds,
        lookAgainMs,
        log,
        onOutcome: (outcome) => metrics.renewed(cluster.cloud, outcome),
      }),
  );
  const health = await startStatus({
    ...status,
    register: metrics.register,
    problem: () => {
      const without = renewals.filter((renewal) => renewal.expires() <= Date.now());
      if (without.length === 0) return undefined;
      return `no token that is good for ${without.map(({ cloud }) => cloud).join(", ")}`;
    },
    log,
  });
  const stop = new AbortController();
  const running = renewals.map((renewal) =>
    renewal.run(stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    }),
  );
  return {
    port: health.port,
    async close() {
      stop.abort(new Error("the renewer ends"));
      await Promise.all(running);
      await health.close();
    },
  };
}

/** Starts the program; `--config` names its file. */
export function tokenRenewer(args: readonly string[]): Promise<TokenRenewer> {
  const config = readConfig(tokenRenewerConfig, args);
  const { values } = parseArgs({ args: [...args], options: { config: { type: "string" } } });
  const log = programLog({ cloud: config.cloud, region: config.region, program: "token-renewer" });
  return startTokenRenewer(config, path.dirname(values.config!), log);
}
