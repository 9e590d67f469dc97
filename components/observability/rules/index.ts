// The text of rules.yml: what Prometheus records of the mesh, and what it tells somebody.
import { dump } from "js-yaml";
import { RULES_FILE } from "../prometheus/files";
import { callAlerts, cloudAlerts } from "./alerts-calls";
import { prometheusAlerts, traceAlerts } from "./alerts-observability";
import { bundleAlerts, identityAlerts } from "./alerts-trust";
import { recordingRules } from "./recording";
import { type Alert, promDuration, type RulesArgs } from "./rule";

export type { RulesArgs } from "./rule";

/** The group of what is recorded, which the alerts read. */
export const RECORDING_GROUP = "mesh";

/** Every alert, by the group that it is evaluated in. */
export function alertGroups(args: RulesArgs): Readonly<Record<string, readonly Alert[]>> {
  return {
    "mesh-trust": bundleAlerts(args),
    "mesh-identity": identityAlerts(args),
    "mesh-calls": callAlerts(args),
    "mesh-clouds": cloudAlerts(args),
    "mesh-traces": traceAlerts(args),
    "mesh-prometheus": prometheusAlerts(args),
  };
}

/** Where it is written what to do about an alert, as a path in this repository. */
export function runbookOf({ runbook, alert }: Pick<Alert, "runbook" | "alert">): string {
  return `docs/runbooks/${runbook}.md#${alert.toLowerCase()}`;
}

/** The rules as YAML (https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/). */
export function renderRules(args: RulesArgs): string {
  const groups = [
    { name: RECORDING_GROUP, rules: recordingRules(args) },
    ...Object.entries(alertGroups(args)).map(([name, alerts]) => ({ name, rules: alerts.map(render) })),
  ];
  return dump({ groups }, { noRefs: true, lineWidth: -1 });
}

/** Content of the ConfigMap with the rules, as a recipe makes it (GeneratedConfigMap). */
export function rulesContent(args: RulesArgs): { data: Record<string, string> } {
  return { data: { [RULES_FILE]: renderRules(args) } };
}

function render(rule: Alert) {
  const { alert, expr, forSeconds, severity, labels, summary, description } = rule;
  return {
    alert,
    expr,
    for: promDuration(forSeconds),
    labels: { severity, ...labels },
    annotations: { summary, description, runbook: runbookOf(rule) },
  };
}
