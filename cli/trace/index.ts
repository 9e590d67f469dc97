// `mesh trace`: one trace through all its clouds, found in the home cloud's trace store.
import { agentName } from "../../components/well-known";
import { CliError, EXIT } from "../errors";
import type { AskOptions } from "../home";
import { type TraceStore, traceStore } from "../jaeger";
import { eachOf } from "../limits";
import { agentNamed, type Mesh } from "../mesh-outputs";
import type { Trace } from "../otlp";

/** The word for the newest trace. */
export const LAST = "last";

export interface TraceRequest {
  /** An id, or `last`. */
  readonly which: string;
  /** `<cloud>` or `<cloud>/<role>`: the newest trace that this agent had part in. Default: any agent. */
  readonly service?: string;
}

export interface TraceOptions extends AskOptions {
  /** Default: the time it is. */
  readonly now?: Date;
}

const HOUR_MS = 3_600_000;
/** Traces of an agent that are looked at: the one whose spans there are newest may have begun before another. */
const LOOKED_AT = 5;
/** Hexadecimal; zeros at the beginning may be left out. */
const TRACE_ID = /^[0-9a-f]{1,32}$/i;

const begin = ({ spans }: Trace) => spans[0]?.start ?? 0;

/** The trace that began last until now. What began within the hour is asked for first, so that a large store need not be searched. */
async function newestOf(
  store: TraceStore,
  services: readonly string[],
  now: Date,
): Promise<Trace | undefined> {
  for (const from of [new Date(now.getTime() - HOUR_MS), new Date(0)]) {
    const found = await eachOf(services, (service) => store.newest(service, { from, to: now }, LOOKED_AT));
    const traces = found.flat().filter((trace) => begin(trace) <= now.getTime());
    if (traces.length > 0) return traces.reduce((one, other) => (begin(other) > begin(one) ? other : one));
  }
  return undefined;
}

async function last(store: TraceStore, mesh: Mesh, service: string | undefined, now: Date): Promise<Trace> {
  const named = service === undefined ? undefined : agentNamed(mesh, service).agent;
  const agents = named ? [named] : mesh.clouds.flatMap((cloud) => cloud.agents);
  const names = new Set(agents.map(({ cloud, role }) => agentName(cloud, role)));
  // Others may send traces, too, such as the store itself.
  const services = (await store.services()).filter((service) => names.has(service));
  const trace = await newestOf(store, services, now);
  if (trace) return trace;
  const whose = named ? ` of ${named.cloud}/${named.role}` : "";
  const [cloud = "<cloud>", other = "<cloud>"] = mesh.clouds.map(({ name }) => name);
  throw new CliError(
    `The trace store has no trace${whose} yet. \`mesh call ${cloud} ${other} ping\` makes one, unless observability.traces.sampling leaves it out; it takes some seconds to arrive, with tail sampling up to a minute.`,
  );
}

/**
 * The trace that is asked for.
 *
 * @throws CliError when there is no such trace, or the store does not answer.
 */
export async function meshTrace(
  mesh: Mesh,
  { which, service }: TraceRequest,
  options: TraceOptions = {},
): Promise<Trace> {
  const byId = which !== LAST;
  if (byId && !TRACE_ID.test(which))
    throw new CliError(
      `"${which}" is no id of a trace: write ${LAST}, or up to 32 hexadecimal digits, as in an agent's log (trace_id).`,
      EXIT.usage,
    );
  if (byId && service !== undefined)
    throw new CliError(`--service goes with \`mesh trace ${LAST}\` alone.`, EXIT.usage);
  const store = traceStore(mesh, options);
  try {
    if (!byId) return await last(store, mesh, service, options.now ?? new Date());
    const trace = await store.trace(which.toLowerCase().padStart(32, "0"));
    if (trace) return trace;
    throw new CliError(
      `The trace store has no trace ${which}: was it sampled, has it arrived, is it older than observability.traces.retention?`,
    );
  } finally {
    store.close();
  }
}
