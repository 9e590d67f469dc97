/** The pod that commands are executed in. */
export interface PodLocation {
  /** The cloud's key in the stack's config; errors begin with it. */
  cloud: string;
  namespace: string;
  pod: string;
  container: string;
  /** Name of the pod's StatefulSet. A pod that does not exist is then told apart: gone with its StatefulSet, or only away. */
  statefulSet?: string;
  /** Pods of that StatefulSet, any of which does as well. Default 1. */
  replicas?: number;
}
