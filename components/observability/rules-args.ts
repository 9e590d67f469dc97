// What rules and dashboards follow from, out of what a stack decides.
import type { NetworkSettings } from "../network/mode";
import { authKeyLife } from "../network/tailscale/keys";
import type { RulesArgs } from "./rules";
import { SCRAPE_TOKEN_SECONDS } from "./scrape/token";
import type { ObservabilitySettings } from "./settings";

/** Lifetimes that alerts follow from, in seconds. */
export type TrustLifetimes = Pick<RulesArgs, "caTtlSeconds" | "svidTtlSeconds" | "refreshSeconds">;

/** What `rulesArgs` needs. */
export interface ShownMesh {
  /** By name. */
  readonly clouds: RulesArgs["clouds"];
  readonly settings: ObservabilitySettings;
  readonly network: NetworkSettings;
  readonly trust: TrustLifetimes;
  /** Whether all clouds are of one trust domain. Default: false. */
  readonly sharedTrust?: boolean;
  /** Whether bundles are fetched from buckets. Default: false. */
  readonly bucket?: boolean;
  /** The cloud whose SPIRE server is that of all clouds. Default: each has its own. */
  readonly serverCloud?: string;
}

/** The arguments of `renderRules` and `dashboards` for a mesh. */
export function rulesArgs({
  clouds,
  settings,
  network,
  trust,
  sharedTrust,
  bucket,
  serverCloud,
}: ShownMesh): RulesArgs {
  const authKeys = network.mode === "tailscale" ? authKeyLife(network.tailscale) : undefined;
  return {
    clouds: clouds.map(({ name, region }) => ({ name, region })),
    home: settings.home,
    networkMode: network.mode,
    intervalSeconds: settings.metrics.intervalSeconds,
    scrapeTokenSeconds: SCRAPE_TOKEN_SECONDS,
    ...trust,
    ...(authKeys && { authKeys }),
    ...(serverCloud !== undefined && { serverCloud }),
    ...(bucket && { bucket }),
    ...(sharedTrust && clouds.length > 1 && { sharedTrust }),
  };
}
