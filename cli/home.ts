// The programs of the home cloud that show the mesh, and how the command line asks them: JSON over HTTP through a port-forward.
import type { z } from "zod";
import { kubectl } from "./advice";
import { type Connect, connectKubernetes } from "./cluster";
import { CliError, lineOf } from "./errors";
import { podHttp } from "./http";
import { DEFAULT_LIMIT_MS, within } from "./limits";
import type { Mesh } from "./mesh-outputs";

const NAMES = { prometheus: "Prometheus", traces: "the trace store" } as const;

export interface AskOptions {
  /** Longest time of each question, in milliseconds. Default 15,000. */
  readonly limitMs?: number;
  readonly connect?: Connect;
}

/** What one of the programs said. */
export interface Said {
  readonly status: number;
  /** Undefined when it is not JSON. */
  readonly json: unknown;
}

/** One of the programs. */
export interface HomeProgram {
  /** `<cloud>: <program>`, to begin errors with. */
  readonly name: string;
  /** Asks for `path`. @throws CliError with the next step when nothing answers. */
  ask(path: string): Promise<Said>;
  /** Ends the connections. */
  close(): void;
}

/**
 * The program in the mesh's home cloud. Nothing is connected to before it is asked.
 *
 * @throws CliError when the stack has no such program.
 */
export function homeProgram(mesh: Mesh, program: keyof typeof NAMES, options: AskOptions = {}): HomeProgram {
  const { limitMs = DEFAULT_LIMIT_MS, connect = connectKubernetes } = options;
  const { observability } = mesh;
  const cloud = mesh.clouds.find((each) => each.name === observability?.home);
  if (!observability || !cloud)
    throw new CliError(
      `The stack tells of no observability. Set observability.enabled to true (\`pulumi config set --path agentweave-mesh:observability.enabled true\`) and run \`pulumi up\` with this version.`,
    );
  const { namespace, pod, port } = observability[program];
  const cluster = connect(cloud);
  const http = podHttp(() => cluster.portForward(namespace, pod, port));
  const name = `${cloud.name}: ${NAMES[program]}`;
  return {
    name,
    ask: async (path) => {
      try {
        const { status, body } = await within(limitMs, "an answer", (signal) => http.get(path, signal));
        return { status, json: jsonOf(body) };
      } catch (error) {
        const line = lineOf(error);
        const words = line.startsWith(`${cloud.name}: `) ? line.slice(cloud.name.length + 2) : line;
        const look = `${kubectl(cloud, namespace, "get pods,events")}, ${kubectl(cloud, namespace, `logs ${pod}`)}`;
        throw new CliError(`${name} does not answer: ${words}. Look at ${look}`);
      }
    },
    close: () => http.close(),
  };
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * What the program said, when it is what `schema` expects.
 *
 * @throws CliError with the program's own words, which `wordsOf` finds.
 */
export function expected<T>(
  { name }: Pick<HomeProgram, "name">,
  schema: z.ZodType<T>,
  { status, json }: Said,
  wordsOf: (json: unknown) => string | undefined,
): T {
  if (status !== 200)
    throw new CliError(`${name} answered HTTP ${status}: ${wordsOf(json) ?? "no reason given"}`);
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CliError(
    `${name} answered with something that is not expected of it: ${issue?.path.join(".") || "the document"}: ${issue?.message}`,
  );
}
