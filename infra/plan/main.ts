// `make plan`: what a stack stands up in each network mode, counted by cloud and layer, and how much of its nodes it takes. Nothing is applied, no cloud is asked.
import { parseArgs } from "node:util";
import { NETWORK_MODES, type NetworkMode } from "../../components/network/mode";
import { ConfigError } from "../config";
import { capacityOf, supportOf } from "../notes";
import { configOf, LAYERS, type Planned, plansOf } from "./plan";

/** Counts by type of what belongs to one cloud and one layer, a line each. */
function linesOf(resources: readonly Planned[]): string[] {
  const counts = new Map<string, number>();
  for (const { type } of resources) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => a.localeCompare(b)).map(([type, count]) => `${count}  ${type}`);
}

function planText(mode: NetworkMode, plan: readonly Planned[]): string {
  const clouds = [...new Set(plan.map(({ cloud }) => cloud))].sort(
    (a, b) => Number(a === "mesh") - Number(b === "mesh") || a.localeCompare(b),
  );
  const lines = [`network.mode ${mode}: ${plan.length} resources`];
  for (const cloud of clouds) {
    for (const layer of [...LAYERS, "mesh"]) {
      const found = plan.filter((resource) => resource.cloud === cloud && resource.layer === layer);
      if (found.length === 0) continue;
      lines.push(`  ${cloud} / ${layer}: ${found.length}`, ...linesOf(found).map((line) => `    ${line}`));
    }
  }
  return lines.join("\n");
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { stack: { type: "string", default: "dev" }, network: { type: "string" } },
  });
  const modes = NETWORK_MODES.filter((mode) => !values.network || mode === values.network);
  if (modes.length === 0) {
    throw new Error(`no network mode ${values.network}: ${NETWORK_MODES.join(", ")}`);
  }
  const plans = await plansOf(values.stack, modes);
  for (const [mode, plan] of plans) {
    if (plan instanceof ConfigError) {
      console.log(`network.mode ${mode}: cannot be planned. ${plan.message}\n`);
      continue;
    }
    const config = configOf(values.stack, mode);
    const notes = [...capacityOf(config), ...supportOf(config)].map(
      ({ cloud, text }) => `  ${cloud}: ${text}`,
    );
    console.log([planText(mode, plan), ...notes, ""].join("\n"));
  }
  if (plans.every(([, plan]) => plan instanceof ConfigError)) process.exitCode = 1;
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
