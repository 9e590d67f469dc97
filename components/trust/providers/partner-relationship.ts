// Provider of PartnerRelationship: a server of the mesh trusts a foreign trust domain, of which only the bundle endpoint is reached.
import { storedBundle } from "../../../spiffe/bundle";
import { changed, checker, diffHeld, type Provider } from "../../providers/properties";
import { type Connect, connectByExec, deletePatience, readPatience, shareRead, unlessGone } from "../connect";
import { factsOf, fault, wordsOf } from "../fault";
import { endpointOf, explainFetchFailure } from "../fetch-failure";
import { retry, together } from "../retry";
import type { ServerLocation } from "../server-location";
import type { SpireServer } from "../spire-cli";

/** Inputs of PartnerRelationship as the engine hands them to the provider. */
export interface PartnerInputs {
  target: ServerLocation;
  kubeconfig: string;
  trustDomain: string;
  bundleEndpointUrl: string;
  /** Empty for profile https_web. */
  endpointSpiffeId: string;
  /** First bundle in SPIFFE format; empty for profile https_web. */
  bundle: string;
  timeoutSeconds: number;
}

/** Inputs, and what the server has stored. */
export interface PartnerState extends PartnerInputs {
  /** Empty when the server holds no bundle of the partner. */
  storedDigest: string;
  verifiedAt: string;
}

const CONTENT = ["bundleEndpointUrl", "endpointSpiffeId", "bundle"] as const;

/** Digest of the stored bundle; undefined without one. */
async function storedAt(server: SpireServer, trustDomain: string): Promise<string | undefined> {
  const stored = await server.bundleStored(trustDomain);
  return stored && storedBundle(stored).digest;
}

/** Makes the provider; `connect` reaches the servers. */
export function makePartnerRelationshipProvider(connect: Connect): Provider<PartnerInputs, PartnerState> {
  /**
   * Puts the relationship in place and proves it. A stored bundle stays, since later ones than the first come from the endpoint, unless `give`, or
   * unless it does not vouch for the endpoint.
   */
  const establish = async (inputs: PartnerInputs, give: boolean): Promise<PartnerState> => {
    const { target, kubeconfig, trustDomain, bundle } = inputs;
    const patience = together({ limitMs: inputs.timeoutSeconds * 1000 });
    const server = connect(target, kubeconfig, patience);
    await server.healthcheck();
    const known = (await server.federationList()).some(({ trust_domain }) => trust_domain === trustDomain);
    let first = bundle !== "" && (give || (await storedAt(server, trustDomain)) === undefined);
    const relationship = { ...endpointOf(inputs), ...(first && { bundle }) };
    await (known ? server.federationUpdate(relationship) : server.federationCreate(relationship));
    const storedDigest = await retry(
      `a live fetch by ${target.cloud} from ${inputs.bundleEndpointUrl}`,
      patience,
      async () => {
        try {
          await server.federationRefresh(trustDomain);
        } catch (error) {
          const { transient, distrusted, next } = explainFetchFailure(wordsOf(error), endpointOf(inputs));
          if (distrusted && bundle !== "" && !first) {
            first = true;
            await server.federationUpdate({ ...endpointOf(inputs), bundle });
            throw fault(wordsOf(error), { transient: true });
          }
          throw fault(`${wordsOf(error)}. ${next}`, { ...factsOf(error), transient });
        }
        const digest = await storedAt(server, trustDomain);
        if (digest !== undefined) return digest;
        throw fault(`${target.cloud}: has no bundle of ${trustDomain} after a fetch.`, { transient: true });
      },
    );
    return { ...inputs, storedDigest, verifiedAt: new Date().toISOString() };
  };

  return {
    check: async (_olds, news) => {
      const { failures, ...must } = checker(news);
      must.server("target");
      must.kubeconfig("kubeconfig");
      must.must(
        "bundleEndpointUrl",
        (url) => /^https:\/\/[^/@\s]+(\/\S*)?$/.test(String(url)),
        "must be an https:// address without user info",
      );
      must.timeout("timeoutSeconds");
      if (failures.length === 0 && news.target.trustDomain === news.trustDomain) {
        const reason = `is ${news.trustDomain}, the target's own: SPIRE servers federate only with other trust domains`;
        failures.push({ property: "trustDomain", reason });
      }
      return { inputs: news, failures };
    },

    diff: diffHeld(CONTENT),

    create: async (inputs) => ({
      id: `${inputs.target.trustDomain}/${inputs.trustDomain}`,
      outs: await establish(inputs, false),
    }),

    update: async (_id, olds, news) => {
      const same = olds.storedDigest !== "" && !CONTENT.some((name) => changed(olds, news, name));
      // Nothing but the way to the server changed, so nothing is changed on it.
      if (same) return { outs: { ...olds, ...news } };
      return { outs: await establish(news, changed(olds, news, "bundle")) };
    },

    read: async (id, state) => {
      if (!state)
        throw new Error(
          "a PartnerRelationship cannot be imported; let the program make it, it adopts what is there",
        );
      const { target, kubeconfig, trustDomain } = state;
      const server = connect(target, kubeconfig, readPatience);
      try {
        const relationships = await shareRead(target, kubeconfig, "federation list", () =>
          server.federationList(),
        );
        const found = relationships.find(({ trust_domain }) => trust_domain === trustDomain);
        if (!found) return { id: "", props: state };
        const { storedDigest: _stored, verifiedAt, ...rest } = state;
        const inputs: PartnerInputs = {
          ...rest,
          bundleEndpointUrl: found.bundle_endpoint_url,
          endpointSpiffeId: found.https_spiffe?.endpoint_spiffe_id ?? "",
        };
        const stored = found.trust_domain_bundle;
        const storedDigest = stored ? storedBundle(stored).digest : "";
        return { id, props: { ...inputs, storedDigest, verifiedAt }, inputs };
      } catch (error) {
        if (factsOf(error).serverGone) return { id: "", props: state };
        throw error;
      }
    },

    // The relationship first, so that no poll brings the bundle back; then the bundle, and with it its name in every entry.
    delete: (_id, { target, kubeconfig, trustDomain }) => {
      const server = connect(target, kubeconfig, deletePatience);
      return unlessGone(server.federationDelete(trustDomain).then(() => server.bundleDelete(trustDomain)));
    },
  };
}

/** The provider that speaks through the Kubernetes API. */
export const partnerRelationshipProvider = makePartnerRelationshipProvider(connectByExec);
