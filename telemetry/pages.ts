// Ports without TLS: health for the kubelet, which has no certificate to present, and metrics for Prometheus.
import * as http from "node:http";

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

/** Pages by their path. */
export type Pages = Readonly<Record<string, () => Page | Promise<Page>>>;

/** A server of pages that take no input. */
export function pageServer(pages: Pages): http.Server {
  const find = new Map(Object.entries(pages));
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

/** What `/metrics` shows. */
export interface MetricsText {
  /** Everything in Prometheus' text format. */
  text(): Promise<string>;
  /** Content-Type of `text`. */
  readonly contentType: string;
}

/**
 * `/live` and `/ready`.
 * @param problem why the program is not ready; undefined when it is.
 */
export function healthPages(problem: () => string | undefined): Pages {
  return {
    "/live": () => json(200, { live: true }),
    "/ready": () => {
      const reason = problem();
      return reason === undefined ? json(200, { ready: true }) : json(503, { ready: false, reason });
    },
  };
}

/** `/metrics`. */
export function metricsPages(metrics: MetricsText): Pages {
  return {
    "/metrics": async () => ({ status: 200, type: metrics.contentType, body: await metrics.text() }),
  };
}
