// How much the tailnet's own containers ask of their nodes, where a stack says nothing else.

/** Default size of a subnet router's container. */
export const ROUTER_SIZE = { cpu: "100m", memory: "128Mi" } as const;

/** Size of the sidecar that puts an agent on the tailnet. */
export const SIDECAR_SIZE = { cpu: "50m", memory: "128Mi" } as const;
