// Which identities a plan gives, to whom, and which of them trust which trust domains.
import { OLD_TOKEN_DAYS } from "../../../components/spire/attested-cluster";
import { CONTROLLER_MANAGER } from "../../../components/well-known";
import { formatDuration } from "../../config/duration";
import { sureSecondsAlone } from "../../config/lifetimes";
import type { Plan } from "../plan";
import { sorted, type Table } from "../table";

const TRUST = "pulumi-nodejs:dynamic/agentweave/trust:";

/** Each identity with the trust domains whose identities it can verify, its own left out. */
export const identitiesTable = ({ config, resources }: Plan): Table => ({
  key: "identities",
  title: "Which identities trust which",
  head: ["identity", "given to", "trusts, beside its own domain"],
  lists: true,
  rows: sorted([
    ...resources
      .filter(({ type }) => type === `${TRUST}RegistrationEntry`)
      .map(({ inputs: { spiffeId, selectors, federatesWith } }) => [
        spiffeId,
        [...selectors].sort().join(" "),
        federatesWith.length === 0 ? "nobody" : [...federatesWith].sort().join(", "),
      ]),
    ...config.clouds
      .filter(({ spire }) => spire?.controllerManager)
      .map(({ name, trustDomain }) => [
        `spiffe://${trustDomain}/${CONTROLLER_MANAGER.pathBegin}/<namespace>/…`,
        `pods of a ClusterSPIFFEID in ${name}`,
        "whom that names",
      ]),
  ]),
  none: "no identity",
});

/** Who signs for SPIRE servers, in words. */
const SIGNERS = {
  program: "the program, whose root's key is in the stack's state",
  aws_pca: "AWS Private CA",
  gcp_cas: "Certificate Authority Service",
  vault: "Vault",
  "cert-manager": "cert-manager in each cluster",
  spire: "a SPIRE server above",
} as const;

/** Each trust domain with those that it trusts, and where it fetches their bundles; of a single one, whose identities hold in it. */
export const federationTable = (plan: Plan): Table =>
  plan.config.spire.topology !== "each"
    ? sharedServerTable(plan)
    : plan.config.trust.mode === "single"
      ? singleDomainTable(plan)
      : relationshipsTable(plan);

/** What is told of a single trust domain with one server, or with one above the others: what hangs on it. */
function sharedServerTable({ config: { trust, spire }, clouds }: Plan): Table {
  const { topology, serverCloud } = spire;
  const [issuedBy, failure] =
    topology === "central"
      ? [
          `all issued by the SPIRE server in ${serverCloud}`,
          `${serverCloud}: while it is away no cloud gets a new identity, and those there are end within svidTtl (${trust.svidTtl})`,
        ]
      : [
          `whichever cloud's server issued it; the CAs of all are signed by the one in ${serverCloud}`,
          `${serverCloud}, after a while: the other clouds go on issuing until their CAs end, ${formatDuration(sureSecondsAlone(trust))} at least and caTtl (${trust.caTtl}) at most after it went away`,
        ];
  return {
    key: "federation",
    title: "Which clouds trust which",
    head: [
      ...["trust domain", "in it", "who trusts whom", "signed by"],
      ...["lets it into the other clusters", "single point of failure"],
    ],
    rows: [
      [
        trust.domain,
        clouds.join(", "),
        `each cloud trusts every identity of the domain, ${issuedBy}`,
        trust.root ? SIGNERS[trust.root.kind] : `the server in ${serverCloud} itself`,
        `a token of each without an end; previews warn of one older than ${OLD_TOKEN_DAYS} days`,
        failure,
      ],
    ],
    none: "none trusts another",
  };
}

/** The trust domains that are accepted while those of the mesh change, and by which setting. */
const accepted = ({ config: { clouds, trust } }: Plan): string[] =>
  [...new Set(clouds.flatMap(({ otherTrustDomain: other }) => other ?? []))].map(
    (other) => `${other} (trust.${trust.next ? "next" : "former"})`,
  );

const singleDomainTable = (plan: Plan): Table => ({
  key: "federation",
  title: "Which clouds trust which",
  head: ["trust domain", "in it", "who trusts whom", "signed by"],
  rows: [
    [
      plan.config.trust.domain,
      plan.clouds.join(", "),
      [
        "each cloud trusts every identity of the domain, whichever cloud's server issued it",
        ...accepted(plan),
      ].join(", and those of "),
      SIGNERS[plan.config.trust.root?.kind ?? "program"],
    ],
  ],
  none: "none trusts another",
});

const relationshipsTable = (plan: Plan): Table => ({
  key: "federation",
  title: "Which trust domains trust which",
  head: ["trust domain", "trusts", "whose bundle it fetches with the authority of"],
  rows: sorted([
    ...plan.resources
      .filter(({ type }) => [`${TRUST}FederationRelationship`, `${TRUST}PartnerRelationship`].includes(type))
      .map(({ inputs: { target, source, trustDomain, endpointSpiffeId } }) => [
        target.trustDomain,
        source?.trustDomain ?? `${trustDomain} (partner)`,
        endpointSpiffeId || `a public certificate${source ? ", from its bucket" : ""} (https_web)`,
      ]),
    ...plan.config.clouds.flatMap(({ trustDomain }) =>
      accepted(plan).map((other) => [trustDomain, other, "nobody: the program gives it"]),
    ),
  ]),
  none: "none trusts another",
});
