// `mesh status`: what stands in each cloud and whether it is ready, in one table.
import { parseSpiffeBundle } from "../spiffe/bundle";
import { NAMESPACES, OPA, SPIRE_AGENT, SPIRE_SERVER, TAILNET } from "../components/well-known";
import { type Connect, connectKubernetes, type WorkloadKind } from "./cluster";
import { lineOf } from "./errors";
import { DEFAULT_LIMIT_MS, eachOf, within } from "./limits";
import { memberOf, type Member } from "./member";
import type { Mesh, MeshNetwork } from "./mesh-outputs";
import { columns, shortDigest, spanOf } from "./table";

/** One line of the table. */
export interface ComponentStatus {
  readonly cloud: string;
  readonly component: string;
  readonly ready: boolean;
  /** Pods that are ready and that should be; missing for what is no workload, or could not be read. */
  readonly pods?: { readonly ready: number; readonly desired: number };
  /** Version, bundle and its expiry, or address. */
  readonly detail: string;
  /** Why it is not ready, where that is known. */
  readonly cause?: string;
}

export interface StatusReport {
  /** Everything is ready. */
  readonly ok: boolean;
  /** How the clouds are connected; missing when the outputs are of a version that did not tell. */
  readonly network?: MeshNetwork;
  readonly components: readonly ComponentStatus[];
}

export interface StatusOptions {
  /** Longest time of each question, in milliseconds. Default 15,000. */
  readonly limitMs?: number;
  readonly connect?: Connect;
}

type Row = Omit<ComponentStatus, "cloud">;

const unread = (component: string, detail: string, error: unknown): Row => ({
  component,
  ready: false,
  detail,
  cause: lineOf(error),
});

async function workload(
  { cloud, cluster }: Member,
  component: string,
  [kind, namespace, name]: readonly [WorkloadKind, string, string],
  detail: string,
  limitMs: number,
): Promise<Row> {
  try {
    const pods = await within(limitMs, `${cloud.name}: reading ${namespace}/${name}`, () =>
      cluster.workload(kind, namespace, name),
    );
    if (!pods) return unread(component, detail, `there is no ${kind} ${namespace}/${name}`);
    return { component, ready: pods.desired > 0 && pods.ready >= pods.desired, pods, detail };
  } catch (error) {
    return unread(component, detail, error);
  }
}

async function apiServer({ cloud, cluster }: Member, limitMs: number): Promise<Row> {
  const component = "API server";
  try {
    const detail = await within(limitMs, `${cloud.name}: its API server`, () => cluster.version());
    return { component, ready: true, detail };
  } catch (error) {
    return unread(component, "", error);
  }
}

async function spireServer(member: Member, limitMs: number): Promise<Row> {
  const { cloud, server } = member;
  const place = ["StatefulSet", NAMESPACES.spireServer, SPIRE_SERVER.name] as const;
  const reading = within(limitMs, `${cloud.name}: its bundle`, () => server.bundleShow()).then((document) => {
    const now = new Date();
    const { digest, expiresAt } = parseSpiffeBundle(document, cloud.trustDomain, now);
    const left = (Date.parse(expiresAt) - now.getTime()) / 1000;
    return { detail: `bundle ${shortDigest(digest)}, last CA expires in ${spanOf(left)} (${expiresAt})` };
  });
  const [row, bundle] = await Promise.all([
    workload(member, "SPIRE server", place, "", limitMs),
    reading.catch((error: unknown) => ({ detail: "no bundle", cause: lineOf(error) })),
  ]);
  return { ...row, ready: row.ready && !("cause" in bundle), cause: row.cause, ...bundle };
}

async function cloudStatus(
  member: Member,
  network: MeshNetwork | undefined,
  limitMs: number,
): Promise<ComponentStatus[]> {
  const { cloud } = member;
  const agents = cloud.agents.map(({ role, namespace, workload: { kind, name }, address }) =>
    workload(member, `agent ${role}`, [kind, namespace, name], address, limitMs),
  );
  const routers = ["StatefulSet", NAMESPACES.tailscale, TAILNET.router] as const;
  const rows = await Promise.all([
    apiServer(member, limitMs),
    ...(cloud.serverCloud ? [] : [spireServer(member, limitMs)]),
    workload(member, "SPIRE agents", ["DaemonSet", NAMESPACES.spireSystem, SPIRE_AGENT.name], "", limitMs),
    workload(member, "OPA", ["Deployment", NAMESPACES.opa, OPA.name], "", limitMs),
    ...(network?.mode === "tailscale"
      ? [workload(member, "subnet routers", routers, network.tailnet ?? "", limitMs)]
      : []),
    ...agents,
  ]);
  return rows.map((row) => ({ cloud: cloud.name, ...row }));
}

/** Asks every cloud, side by side. What cannot be read is in the report, with its cause. */
export async function meshStatus(mesh: Mesh, options: StatusOptions = {}): Promise<StatusReport> {
  const { limitMs = DEFAULT_LIMIT_MS, connect = connectKubernetes } = options;
  const components = (
    await eachOf(mesh.clouds, (cloud) =>
      cloudStatus(memberOf(cloud, connect, limitMs), mesh.network, limitMs),
    )
  ).flat();
  return { ok: components.every(({ ready }) => ready), network: mesh.network, components };
}

function readiness({ pods, ready }: ComponentStatus): string {
  const count = pods ? `${pods.ready}/${pods.desired}` : ready ? "yes" : "";
  return ready ? count : `NO ${count}`.trimEnd();
}

function networkLine({ mode, tailnet, global }: MeshNetwork): string {
  const parts = [mode, tailnet, global && `any cloud's agents at ${global}`];
  return `network: ${parts.filter(Boolean).join(", ")}`;
}

/** The report for people: the network, and a table of everything. */
export function statusText({ network, components }: StatusReport): string {
  const rows = components.map((row) => [
    row.cloud,
    row.component,
    readiness(row),
    row.cause === undefined ? row.detail : row.cause,
  ]);
  const table = columns([["cloud", "component", "ready", ""], ...rows]);
  return network ? `${networkLine(network)}\n\n${table}` : table;
}
