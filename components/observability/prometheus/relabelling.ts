// Which ports of which pods Prometheus reads, and what their series are labelled with: a pure function.
import { AGENT, METRICS_PORT_NAMES } from "../../well-known";
import { CLUSTER_LABEL } from "../../envoy/metrics";
import { LABELS } from "../rules/names";
import type { ScrapedCluster } from "./scraped-cluster";

/** Label `job` of the tailnet's devices beside agents and others: they are not what the pod is there for. */
const TAILNET_DEVICE_JOB = "tailnet-device";

const POD = "__meta_kubernetes_pod_";
const META = {
  namespace: "__meta_kubernetes_namespace",
  pod: `${POD}name`,
  phase: `${POD}phase`,
  container: `${POD}container_name`,
  portName: `${POD}container_port_name`,
  portNumber: `${POD}container_port_number`,
  /** `true` for a sidecar, which is an init container that goes on running. */
  init: `${POD}container_init`,
  name: `${POD}label_app_kubernetes_io_name`,
  /** A label of agents alone. */
  role: `${POD}label_agentweave_io_role`,
} as const;

/** One step (https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config). */
interface Step {
  readonly action?: "keep" | "labeldrop";
  readonly source_labels?: readonly string[];
  /** Matches the whole of the labels' values, joined by `;`. Default: anything. */
  readonly regex?: string;
  readonly target_label?: string;
  /** Default: what the expression's first group matched, the whole by default. */
  readonly replacement?: string;
}

const keep = (label: string, values: readonly string[]): Step => ({
  action: "keep",
  source_labels: [label],
  regex: values.join("|"),
});
const copy = (from: string, to: string): Step => ({ source_labels: [from], target_label: to });
const set = (to: string, replacement: string): Step => ({ target_label: to, replacement });
/** Sets a label where the others match. */
const where = (from: readonly string[], regex: string, to: string, replacement: string): Step => ({
  source_labels: from,
  regex,
  target_label: to,
  replacement,
});

/** The steps for a cluster's targets, and for the samples of each. */
export function relabelling(cluster: Pick<ScrapedCluster, "cloud" | "region" | "api" | "reach">): {
  readonly relabel_configs: readonly Step[];
  readonly metric_relabel_configs: readonly Step[];
} {
  return {
    relabel_configs: [
      // A pod whose Envoy, a sidecar, has no identity does not start, and must be missed.
      keep(META.phase, ["Pending", "Running"]),
      keep(META.portName, Object.values(METRICS_PORT_NAMES)),
      set(LABELS.cloud, cluster.cloud),
      set(LABELS.region, cluster.region),
      copy(META.pod, LABELS.pod),
      copy(META.pod, LABELS.instance),
      copy(META.container, LABELS.container),
      copy(META.name, LABELS.job),
      where([META.role], ".+", LABELS.job, AGENT.component),
      where([META.portName, META.init], `${METRICS_PORT_NAMES.tailnet};true`, LABELS.job, TAILNET_DEVICE_JOB),
      where([META.phase], "(Pending)", LABELS.phase, "$1"),
      copy(LABELS.job, LABELS.role),
      where([META.role], "(.+)", LABELS.role, "$1"),
      ...(cluster.reach.kind === "apiServer" ? throughApiServer(cluster.api.server) : []),
    ],
    metric_relabel_configs: [
      // Of the clusters of an Envoy, agents alone have a slash in their names.
      where([CLUSTER_LABEL], "([^/]+)/([^/]+)", LABELS.peer, "$1-$2"),
      where([CLUSTER_LABEL], "([^/]+)/([^/]+)", LABELS.peerCloud, "$1"),
      // What a target says of these itself: Prometheus knows better, and moves it aside under this name.
      { action: "labeldrop", regex: `exported_(${[LABELS.cloud, LABELS.region, LABELS.role].join("|")})` },
    ],
  };
}

/** To the pod by way of its API server (https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/). */
function throughApiServer(server: string): Step[] {
  const { host, pathname } = new URL(server);
  const prefix = pathname.replace(/\/$/, "");
  return [
    where(
      [META.namespace, META.pod, META.portNumber],
      "(.+);(.+);(.+)",
      "__metrics_path__",
      `${prefix}/api/v1/namespaces/$1/pods/$2:$3/proxy/metrics`,
    ),
    set("__address__", host),
  ];
}
