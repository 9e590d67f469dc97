// A plan as another revision's is compared with it: `mesh plan --against` loads this file of the other revision by its name, and calls what it exports.
import type { NetworkMode } from "../../components/network/mode";
import type { PlannedResource } from "./difference";
import { plain } from "./plain";
import { planOf } from "./plan";
import { type PlanReport, reportOf } from "./report";

/** All that two plans are compared by. */
export interface ComparedPlan {
  readonly report: PlanReport;
  readonly resources: readonly PlannedResource[];
}

/** What is asked of a plan that is compared with another. */
export interface ComparedRequest {
  readonly stack: string;
  /** Default: that of the stack. */
  readonly mode?: NetworkMode;
  /** Text of the stack's file. Default: that of the checkout. */
  readonly file?: string;
  /** Of the digests of secrets: both plans have the same, which nobody keeps. */
  readonly key: string;
}

/** The plan of a stack of this checkout, without its secrets. */
export async function comparedPlan({ stack, mode, file, key }: ComparedRequest): Promise<ComparedPlan> {
  const plan = await planOf(stack, { mode, file });
  return {
    report: reportOf(plan),
    resources: sortedByName(plan.resources).map(
      ({ urn, type, name, inputs, ignoreChanges, replaceOnChanges }) => ({
        urn,
        type,
        name,
        inputs: plain(inputs, key) as PlannedResource["inputs"],
        ignoreChanges,
        replaceOnChanges,
      }),
    ),
  };
}

/** Sorted by name, then by type: the order in which a program registers is not always the same. */
function sortedByName<T extends { readonly name: string; readonly type: string }>(all: readonly T[]): T[] {
  return [...all].sort((a, b) => (`${a.name} ${a.type}` < `${b.name} ${b.type}` ? -1 : 1));
}
