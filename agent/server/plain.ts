// Ports without TLS: health for the kubelet, which has no certificate to present, and metrics for Prometheus.
import * as http from "node:http";
import type { Metrics } from "../telemetry/metrics";

interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const json = (status: number, value: unknown): Page => ({
  status,
  type: "application/json",
  body: JSON.stringify(value),
});

/** A server of pages that take no input. */
function pages(routes: Readonly<Record<string, () => Page | Promise<Page>>>): http.Server {
  const find = new Map(Object.entries(routes));
  const respond = async ({ method, url = "" }: http.IncomingMessage): Promise<Page> => {
    const page = find.get(url.split("?", 1)[0] as string);
    if (!page) return json(404, { error: "Not found" });
    return method === "GET" || method === "HEAD" ? page() : json(405, { error: "Method not allowed" });
  };
  const options = { headersTimeout: 5000, requestTimeout: 5000, keepAliveTimeout: 20_000 };
  return http.createServer(options, (request, response) => {
    request.resume();
    respond(request)
      .catch((error: Error) => json(500, { error: error.message }))
      .then(({ status, type, body }) =>
        response
          .writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) })
          .end(body),
      )
      .catch(() => request.socket.destroy());
  });
}

/**
 * `/live` and `/ready`.
 * @param problem why the agent is not ready; undefined when it is.
 */
export function healthServer(problem: () => string | undefined): http.Server {
  return pages({
    "/live": () => json(200, { live: true }),
    "/ready": () => {
      const reason = problem();
      return reason === undefined ? json(200, { ready: true }) : json(503, { ready: false, reason });
    },
  });
}

/** `/metrics` in Prometheus' text format. */
export function metricsServer(metrics: Metrics): http.Server {
  return pages({
    "/metrics": async () => ({ status: 200, type: metrics.contentType, body: await metrics.text() }),
  });
}
