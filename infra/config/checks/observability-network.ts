// Whether observability goes with how its clouds are connected.
import {
  type TelemetryDevice,
  telemetryDevices,
  telemetryHostname,
} from "../../../components/network/tailscale/telemetry-devices";
import { agentName } from "../../../components/well-known";
import type { CloudDrafts } from "../draft";
import type { Draft } from "../clouds/spec";
import type { NetworkEntry } from "../network";
import type { ObservabilityEntry } from "../observability";
import type { RolesByCloud } from "../policy";
import type { Problem } from "../problem";
import { specOf } from "../settle";

/** Mistakes in how these go together. */
export function observabilityNetworkProblems(
  clouds: CloudDrafts,
  roles: RolesByCloud,
  mode: NetworkEntry["mode"] | undefined,
  { enabled, home = clouds[0]?.[0], metrics }: Draft<ObservabilityEntry>,
): Problem[] {
  const others = metrics?.scrape?.others ?? "apiServer";
  if (enabled === false || home === undefined) return [];
  if (mode === "vpn" && others === "network") return unreachablePods(clouds, home);
  return mode === "tailscale" ? takenNames([...roles.keys()], roles, home, others) : [];
}

/** Clouds whose pods have addresses that no tunnel carries. */
function unreachablePods(clouds: CloudDrafts, home: string): Problem[] {
  const unreachable = clouds.flatMap(([name, entry]) =>
    name !== home && specOf(entry).podsInOverlay ? [name] : [],
  );
  if (unreachable.length === 0) return [];
  return [
    {
      path: ["observability", "metrics", "scrape", "others"],
      message: `is network, but pods of ${unreachable.join(" and ")} have addresses of an overlay, which no tunnel carries; write apiServer`,
    },
  ];
}

const PURPOSES: Readonly<Record<TelemetryDevice, string>> = {
  collector: "collector of traces",
  traces: "trace store",
  prometheus: "Prometheus",
};

/** Agents that would have the name of another device on the tailnet. */
function takenNames(
  clouds: readonly string[],
  roles: RolesByCloud,
  home: string,
  others: "apiServer" | "network",
): Problem[] {
  const readsOthersBy = clouds.length > 1 ? others : undefined;
  const taken = new Map(
    clouds.flatMap((cloud) =>
      telemetryDevices(
        cloud === home
          ? { home: true, scrapedBy: "pods", readsOthersBy }
          : { home: false, scrapedBy: others },
      ).map((device) => [telemetryHostname(cloud, device), `${cloud}'s ${PURPOSES[device]}`] as const),
    ),
  );
  return [...roles].flatMap(([cloud, ofCloud]) =>
    (ofCloud ?? []).flatMap((role, index): Problem[] => {
      const name = agentName(cloud, role);
      const owner = taken.get(name);
      if (owner === undefined) return [];
      const message = `makes the name ${JSON.stringify(name)}, which is that of ${owner} on the tailnet; write another`;
      return [{ path: ["clouds", cloud, "roles", index], message }];
    }),
  );
}
