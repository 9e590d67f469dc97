/** Namespace of the program's configuration keys, as in `agentweave-mesh:clouds`. */
export const NAMESPACE = "agentweave-mesh";
