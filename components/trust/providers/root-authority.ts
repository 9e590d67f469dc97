// Provider of RootAuthority: a key and its certificate are made once, and are nowhere but in the state.
import { isTrustDomain } from "../../../spiffe/spiffe-id";
import { checker, diffBy, type Provider } from "../../providers/properties";
import { endOf, issueRoot, validityOf } from "../x509";

/** Inputs of RootAuthority as the engine hands them to the provider. */
export interface RootAuthorityInputs {
  trustDomain: string;
  ttlSeconds: number;
}

/** Inputs and what was made. */
export interface RootAuthorityState extends RootAuthorityInputs {
  certificate: string;
  key: string;
  /** ISO 8601. */
  notAfter: string;
}

/** Says what to do where a root has ended, or soon will. The engine shows what its plugins print. */
function warnOfEnd({ trustDomain, certificate, notAfter }: RootAuthorityState, now: number): void {
  const end = endOf(validityOf(certificate), now);
  if (end === "past")
    console.warn(
      `The root of ${trustDomain} has ended on ${notAfter}: no identity of that trust domain is worth anything any more. It cannot be renewed: destroy the mesh and make it anew, which makes another root (docs/trust.md).`,
    );
  if (end === "near")
    console.warn(
      `The root of ${trustDomain} ends on ${notAfter}, and is not renewed: plan a new mesh before that, in which all identities are under another root (docs/trust.md).`,
    );
}

/** Makes the provider; `now` tells the time, in milliseconds since 1970. */
export const makeRootAuthorityProvider = (
  now: () => number = Date.now,
): Provider<RootAuthorityInputs, RootAuthorityState> => ({
  check: async (_olds, news) => {
    const { failures, ...must } = checker(news);
    must.must("trustDomain", isTrustDomain, "must be the name of a trust domain, without spiffe://");
    must.timeout("ttlSeconds");
    return { inputs: news, failures };
  },

  // Another life is that of the next root: a new one takes the trust from all that the old one signed.
  diff: diffBy(["trustDomain"], ["__provider"]),

  create: async (inputs) => {
    const { trustDomain, ttlSeconds } = inputs;
    const made = await issueRoot({ trustDomain, commonName: `${trustDomain} root`, ttlSeconds });
    const { notAfter } = validityOf(made.certificate);
    return { id: `spiffe://${trustDomain}`, outs: { ...inputs, ...made, notAfter } };
  },

  // Only the way to this code can have changed.
  update: async (_id, olds, news) => ({ outs: { ...olds, ...news } }),

  // There is nothing to compare with: what is stored is what there is.
  read: async (id, state) => {
    if (!state) throw new Error("a RootAuthority cannot be imported; let the program make it");
    warnOfEnd(state, now());
    return { id, props: state };
  },

  delete: async () => {},
});

/** The provider by this machine's clock. */
export const rootAuthorityProvider = makeRootAuthorityProvider();
