// Which identities a plan gives, to whom, and which of them trust which trust domains.
import type { Plan } from "../plan";
import { sorted, type Table } from "../table";

const TRUST = "pulumi-nodejs:dynamic/agentweave/trust:";

/** Each identity with the trust domains whose identities it can verify, its own left out. */
export const identitiesTable = ({ resources }: Plan): Table => ({
  key: "identities",
  title: "Which identities trust which",
  head: ["identity", "given to", "trusts, beside its own domain"],
  lists: true,
  rows: sorted(
    resources
      .filter(({ type }) => type === `${TRUST}RegistrationEntry`)
      .map(({ inputs: { spiffeId, selectors, federatesWith } }) => [
        spiffeId,
        [...selectors].sort().join(" "),
        federatesWith.length === 0 ? "nobody" : [...federatesWith].sort().join(", "),
      ]),
  ),
  none: "no identity",
});

/** Each trust domain with those that it trusts, and where it fetches their bundles. */
export const federationTable = ({ resources }: Plan): Table => ({
  key: "federation",
  title: "Which trust domains trust which",
  head: ["trust domain", "trusts", "whose bundle it fetches with the authority of"],
  rows: sorted(
    resources
      .filter(({ type }) => [`${TRUST}FederationRelationship`, `${TRUST}PartnerRelationship`].includes(type))
      .map(({ inputs: { target, source, trustDomain, endpointSpiffeId } }) => [
        target.trustDomain,
        source?.trustDomain ?? `${trustDomain} (partner)`,
        endpointSpiffeId || "a public certificate (https_web)",
      ]),
  ),
  none: "none trusts another",
});
