// What an agent knows of who it is and whom it may believe, and where that comes from.

/** An X509-SVID with its key, and the bundles to verify others with: everything of one moment. */
export interface Identity {
  readonly spiffeId: string;
  /** PEM, leaf first; empty when nothing is to be presented. */
  readonly certificates: string;
  /** PEM, PKCS#8. */
  readonly key: string;
  /** End of validity of the leaf. */
  readonly notAfter: Date;
  /** PEM roots by trust domain name, the own one included. */
  readonly bundles: ReadonlyMap<string, readonly string[]>;
}

/** Gives the identity of now, which changes with every rotation. */
export interface IdentitySource {
  /** The newest identity; undefined before the first one and after the last one has expired. */
  current(): Identity | undefined;
  /** Calls `listener` with every identity from now on. Returns what ends that. */
  onUpdate(listener: (identity: Identity) => void): () => void;
  /** Why there is no identity or no newer one, for people; undefined when all is well. */
  problem?(): string | undefined;
  /** Stops looking for identities and forgets the listeners. */
  close(): void;
}

/** Whether an identity can still be presented. */
export function isValid({ notAfter }: Identity, now = Date.now()): boolean {
  return now < notAfter.getTime();
}

/** Resolves when a source has an identity. Rejects with the signal's reason once it is aborted. */
export function anyIdentity(source: IdentitySource, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    if (source.current()) return resolve();
    const unsubscribe = source.onUpdate(() => {
      unsubscribe();
      resolve();
    });
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

/** A source that knows one identity and never another. */
export function fixedIdentity(identity: Identity): IdentitySource {
  return {
    current: () => (isValid(identity) ? identity : undefined),
    onUpdate: () => () => undefined,
    close: () => undefined,
  };
}
