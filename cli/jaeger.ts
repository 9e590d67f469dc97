// The trace store's HTTP API (Jaeger 2, /api/v3: https://www.jaegertracing.io/docs/2.13/architecture/apis/): which agents have traces, their newest, one by its id.
import { z } from "zod";
import { type AskOptions, expected, homeProgram, type HomeProgram, type Said } from "./home";
import type { Mesh } from "./mesh-outputs";
import { otlpTraces, type Trace, tracesOf } from "./otlp";

const servicesAnswer = z.object({ services: z.array(z.string()).default([]) });
const tracesAnswer = z.object({ result: otlpTraces });
const errorAnswer = z.object({ error: z.object({ message: z.string() }) });

const wordsOf = (json: unknown) => errorAnswer.safeParse(json).data?.error.message;

/** What is asked of the trace store. */
export interface TraceStore {
  /** Names of the agents that have traces. */
  services(): Promise<string[]>;
  /** The newest traces with a span of `service` that began in this time, at most `limit`. Empty when there are none. */
  newest(service: string, time: { from: Date; to: Date }, limit: number): Promise<Trace[]>;
  /** Undefined when there is no such trace. */
  trace(traceId: string): Promise<Trace | undefined>;
  close(): void;
}

async function tracesFrom(program: HomeProgram, path: string): Promise<Trace[]> {
  const said: Said = await program.ask(path);
  // It calls it an error when nothing is found.
  if (said.status === 404 && wordsOf(said.json) !== undefined) return [];
  return tracesOf(expected(program, tracesAnswer, said, wordsOf).result);
}

/** The trace store of the mesh's home cloud. @throws CliError when there is none. */
export function traceStore(mesh: Mesh, options?: AskOptions): TraceStore {
  const program = homeProgram(mesh, "traces", options);
  return {
    services: async () =>
      expected(program, servicesAnswer, await program.ask("/api/v3/services"), wordsOf).services,
    newest: (service, { from, to }, limit) => {
      const query = new URLSearchParams({
        "query.service_name": service,
        "query.start_time_min": from.toISOString(),
        "query.start_time_max": to.toISOString(),
        "query.num_traces": String(limit),
      });
      return tracesFrom(program, `/api/v3/traces?${query.toString()}`);
    },
    trace: async (traceId) => (await tracesFrom(program, `/api/v3/traces/${traceId}`))[0],
    close: () => program.close(),
  };
}
