// The status port of the programs in this folder: health for the kubelet and metrics for Prometheus, over plain HTTP.
import type { Registry } from "prom-client";
import type { Logger } from "pino";
import { close, listen } from "../program/lifecycle";
import { healthPages, metricsPages, pageServer } from "./pages";

/** What `startStatus` needs. */
export interface StatusArgs {
  /** Default: all addresses. */
  readonly host?: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly register: Registry;
  /** Why the program is not ready; undefined when it is. */
  readonly problem: () => string | undefined;
  /** Told the port. */
  readonly log?: Logger;
}

/** A status port that is open. */
export interface Status {
  readonly port: number;
  close(): Promise<void>;
}

/** Opens `/live`, `/ready` and `/metrics`. Throws the error of a port that cannot be had. */
export async function startStatus({
  host = "0.0.0.0",
  port,
  register,
  problem,
  log,
}: StatusArgs): Promise<Status> {
  const metrics = { contentType: register.contentType, text: () => register.metrics() };
  const server = pageServer({ ...healthPages(problem), ...metricsPages(metrics) });
  const chosen = await listen(server, port, host);
  log?.info({ port: chosen }, "status");
  return { port: chosen, close: () => close(server, 0) };
}
