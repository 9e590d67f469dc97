// What a reviewer is told of a plan: everything that it stands up, and the answers to the questions that a review asks.
import { judge, settingsFrom } from "../../policies/pack/judge";
import { LAYERS, type Plan, type Planned } from "./plan";
import type { Table } from "./table";
import { costsTable } from "./tables/costs";
import { packTable } from "./tables/pack";
import { callsTable } from "./tables/calls";
import { imagesTable } from "./tables/images";
import { nodesTable } from "./tables/nodes";
import { privilegedTable } from "./tables/privileged";
import { publicTable } from "./tables/public";
import { reachableTable } from "./tables/reachable";
import { federationTable, identitiesTable } from "./tables/trust";

/** The resources of one component of a layer, by type. */
export interface ComponentPart {
  readonly component: string;
  readonly count: number;
  /** Names by type, both sorted. */
  readonly types: readonly { readonly type: string; readonly names: readonly string[] }[];
}

/** The resources of a layer in a cloud. */
export interface LayerPart {
  readonly layer: string;
  readonly count: number;
  readonly components: readonly ComponentPart[];
}

/** The resources of a cloud; of `mesh` those of no cloud alone. */
export interface CloudPart {
  readonly cloud: string;
  readonly count: number;
  readonly layers: readonly LayerPart[];
}

/** A plan as it is printed. */
export interface PlanReport {
  readonly stack: string;
  readonly network: string;
  /** How many resources there are: the sum of those of the clouds, which are the sums of their layers, and so on. */
  readonly count: number;
  /** How often it breaks a rule of the policy pack that the stack does not relax. */
  readonly violations: number;
  readonly tree: readonly CloudPart[];
  readonly tables: readonly Table[];
}

/** By which golden plans are judged: they change with the project, and not with the days. */
export const GOLDEN_DAY = "2026-11-30";

const TABLES = [
  publicTable,
  privilegedTable,
  federationTable,
  identitiesTable,
  callsTable,
  imagesTable,
  nodesTable,
  costsTable,
  reachableTable,
] as const;

/** Groups in the order of `keys`, those that it lacks after them by name. */
function grouped<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  keys: readonly string[] = [],
): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  const place = (key: string) => (keys.indexOf(key) + keys.length + 1) % (keys.length + 1);
  return [...groups].sort(([a], [b]) => place(a) - place(b) || (a < b ? -1 : 1));
}

const layersOf = (resources: readonly Planned[]): LayerPart[] =>
  grouped(resources, ({ layer }) => layer, LAYERS).map(([layer, ofLayer]) => ({
    layer,
    count: ofLayer.length,
    components: grouped(ofLayer, ({ component }) => component).map(([component, ofComponent]) => ({
      component,
      count: ofComponent.length,
      types: grouped(ofComponent, ({ type }) => type).map(([type, ofType]) => ({
        type,
        names: ofType.map(({ name }) => name).sort(),
      })),
    })),
  }));

/**
 * The report of a plan.
 *
 * @param today day by which versions are judged, as `2026-11-30`. Default: the day that it is.
 */
export function reportOf(plan: Plan, today?: string): PlanReport {
  const { stack, config, clouds, registered, resources } = plan;
  const verdict = judge(registered, settingsFrom(config, today));
  return {
    stack,
    network: config.network.mode,
    count: resources.length,
    tree: grouped(resources, ({ cloud }) => cloud, clouds).map(([cloud, ofCloud]) => ({
      cloud,
      count: ofCloud.length,
      layers: layersOf(ofCloud),
    })),
    violations: verdict.violations.length,
    tables: [packTable(verdict), ...TABLES.map((table) => table(plan))],
  };
}
