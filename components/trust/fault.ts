// Errors of the providers, with what is known of them.

/** What is known of an error besides its words. */
export interface FaultFacts {
  /** Waiting may help: the server starts, the load balancer is being made. */
  transient?: boolean;
  /** The Kubernetes API itself said that the pod does not exist. Its volume may: see `serverGone`. */
  podMissing?: boolean;
  /** It said that the server's StatefulSet does not exist either. The server's database leaves with that. */
  serverGone?: boolean;
  /** gRPC status code in SPIRE's answer, for example 5 (not found) or 6 (already exists). */
  code?: number;
  /** A bundle that must not be handed on. */
  refused?: boolean;
}

/** An error with facts about it. The message never holds a kubeconfig or a key. */
export function fault(message: string, facts: FaultFacts): Error & FaultFacts {
  return Object.assign(new Error(message), facts);
}

/** The facts of whatever was thrown; none for errors from elsewhere. */
export function factsOf(error: unknown): FaultFacts {
  return typeof error === "object" && error !== null ? (error as FaultFacts) : {};
}

/** The words of whatever was thrown. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
