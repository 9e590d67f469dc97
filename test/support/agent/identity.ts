// An identity source that a test rotates by hand.
import { type Identity, type IdentitySource, isValid } from "../../../spiffe/source";

/** Where identities come from a test. */
export interface ManualIdentity extends IdentitySource {
  /** Makes this the identity, or takes it away. */
  set(identity: Identity | undefined): void;
}

export function manualIdentity(first?: Identity): ManualIdentity {
  let identity = first;
  const listeners = new Set<(identity: Identity) => void>();
  return {
    current: () => (identity && isValid(identity) ? identity : undefined),
    onUpdate(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set(next) {
      identity = next;
      if (next) listeners.forEach((listener) => listener(next));
    },
    close: () => listeners.clear(),
  };
}
