// What rules and dashboards follow from, out of what a stack decides.
import type { NetworkMode } from "../network/mode";
import type { RulesArgs } from "./rules";
import { SCRAPE_TOKEN_SECONDS } from "./scrape-token";
import type { ObservabilitySettings } from "./settings";

/** Lifetimes that alerts follow from, in seconds. */
export type TrustLifetimes = Pick<RulesArgs, "caTtlSeconds" | "svidTtlSeconds" | "refreshSeconds">;

/** What `rulesArgs` needs. */
export interface ShownMesh {
  /** By name. */
  readonly clouds: RulesArgs["clouds"];
  readonly settings: ObservabilitySettings;
  readonly networkMode: NetworkMode;
  readonly trust: TrustLifetimes;
}

/** The arguments of `renderRules` and `dashboards` for a mesh. */
export function rulesArgs({ clouds, settings, networkMode, trust }: ShownMesh): RulesArgs {
  return {
    clouds: clouds.map(({ name, region }) => ({ name, region })),
    home: settings.home,
    networkMode,
    intervalSeconds: settings.metrics.intervalSeconds,
    scrapeTokenSeconds: SCRAPE_TOKEN_SECONDS,
    ...trust,
  };
}
