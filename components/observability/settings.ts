// What a stack decides about seeing the mesh, as the layers take it.
import type { ContainerSize } from "../kubernetes/container";

/** How Prometheus reaches pods. */
export interface ScrapeSettings {
  /** Pods of the home cloud: at their own addresses, or through the API server's pod proxy. */
  readonly home: "pods" | "apiServer";
  /**
   * Pods of the other clouds: through their API server's pod proxy, inside of TLS, or at their own addresses over the tailnet or the tunnels
   * (not in network mode `direct`).
   */
  readonly others: "apiServer" | "network";
}

/** A system outside of the mesh that gets all samples, too (https://prometheus.io/docs/specs/prw/remote_write_spec/). */
export interface RemoteWrite {
  readonly url: string;
  /** A secret, sent as `Authorization: Bearer`. Default: none. */
  readonly bearerToken?: string;
}

/** Prometheus. */
export interface MetricsSettings {
  readonly scrape: ScrapeSettings;
  /** Time between two scrapes of a target, in whole seconds. */
  readonly intervalSeconds: number;
  /** How long samples are kept, as Prometheus writes it: `15d`. */
  readonly retention: string;
  readonly storageSize: string;
  readonly remoteWrite: readonly RemoteWrite[];
  /** URLs of Alertmanagers, which decide who is told of an alert. */
  readonly alertmanagers: readonly string[];
  readonly resources?: ContainerSize;
}

/** Which traces are kept. */
export interface SamplingSettings {
  /**
   * `head`: each collector keeps `percent` of the traces by a hash of their ids, so that all clouds keep the same ones; `tail`: all are sent to
   * the home cloud, which keeps those with an error, those that took longer than `slowerThanMs`, and `percent` of the others.
   */
  readonly mode: "head" | "tail";
  /** 0 to 100. */
  readonly percent: number;
  readonly slowerThanMs: number;
}

/** Collectors and trace store. */
export interface TracesSettings {
  readonly sampling: SamplingSettings;
  /** How long traces are kept, a Go duration. */
  readonly retention: string;
  readonly storageSize: string;
  /** Pods of each cloud's collector. */
  readonly replicas: number;
  readonly collector?: ContainerSize;
  readonly store?: ContainerSize;
}

/** Everything about seeing the mesh. */
export interface ObservabilitySettings {
  /** Cloud that holds Prometheus, Grafana and the trace store. */
  readonly home: string;
  readonly metrics: MetricsSettings;
  readonly traces: TracesSettings;
  readonly dashboards: { readonly resources?: ContainerSize };
}
