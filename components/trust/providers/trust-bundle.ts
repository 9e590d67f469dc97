// Provider of TrustBundle: waits for a SPIRE server and reads and checks its bundle. It changes nothing on the server.
import { type Bundle, parseSpiffeBundle, type X509Authority } from "../../../spiffe/bundle";
import { type Connect, connectByExec, isMoved, readPatience } from "../connect";
import { factsOf } from "../fault";
import type { ServerLocation } from "../server-location";
import { ACCESS, changed, checker, isUnknown, serverMoved, type Provider } from "../../providers/properties";
import type { Patience } from "../retry";

/** Inputs of TrustBundle as the engine hands them to the provider. */
export interface TrustBundleInputs {
  target: ServerLocation;
  kubeconfig: string;
  timeoutSeconds: number;
  /** The authorities of another server of the same trust domain, of which this one must have one. Default: nothing is compared. */
  shared?: SharedAuthorities;
  /** The cloud whose server signs this one's CA. Default: none of the mesh does. */
  above?: string;
  /** The trust domain that the server is to have, which the mesh accepts already. Default: it stays. */
  next?: string;
  /** The trust domain that it had, which the mesh still accepts. Default: none. */
  former?: string;
}

/** The X.509 authorities of a server, for those to compare that share its trust domain. */
export interface SharedAuthorities {
  cloud: string;
  /** SHA-256 of each, as in `X509Authority`. */
  sha256: string[];
}

/** Inputs and what was read from the server. */
export interface TrustBundleState extends TrustBundleInputs {
  trustDomain: string;
  /** The bundle in SPIFFE format, as the server printed it. */
  bundle: string;
  digest: string;
  sequence: number;
  refreshHintSeconds: number;
  expiresAt: string;
  authorities: X509Authority[];
}

/** The inputs alone, without those that are not there. */
const inputsOf = ({
  target,
  kubeconfig,
  timeoutSeconds,
  shared,
  above,
  next,
  former,
}: TrustBundleInputs) => ({
  ...{ target, kubeconfig, timeoutSeconds },
  ...(shared && { shared }),
  ...(above !== undefined && { above }),
  ...(next !== undefined && { next }),
  ...(former !== undefined && { former }),
});

async function readBundle(
  inputs: TrustBundleInputs,
  connect: Connect,
  patience: Patience,
): Promise<TrustBundleState> {
  const { target, kubeconfig, shared } = inputs;
  const server = connect(target, kubeconfig, patience);
  await server.healthcheck();
  const document = await server.bundleShow();
  const bundle = parseSpiffeBundle(document, target.trustDomain, new Date());
  if (shared) demandShared(target, bundle, shared);
  return { ...inputsOf(inputs), ...bundle, bundle: document };
}

/** @throws an error unless the bundle has an authority of those that are shared. */
function demandShared(
  { cloud, trustDomain }: ServerLocation,
  bundle: Bundle,
  shared: SharedAuthorities,
): void {
  if (bundle.authorities.some(({ sha256 }) => shared.sha256.includes(sha256))) return;
  const has = bundle.authorities.map(({ subject, sha256 }) => `${subject} (${sha256.slice(0, 12)})`);
  throw new Error(
    `${cloud}: its SPIRE server has no authority in common with that of ${shared.cloud}, though both are of trust domain ${trustDomain}: identities of one would not hold in the other. ` +
      `It has ${has.join(", ")}. See that trust.root leads both to the same root, and that the server's log says who signed its CA ("X509 CA prepared").`,
  );
}

const patienceOf = ({ timeoutSeconds }: TrustBundleInputs): Patience => ({ limitMs: timeoutSeconds * 1000 });

/**
 * SPIRE does not start with a database that holds identities of another trust domain (pkg/server/server.go, `validateTrustDomain`), and the agents
 * of a cloud would be strangers to each other in between.
 *
 * @throws an error where a server that stands would get another trust domain.
 */
function refuseAnotherDomain(before: TrustBundleInputs, after: TrustBundleInputs): void {
  const [olds, news] = [before.target, after.target];
  if (olds.cloud !== news.cloud || isUnknown(news) || olds.trustDomain === news.trustDomain) return;
  if (before.next === news.trustDomain && after.former === olds.trustDomain) return;
  throw new Error(
    `${olds.cloud} stands in trust domain ${olds.trustDomain}, and the configuration has it in ${news.trustDomain}: all of its identities would change, and its SPIRE server does not start with those that it has. ` +
      `Write trust.mode, trust.domain and the cloud's trustDomain as they were; change them in three steps, trust.next first, in which old and new identities are accepted (docs/trust.md); or have it made anew: take the cloud out of the configuration, run \`pulumi up\`, put it back and run it again, or \`pulumi destroy\` all of them before.`,
  );
}

/**
 * A server goes on with the CA that it has, under a root that those of the mesh may have forgotten before it has another.
 *
 * @throws an error where a server that stands would have its CA signed by the server of another cloud than before, or by none.
 */
function refuseAnotherAbove(
  { target: { cloud }, above: before }: TrustBundleInputs,
  { above }: TrustBundleInputs,
): void {
  if (before === above) return;
  const words = (name: string | undefined) =>
    name === undefined ? "no server of the mesh" : `that of ${name}`;
  throw new Error(
    `${cloud}'s SPIRE server stands with a CA that ${words(before)} signs, and the configuration has ${words(above)} sign it: identities of one root would not hold under the other. ` +
      `Write spire.topology and spire.serverCloud as they were; or \`pulumi destroy\` all clouds before.`,
  );
}

/** Makes the provider; `connect` reaches the servers. */
export function makeTrustBundleProvider(connect: Connect): Provider<TrustBundleInputs, TrustBundleState> {
  return {
    check: async (_olds, news) => {
      const { failures, ...must } = checker(news);
      must.server("target");
      must.kubeconfig("kubeconfig");
      must.timeout("timeoutSeconds");
      return { inputs: news, failures };
    },

    diff: async (_id, olds, news) => {
      refuseAnotherDomain(olds, news);
      refuseAnotherAbove(olds, news);
      const replaces = serverMoved(olds.target, news.target) ? ["target"] : [];
      return {
        changes:
          replaces.length > 0 ||
          [...ACCESS, "shared", "next", "former"].some((property) => changed(olds, news, property)),
        replaces,
      };
    },

    create: async (inputs) => {
      const outs = await readBundle(inputs, connect, patienceOf(inputs));
      return { id: `spiffe://${outs.trustDomain}`, outs };
    },

    // Where only the way to the server has changed, what is known of its bundle stays until the next refresh. What is kept of it for the time after is read anew.
    update: async (_id, { next, former, ...olds }, news) => ({
      outs:
        (news.shared !== undefined && changed(olds, news, "shared")) ||
        (news.next !== undefined && news.next !== next)
          ? await readBundle(news, connect, patienceOf(news))
          : { ...olds, ...news },
    }),

    // Gone only if the Kubernetes API itself says that the server's StatefulSet does not exist; a server that cannot be reached is an error.
    read: async (id, state) => {
      if (!state) throw new Error("a TrustBundle cannot be imported; let the program make it");
      const inputs = inputsOf(state);
      const server = connect(inputs.target, inputs.kubeconfig, readPatience);
      try {
        return { id, props: await readBundle(inputs, connect, readPatience), inputs };
      } catch (error) {
        const { serverGone, refused } = factsOf(error);
        if (serverGone || (refused && (await isMoved(server, inputs.target, inputs.kubeconfig))))
          return { id: "", props: state };
        throw error;
      }
    },

    delete: async () => {},
  };
}

/** The provider that speaks through the Kubernetes API. */
export const trustBundleProvider = makeTrustBundleProvider(connectByExec);
