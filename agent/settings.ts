// What the reference agent is told by its environment.
import { z } from "zod";
import { ConfigError } from "../program/config-error";

const LEVELS = { DEBUG: "debug", INFO: "info", WARNING: "warn", ERROR: "error" } as const;

const name = (what: string) =>
  z.string({ error: `is missing: write ${what}` }).regex(/^[a-z0-9][a-z0-9-]{0,62}$/, {
    error: `write ${what}: small letters, digits and dashes`,
  });
const url = (example: string) =>
  z.url({ protocol: /^http$/, error: `write a URL of plain HTTP, for example ${example}` });

const schema = z
  .object({
    HOST: z.string().min(1).default("127.0.0.1"),
    PORT: z
      .string()
      .regex(/^\d{1,5}$/, { error: "write a port" })
      .default("8000")
      .transform(Number)
      .pipe(z.int().max(65_535, { error: "write a port" })),
    AGENT_NAME: name("the agent's name, for example gcp-worker"),
    AGENT_URL: url("http://gcp-worker.mesh/"),
    AGENT_CLOUD: name("the cloud's name, for example gcp"),
    AGENT_REGION: name("the cloud's region, for example europe-west1"),
    AGENT_ROLE: name("the agent's role, for example worker"),
    AGENT_DESCRIPTION: z.string().optional(),
    MESH_URL: url("http://127.0.0.2:80").default("http://127.0.0.2:80"),
    LOG_LEVEL: z
      .enum(["DEBUG", "INFO", "WARNING", "ERROR"], { error: "write DEBUG, INFO, WARNING or ERROR" })
      .default("INFO"),
  })
  .transform((variables) => {
    const { AGENT_CLOUD: cloud, AGENT_REGION: region, AGENT_ROLE: role } = variables;
    return {
      /** Where it serves plain HTTP, to Envoy alone (HOST, PORT; 127.0.0.1:8000). Port 0 is any free one. */
      host: variables.HOST,
      port: variables.PORT,
      /** `<cloud>-<role>` (AGENT_NAME). */
      name: variables.AGENT_NAME,
      /** Where others call it through their Envoys (AGENT_URL), for example `http://gcp-worker.mesh/`. */
      url: variables.AGENT_URL,
      /** Where it is, and what it is for (AGENT_CLOUD, AGENT_REGION, AGENT_ROLE). */
      cloud,
      region,
      role,
      /** For cards (AGENT_DESCRIPTION). Default: its role and place. */
      description: variables.AGENT_DESCRIPTION ?? `Agent with role ${role} in ${cloud}, ${region}`,
      /** Where Envoy takes calls to others (MESH_URL, `http://127.0.0.2:80`); the Host header says to whom. */
      meshUrl: variables.MESH_URL,
      /** LOG_LEVEL (INFO) in pino's words. */
      logLevel: LEVELS[variables.LOG_LEVEL],
    };
  });

/** Settings of one agent. */
export type Settings = Readonly<z.output<typeof schema>>;

/** @throws ConfigError that lists every variable that is missing or wrong. */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const { success, data, error } = schema.safeParse(environment);
  if (success) return data;
  throw new ConfigError(error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`));
}
