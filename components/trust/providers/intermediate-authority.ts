// Provider of IntermediateAuthority: the CA of one cloud, signed by the root of its trust domain, and signed anew in time.
import { isTrustDomain } from "../../../spiffe/spiffe-id";
import { changed, checker, type Provider } from "../../providers/properties";
import { type Authority, endOf, issueIntermediate, validityOf } from "../x509";

/** Inputs of IntermediateAuthority as the engine hands them to the provider. */
export interface IntermediateAuthorityInputs {
  cloud: string;
  trustDomain: string;
  ttlSeconds: number;
  /** PEM. */
  rootCertificate: string;
  rootKey: string;
}

/** Inputs and what was made. */
export interface IntermediateAuthorityState extends IntermediateAuthorityInputs, Authority {
  /** ISO 8601. */
  notBefore: string;
  notAfter: string;
}

async function issue(inputs: IntermediateAuthorityInputs): Promise<IntermediateAuthorityState> {
  const { cloud, trustDomain, ttlSeconds, rootCertificate, rootKey } = inputs;
  const made = await issueIntermediate(
    { trustDomain, commonName: `${trustDomain} ${cloud}`, ttlSeconds },
    { certificate: rootCertificate, key: rootKey },
  );
  return { ...inputs, ...made, ...validityOf(made.certificate) };
}

/** Says what to do where an authority has ended, or soon will. The engine shows what its plugins print. */
function warnOfEnd(state: IntermediateAuthorityState, now: number): void {
  const { cloud, notAfter, rootCertificate } = state;
  const end = endOf(state, now);
  if (end === undefined) return;
  const what = `${cloud}: the authority with which the CA of its SPIRE server is signed`;
  const when = end === "past" ? `has ended on ${notAfter}` : `ends on ${notAfter}`;
  const worth = end === "past" ? " No identity of the cloud is worth anything until then." : "";
  const next =
    Date.parse(notAfter) < Date.parse(validityOf(rootCertificate).notAfter)
      ? `The next \`pulumi up\` signs another.${worth}`
      : "Another one cannot last longer, as the root ends then, too: a new root is a new mesh (docs/trust.md).";
  console.warn(`${what} ${when}. ${next}`);
}

/** Makes the provider; `now` tells the time, in milliseconds since 1970. */
export function makeIntermediateAuthorityProvider(
  now: () => number = Date.now,
): Provider<IntermediateAuthorityInputs, IntermediateAuthorityState> {
  const mustSign = (olds: IntermediateAuthorityState, news: IntermediateAuthorityInputs): boolean =>
    ["ttlSeconds", "rootCertificate"].some((property) => changed(olds, news, property)) ||
    endOf(olds, now()) !== undefined;
  return {
    check: async (_olds, news) => {
      const { failures, ...must } = checker(news);
      must.must("trustDomain", isTrustDomain, "must be the name of a trust domain, without spiffe://");
      must.timeout("ttlSeconds");
      for (const [property, label] of [
        ["rootCertificate", "CERTIFICATE"],
        ["rootKey", "PRIVATE KEY"],
      ] as const) {
        const isPem = (value: unknown) => String(value).startsWith(`-----BEGIN ${label}-----`);
        must.must(property, isPem, `must be PEM of a ${label.toLowerCase()}`);
      }
      return { inputs: news, failures };
    },

    diff: async (_id, olds, news) => {
      const replaces = ["cloud", "trustDomain"].filter((property) => changed(olds, news, property));
      return {
        changes: replaces.length > 0 || mustSign(olds, news) || changed(olds, news, "__provider"),
        replaces,
      };
    },

    create: async (inputs) => ({ id: `${inputs.trustDomain}/${inputs.cloud}`, outs: await issue(inputs) }),

    update: async (_id, olds, news) => ({
      outs: mustSign(olds, news) ? await issue(news) : { ...olds, ...news },
    }),

    // There is nothing to compare with: what is stored is what there is.
    read: async (id, state) => {
      if (!state) throw new Error("an IntermediateAuthority cannot be imported; let the program make it");
      warnOfEnd(state, now());
      return { id, props: state };
    },

    delete: async () => {},
  };
}

/** The provider by this machine's clock. */
export const intermediateAuthorityProvider = makeIntermediateAuthorityProvider();
