// Which pods of namespace `observability` are devices of the tailnet, and what they are called there.
import type { ObservabilityPart } from "../part";

/** A kind of pod that is a device. */
export type TelemetryDevice = "collector" | "traces" | "prometheus";

/**
 * Devices of a cluster with this part. The home cloud's own collectors reach the trace store within their cluster, and without other clouds
 * there is nobody to reach.
 */
export function telemetryDevices({ home, readsOthersBy }: ObservabilityPart): readonly TelemetryDevice[] {
  if (!home) return ["collector"];
  if (readsOthersBy === undefined) return [];
  return readsOthersBy === "network" ? ["traces", "prometheus"] : ["traces"];
}

/** Name of a device on the tailnet, for example `aws-traces`. */
export function telemetryHostname(cloud: string, device: TelemetryDevice): string {
  return `${cloud}-${device}`;
}
