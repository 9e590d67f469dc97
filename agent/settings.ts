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

const schema = z.object({
  HOST: z.string().min(1).default("127.0.0.1"),
  PORT: z
    .string()
    .default("8000")
    .transform(Number)
    .pipe(z.int({ error: "write a port" }).min(0).max(65_535)),
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
});

/** Settings of one agent. */
export interface Settings {
  /** Where it serves plain HTTP, to Envoy alone (HOST, PORT; 127.0.0.1:8000). Port 0 is any free one. */
  readonly host: string;
  readonly port: number;
  /** `<cloud>-<role>` (AGENT_NAME). */
  readonly name: string;
  /** Where others call it through their Envoys (AGENT_URL), for example `http://gcp-worker.mesh/`. */
  readonly url: string;
  /** AGENT_CLOUD, AGENT_REGION, AGENT_ROLE. */
  readonly cloud: string;
  readonly region: string;
  readonly role: string;
  /** For cards (AGENT_DESCRIPTION). Default: its role and place. */
  readonly description: string;
  /** Where Envoy takes calls to others (MESH_URL, `http://127.0.0.2:80`); the Host header says to whom. */
  readonly meshUrl: string;
  /** LOG_LEVEL, DEBUG, INFO, WARNING or ERROR, in pino's words. */
  readonly logLevel: (typeof LEVELS)[keyof typeof LEVELS];
}

/** @throws ConfigError that lists every variable that is missing or wrong. */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const { success, data, error } = schema.safeParse(environment);
  if (!success)
    throw new ConfigError(error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`));
  const { AGENT_CLOUD: cloud, AGENT_REGION: region, AGENT_ROLE: role } = data;
  return {
    host: data.HOST,
    port: data.PORT,
    name: data.AGENT_NAME,
    url: data.AGENT_URL,
    cloud,
    region,
    role,
    description: data.AGENT_DESCRIPTION ?? `Agent with role ${role} in ${cloud}, ${region}`,
    meshUrl: data.MESH_URL,
    logLevel: LEVELS[data.LOG_LEVEL],
  };
}
