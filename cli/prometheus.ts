// Prometheus' HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/): what series are now, and which alerts there are.
import { z } from "zod";
import { type AskOptions, expected, homeProgram } from "./home";
import type { Mesh } from "./mesh-outputs";

const labels = z.record(z.string(), z.string());

const vectorAnswer = z.object({
  data: z.object({
    resultType: z.literal("vector"),
    result: z.array(z.object({ metric: labels, value: z.tuple([z.number(), z.string()]) })),
  }),
});

const alertsAnswer = z.object({
  data: z.object({
    alerts: z.array(
      z.object({
        labels,
        annotations: labels.default({}),
        state: z.enum(["pending", "firing", "inactive"]),
        activeAt: z.coerce.date().optional(),
      }),
    ),
  }),
});

const errorAnswer = z.object({ error: z.string() });
const wordsOf = (json: unknown) => errorAnswer.safeParse(json).data?.error;

/** One series as it is now. */
export interface Sample {
  /** With the name as `__name__`, where it has one. */
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** An alert whose condition holds, one for each set of labels. */
export interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** `pending`: not for long enough yet. */
  readonly state: "pending" | "firing";
  /** Since when the condition holds. */
  readonly since?: Date;
}

/** What is asked of Prometheus. */
export interface Prometheus {
  /** The series that the expression selects, now. Values that are no number are left out. */
  query(expression: string): Promise<Sample[]>;
  alerts(): Promise<Alert[]>;
  close(): void;
}

/** Prometheus of the mesh's home cloud. @throws CliError when there is none. */
export function queryPrometheus(mesh: Mesh, options?: AskOptions): Prometheus {
  const program = homeProgram(mesh, "prometheus", options);
  return {
    query: async (expression) => {
      const said = await program.ask(
        `/api/v1/query?${new URLSearchParams({ query: expression }).toString()}`,
      );
      return expected(program, vectorAnswer, said, wordsOf).data.result.flatMap(({ metric, value }) => {
        const number = Number(value[1]);
        return Number.isFinite(number) ? [{ labels: metric, value: number }] : [];
      });
    },
    alerts: async () => {
      const { alerts } = expected(program, alertsAnswer, await program.ask("/api/v1/alerts"), wordsOf).data;
      return alerts.flatMap(({ activeAt, state, ...alert }) =>
        state === "inactive" ? [] : [{ ...alert, state, ...(activeAt ? { since: activeAt } : {}) }],
      );
    },
    close: () => program.close(),
  };
}
