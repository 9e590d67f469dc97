// What the pods that show the mesh ask of their nodes.

/** Default sizes: of some dozens of agents, whose series and traces are few. */
export const OBSERVABILITY_SIZES = {
  prometheus: { cpu: "250m", memory: "1Gi" },
  collector: { cpu: "100m", memory: "256Mi" },
  traceStore: { cpu: "200m", memory: "1Gi" },
  grafana: { cpu: "100m", memory: "256Mi" },
  /** Beside each collector and the trace store. */
  relay: { cpu: "25m", memory: "128Mi" },
  /** Trust exporter and token renewer. */
  program: { cpu: "25m", memory: "128Mi" },
} as const;
