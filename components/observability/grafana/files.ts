// The files that Grafana is provisioned with (https://grafana.com/docs/grafana/latest/administration/provisioning/): pure functions.
import { dump } from "js-yaml";
import { dashboards } from "../dashboards";
import { DATASOURCES } from "../dashboards/datasources";
import { DASHBOARDS } from "../dashboards/links";
import type { RulesArgs } from "../rules/rule";

/** Where the pod has what it is provisioned with. Grafana reads all of it when it starts, and dashboards also when they have changed. */
export const GRAFANA_PATHS = {
  /** Directories of the image, with nothing in them there. */
  datasources: "/etc/grafana/provisioning/datasources",
  providers: "/etc/grafana/provisioning/dashboards",
  dashboards: "/etc/agentweave/dashboards",
  /** With the file `PASSWORD_KEY`. */
  admin: "/etc/agentweave/admin",
  /** The database, which is no more than a cache here, and indexes. */
  data: "/var/lib/grafana",
} as const;

/** Key of the Secret with the password of Grafana's administrator, and name of the file. */
export const PASSWORD_KEY = "password";

/** File of the dashboard that is shown first. */
export const HOME_DASHBOARD = `${DASHBOARDS.mesh}.json`;

/** Names of the files in the ConfigMap `grafana`. */
export const PROVISIONING_FILES = { datasources: "datasources.yaml", providers: "providers.yaml" } as const;

/** The provisioning itself. `intervalSeconds` is the time between two scrapes, from which Grafana takes the range of its rates. */
export function provisioningFiles(intervalSeconds: number): Record<string, string> {
  const { prometheus, traces } = DATASOURCES;
  const common = { access: "proxy", editable: false };
  return {
    [PROVISIONING_FILES.datasources]: dump({
      apiVersion: 1,
      // What an earlier version of this file had and this one has not is removed.
      prune: true,
      datasources: [
        {
          ...prometheus,
          ...common,
          isDefault: true,
          jsonData: { httpMethod: "POST", timeInterval: `${intervalSeconds}s`, prometheusType: "Prometheus" },
        },
        { ...traces, ...common, jsonData: { nodeGraph: { enabled: true } } },
      ],
    }),
    [PROVISIONING_FILES.providers]: dump({
      apiVersion: 1,
      providers: [
        {
          name: "agentweave-mesh",
          folder: "Mesh",
          type: "file",
          disableDeletion: true,
          allowUiUpdates: false,
          options: { path: GRAFANA_PATHS.dashboards },
        },
      ],
    }),
  };
}

/**
 * Content of the ConfigMap with the dashboards, by file, as a recipe makes it (GeneratedConfigMap). Without white space: a ConfigMap takes
 * 1 MiB.
 */
export function dashboardContent(shown: RulesArgs): { data: Record<string, string> } {
  const files = Object.entries(dashboards(shown)).map(([file, json]) => [file, JSON.stringify(json)]);
  return { data: Object.fromEntries(files) as Record<string, string> };
}
