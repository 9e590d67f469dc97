// What `mesh plan` prints.
import { randomBytes } from "node:crypto";
import type { NetworkMode } from "../../components/network/mode";
import { planAt } from "./against";
import { changeMarkdown, changeText } from "./change-text";
import { comparedPlan } from "./compared";
import { differenceOf } from "./difference";
import { tableChanges } from "./difference-tables";
import { planOf } from "./plan";
import { reportOf } from "./report";
import { planMarkdown, planText } from "./text";

/** How a plan is printed: tables, Markdown for a pull request, or JSON for a program. */
export type PlanFormat = "text" | "markdown" | "json";

/** What is to be planned. */
export interface PlanRequest {
  /** Name of a stack that has its `Pulumi.<stack>.yaml` here. */
  readonly stack: string;
  /** Default: that of the stack. */
  readonly mode?: NetworkMode;
  /** A git revision whose plan this one is compared with. Default: none. */
  readonly against?: string;
  readonly format: PlanFormat;
}

/** What is printed. */
export interface PlanAnswer {
  readonly text: string;
  /** Whether the plan keeps the rules of the policy pack, but for those that the stack relaxes. */
  readonly ok: boolean;
}

/** The plan of a stack as text, or how it differs from that of a revision. */
export async function plan(request: PlanRequest): Promise<PlanAnswer> {
  const { stack, mode, against, format } = request;
  if (against !== undefined) return changeOf(request);
  const report = reportOf(await planOf(stack, { mode }));
  return { text: printed(report, format, planText, planMarkdown), ok: report.violations === 0 };
}

async function changeOf({ stack, mode, against = "", format }: PlanRequest): Promise<PlanAnswer> {
  const request = { stack, mode, key: randomBytes(32).toString("hex") };
  const [before, after] = await Promise.all([planAt(against, request), comparedPlan(request)]);
  const { commit, otherPackages, plan: old } = before;
  const change = {
    stack,
    network: { before: old?.report.network, after: after.report.network },
    against: { revision: against, commit, otherPackages },
    count: { before: old?.resources.length ?? 0, after: after.resources.length },
    tables: tableChanges(old?.report.tables ?? [], after.report.tables),
    resources: differenceOf(old?.resources ?? [], after.resources),
  };
  return { text: printed(change, format, changeText, changeMarkdown), ok: after.report.violations === 0 };
}

function printed<T>(
  answer: T,
  format: PlanFormat,
  text: (answer: T) => string,
  markdown: (answer: T) => string,
): string {
  return { text, markdown, json: (value: T) => JSON.stringify(value, undefined, 2) }[format](answer);
}
