// The proof that the mesh is seen: all targets are read, all rules evaluated, a round trip is one trace, dashboards show something, nobody is alerted.
import { z } from "zod";
import { expected, homeProgram } from "../../cli/home";
import { eachOf } from "../../cli/limits";
import { type Mesh, usualAgent } from "../../cli/mesh-outputs";
import { queryPrometheus } from "../../cli/prometheus";
import { meshTrace } from "../../cli/trace";
import { cloudPaths, type SpanNode, spanTree } from "../../cli/trace/tree";
import { type DashboardQuery, dashboardQueries } from "../../components/observability/dashboards";
import { JOBS } from "../../components/observability/rules/names";
import { rulesArgs } from "../../components/observability/rules-args";
import { agentName } from "../../components/well-known";
import { callSpan, CONNECTION_TAGS, processSpan } from "../../components/envoy/metrics";
import type { MeshConfig } from "../../infra/config";
import { lifetimesOf } from "../../infra/config/lifetimes";
import { nameOf, roundTrip, wayAround } from "./calls";
import { step, type Step, until } from "./steps";

/** How often Prometheus and the trace store are asked: they learn by the second. */
const RARELY = { pollMs: 1_000 };

export interface ObservabilityProof {
  readonly steps: readonly Step[];
}

/** Jobs of which the home cloud alone has targets, and those that there are on a tailnet alone. */
const AT_HOME: readonly string[] = [JOBS.prometheus, JOBS.traceStore, JOBS.tokenRenewer];
const ON_TAILNET: readonly string[] = [JOBS.subnetRouter];

/** What the program makes rules and dashboards from. */
const shownBy = ({ clouds, observability, network, trust, spire }: MeshConfig) =>
  rulesArgs({
    clouds,
    settings: observability!,
    network,
    trust: lifetimesOf(trust),
    sharedTrust: trust.mode === "single",
    ...(spire.topology === "central" && { serverCloud: spire.serverCloud }),
  });

/** `<cloud>: <job>` of all that there must be a target of. */
function expectedTargets(mesh: Mesh, mode: MeshConfig["network"]["mode"]): string[] {
  return mesh.clouds.flatMap(({ name, serverCloud }) =>
    Object.values(JOBS)
      .filter((job) => name === mesh.observability!.home || !AT_HOME.includes(job))
      .filter((job) => job !== JOBS.spireServer || serverCloud === undefined)
      .filter((job) => mode === "tailscale" || !ON_TAILNET.includes(job))
      .map((job) => `${name}: ${job}`),
  );
}

const targetsAnswer = z.object({
  data: z.object({
    activeTargets: z.array(
      z.object({
        labels: z.record(z.string(), z.string()),
        scrapeUrl: z.string(),
        health: z.string(),
        lastError: z.string(),
      }),
    ),
  }),
});
const rulesAnswer = z.object({
  data: z.object({
    groups: z.array(
      z.object({
        name: z.string(),
        rules: z.array(z.object({ name: z.string(), health: z.string(), lastError: z.string().optional() })),
      }),
    ),
  }),
});

/** What Prometheus says of itself. */
async function askPrometheus<T>(mesh: Mesh, path: string, schema: z.ZodType<T>): Promise<T> {
  const program = homeProgram(mesh, "prometheus");
  try {
    return expected(program, schema, await program.ask(path), () => undefined);
  } finally {
    program.close();
  }
}

/** Every target that Prometheus found answers, and each cloud has one of each job. */
async function allTargets(mesh: Mesh, { network: { mode } }: MeshConfig): Promise<string> {
  const { activeTargets } = (await askPrometheus(mesh, "/api/v1/targets?state=active", targetsAnswer)).data;
  const found = activeTargets.map(({ labels }) => `${labels["cloud"]}: ${labels["job"]}`);
  const missing = expectedTargets(mesh, mode).filter((target) => !found.includes(target));
  if (missing.length > 0) throw new Error(`no target of ${missing.join(", ")}`);
  const silent = activeTargets.filter(({ health }) => health !== "up");
  if (silent.length > 0) {
    const [{ scrapeUrl, lastError }] = silent as [(typeof silent)[0]];
    throw new Error(`${silent.length} do not answer, ${scrapeUrl} for one: ${lastError || "not read yet"}`);
  }
  return `${found.length} targets, ${new Set(found).size} jobs of ${mesh.clouds.length} clouds`;
}

async function allRules(mesh: Mesh): Promise<string> {
  const { groups } = (await askPrometheus(mesh, "/api/v1/rules", rulesAnswer)).data;
  const rules = groups.flatMap((group) => group.rules);
  const wrong = rules.find(({ health }) => health !== "ok");
  if (wrong) throw new Error(`${wrong.name}: ${wrong.lastError ?? wrong.health}`);
  return `${rules.length} rules`;
}

const nodesBelow = (nodes: readonly SpanNode[]): SpanNode[] =>
  nodes.flatMap((node) => [node, ...nodesBelow(node.children)]);

/** The newest trace is that of a round trip since `began`: one root, no parent missing, through all clouds and back, and of each leg what its connection took to open. */
async function wholeTrace(mesh: Mesh, began: number): Promise<string> {
  const trace = await meshTrace(mesh, { which: "last" });
  if (trace.spans[0]!.start < began) throw new Error("nothing of it has arrived");
  const roots = spanTree(trace);
  const nodes = nodesBelow(roots);
  const lost = nodes.filter((node) => node.lost).map(({ span }) => span.name);
  if (lost.length > 0) throw new Error(`the parent of ${lost.join(", ")} is missing`);
  if (roots.length !== 1) throw new Error(`${roots.length} spans have no parent`);
  const agents = mesh.clouds.flatMap((cloud) => usualAgent(cloud) ?? []);
  const way = wayAround(agents.map(({ cloud }) => cloud)).join(" → ");
  const ways = cloudPaths(roots).map((clouds) => clouds.join(" → "));
  if (ways.join() !== way) throw new Error(`it went ${ways.join(" and ")}`);
  for (const name of agents.map(({ cloud, role }) => agentName(cloud, role))) {
    if (!nodes.some(({ span }) => span.name === processSpan(name)))
      throw new Error(`it has no ${processSpan(name)}`);
    const calls = nodes.filter(({ span }) => span.name === callSpan(name));
    for (const tag of Object.values(CONNECTION_TAGS))
      if (!calls.some(({ span }) => tag in span.attributes))
        throw new Error(`no ${callSpan(name)} has a ${tag}`);
  }
  return `${nodes.length} spans of trace ${trace.traceId}`;
}

/** What every query of every dashboard gives, with the home cloud and its agents chosen, but for what this mesh cannot have. */
async function allDashboards(mesh: Mesh, config: MeshConfig): Promise<string> {
  const args = shownBy(config);
  const prometheus = queryPrometheus(mesh);
  const hasTailnet = config.network.mode === "tailscale";
  const { role } = mesh.clouds.find(({ name }) => name === args.home)!.agents[0]!;
  const queries = dashboardQueries(args, { cloud: args.home, role }).filter(
    ({ needs }) => needs === undefined || (needs === "tailnet" && hasTailnet),
  );
  try {
    const found = await eachOf(queries, async (query) => ({
      query,
      series: (await prometheus.query(query.expr)).length,
    }));
    const empty = found.filter(({ series }) => series === 0).map(({ query }) => titleOf(query));
    if (empty.length > 0) throw new Error(`nothing for ${empty.join(", ")}`);
    return `${found.length} queries`;
  } finally {
    prometheus.close();
  }
}

const titleOf = ({ dashboard, panel }: DashboardQuery) => `"${panel}" of "${dashboard}"`;

/** No alert fires. What is pending may have been wrong a moment ago: this rehearsal takes agents away. */
async function quiet(mesh: Mesh): Promise<string> {
  const prometheus = queryPrometheus(mesh);
  try {
    const alerts = await prometheus.alerts();
    const named = (state: string) =>
      alerts.filter((alert) => alert.state === state).map(({ labels }) => labels["alertname"]);
    if (named("firing").length > 0) throw new Error(named("firing").join(", "));
    return named("pending").length > 0 ? `pending: ${named("pending").join(", ")}` : "none is pending";
  } finally {
    prometheus.close();
  }
}

/** Tries all of it. The round trip is made again, so that its trace is the newest. */
export async function proveObservability(mesh: Mesh, config: MeshConfig): Promise<ObservabilityProof> {
  const agents = mesh.clouds.flatMap((cloud) => usualAgent(cloud) ?? []);
  const steps = [
    await step("Prometheus reads every part of every cloud", () =>
      until("all targets", () => allTargets(mesh, config), RARELY),
    ),
    await step("Prometheus evaluates every rule", () => until("all rules", () => allRules(mesh), RARELY)),
  ];
  if (agents.length > 1) {
    const what = `the round trip from ${nameOf(agents[0]!)} is one trace of ${agents.length} clouds`;
    steps.push(
      await step(what, async () => {
        const began = Date.now();
        const { failure } = await roundTrip(mesh, agents);
        if (failure !== undefined) throw new Error(failure);
        return until("the whole trace", () => wholeTrace(mesh, began), RARELY);
      }),
    );
  }
  steps.push(
    await step("every query of every dashboard gives a series", () =>
      until(
        "all queries",
        async () => {
          // What connections take is told of those that were just made, and they live for some seconds.
          await roundTrip(mesh, agents);
          return allDashboards(mesh, config);
        },
        RARELY,
      ),
    ),
    await step("no alert fires", () => quiet(mesh)),
  );
  return { steps };
}
