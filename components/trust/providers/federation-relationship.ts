// Provider of FederationRelationship: one ordered pair of servers, of which `target` trusts `source`.
import { type Bundle, compareBundles, parseSpiffeBundle, storedBundle } from "../../../spiffe/bundle";
import {
  type Connect,
  connectByExec,
  deletePatience,
  isMoved,
  readPatience,
  shareRead,
  unlessGone,
} from "../connect";
import { factsOf, wordsOf } from "../fault";
import { federate } from "../federate";
import { type Endpoint, endpointOf, explainFetchFailure } from "../fetch-failure";
import { ACCESS, changed, checker, serverMoved, type Provider } from "../../providers/properties";
import { together } from "../retry";
import type { ServerLocation } from "../server-location";
import type { SpireServer } from "../spire-cli";

/** Inputs of FederationRelationship as the engine hands them to the provider. */
export interface RelationshipInputs {
  target: ServerLocation;
  targetKubeconfig: string;
  source: ServerLocation;
  sourceKubeconfig: string;
  bundleEndpointUrl: string;
  /** Empty for profile https_web. */
  endpointSpiffeId: string;
  timeoutSeconds: number;
}

/**
 * How the stored bundle stands to the one the source serves:
 * - `current`: the same X.509 authorities;
 * - `unverified`: they differ, or the source could not be asked, and no fetch from the endpoint was possible just now; the target goes on polling;
 * - `stale`: they differ, and the target can no longer authenticate the endpoint, or the source is gone with its CA: it must be given the bundle anew;
 * - `missing`: the target holds no bundle of the source.
 */
export type BundleState = "current" | "unverified" | "stale" | "missing";

/** Inputs and what was found on the servers. */
export interface RelationshipState extends RelationshipInputs {
  /** The source's trust domain. */
  trustDomain: string;
  bundleState: BundleState;
  storedDigest: string;
  verifiedAt: string;
}

const sourceOf = ({ source, ...inputs }: RelationshipInputs): Endpoint =>
  endpointOf({ ...inputs, trustDomain: source.trustDomain });

function inputsOf(state: RelationshipState): RelationshipInputs {
  const {
    target,
    targetKubeconfig,
    source,
    sourceKubeconfig,
    bundleEndpointUrl,
    endpointSpiffeId,
    timeoutSeconds,
  } = state;
  return {
    target,
    targetKubeconfig,
    source,
    sourceKubeconfig,
    bundleEndpointUrl,
    endpointSpiffeId,
    timeoutSeconds,
  };
}

/** What the source serves now; undefined if it cannot be handed on or if the source has no pod just now; `lost` if the source is gone, and its CA with it. */
async function servedNow(
  state: RelationshipState,
  source: SpireServer,
): Promise<Bundle | "lost" | undefined> {
  try {
    const document = await shareRead(state.source, state.sourceKubeconfig, "bundle show", () =>
      source.bundleShow(),
    );
    return parseSpiffeBundle(document, state.source.trustDomain, new Date());
  } catch (error) {
    const { serverGone, podMissing, refused } = factsOf(error);
    if (serverGone) return "lost";
    if (podMissing || refused) return undefined;
    throw error;
  }
}

/** Compares; where stored and served differ, asks the target for the fetch that it makes every few minutes anyway, because only that shows whether it still can. */
async function standing(
  target: SpireServer,
  stored: Bundle,
  served: Bundle | "lost" | undefined,
  endpoint: Endpoint,
): Promise<{ bundleState: BundleState; stored: Bundle }> {
  if (!served) return { bundleState: "unverified", stored };
  if (served === "lost") return { bundleState: "stale", stored };
  const comparison = compareBundles(stored, served);
  if (comparison === "same") return { bundleState: "current", stored };
  try {
    await target.federationRefresh(endpoint.trustDomain);
  } catch (error) {
    const { distrusted } = explainFetchFailure(wordsOf(error), endpoint);
    return { bundleState: distrusted || comparison === "unrelated" ? "stale" : "unverified", stored };
  }
  const fetched = await target.bundleStored(endpoint.trustDomain);
  const now = fetched ? storedBundle(fetched) : stored;
  return { bundleState: now.digest === served.digest ? "current" : "unverified", stored: now };
}

/** Makes the provider; `connect` reaches the servers. */
export function makeFederationRelationshipProvider(
  connect: Connect,
): Provider<RelationshipInputs, RelationshipState> {
  const establish = async (inputs: RelationshipInputs): Promise<RelationshipState> => {
    const patience = together({ limitMs: inputs.timeoutSeconds * 1000 });
    const target = {
      cloud: inputs.target.cloud,
      server: connect(inputs.target, inputs.targetKubeconfig, patience),
    };
    const source = {
      cloud: inputs.source.cloud,
      server: connect(inputs.source, inputs.sourceKubeconfig, patience),
    };
    const stored = await federate(target, source, sourceOf(inputs), patience);
    return {
      ...inputs,
      trustDomain: inputs.source.trustDomain,
      bundleState: "current",
      storedDigest: stored.digest,
      verifiedAt: new Date().toISOString(),
    };
  };

  return {
    check: async (_olds, news) => {
      const { failures, ...must } = checker(news);
      must.server("target");
      must.server("source");
      must.kubeconfig("targetKubeconfig");
      must.kubeconfig("sourceKubeconfig");
      must.must(
        "bundleEndpointUrl",
        (url) => /^https:\/\/[^/@\s]+(\/\S*)?$/.test(String(url)),
        "must be an https:// address without user info",
      );
      if (news.endpointSpiffeId !== "") must.spiffeId("endpointSpiffeId");
      must.timeout("timeoutSeconds");
      if (failures.length === 0 && news.target.trustDomain === news.source.trustDomain) {
        const reason = `is of trust domain ${news.source.trustDomain}, as the target is: SPIRE servers federate only with other trust domains`;
        failures.push({ property: "source", reason });
      }
      return { inputs: news, failures };
    },

    diff: async (_id, olds, news) => {
      const replaces = (["target", "source"] as const).filter((side) => serverMoved(olds[side], news[side]));
      const lost = olds.bundleState === "stale" || olds.bundleState === "missing";
      const changes =
        lost ||
        replaces.length > 0 ||
        [...ACCESS, "bundleEndpointUrl", "endpointSpiffeId"].some((name) => changed(olds, news, name));
      // The old one goes first: under a new name for the same server, its deletion would take away what the new one made.
      return { changes, replaces, deleteBeforeReplace: replaces.length > 0 };
    },

    create: async (inputs) => ({
      id: `${inputs.target.trustDomain}/${inputs.source.trustDomain}`,
      outs: await establish(inputs),
    }),

    update: async (_id, olds, news) => {
      const same =
        olds.bundleEndpointUrl === news.bundleEndpointUrl && olds.endpointSpiffeId === news.endpointSpiffeId;
      const sound = olds.bundleState !== "stale" && olds.bundleState !== "missing";
      // Nothing but the way to the servers changed, so nothing is changed on them.
      if (same && sound) return { outs: { ...olds, ...news } };
      return { outs: await establish(news) };
    },

    read: async (id, state) => {
      if (!state)
        throw new Error(
          "a FederationRelationship cannot be imported; let the program make it, it adopts what is there",
        );
      const target = connect(state.target, state.targetKubeconfig, readPatience);
      const source = connect(state.source, state.sourceKubeconfig, readPatience);
      try {
        const list = shareRead(state.target, state.targetKubeconfig, "federation list", () =>
          target.federationList(),
        );
        const [relationships, served] = await Promise.all([list, servedNow(state, source)]);
        const found = relationships.find(({ trust_domain }) => trust_domain === state.source.trustDomain);
        if (!found) return { id: "", props: state };
        const drifted = {
          ...state,
          bundleEndpointUrl: found.bundle_endpoint_url,
          endpointSpiffeId: found.https_spiffe?.endpoint_spiffe_id ?? "",
        };
        const inputs = inputsOf(drifted);
        if (!found.trust_domain_bundle)
          return {
            id,
            props: { ...drifted, bundleState: "missing", storedDigest: "" },
            inputs,
          };
        const { bundleState, stored } = await standing(
          target,
          storedBundle(found.trust_domain_bundle),
          served,
          sourceOf(drifted),
        );
        return {
          id,
          props: { ...drifted, bundleState, storedDigest: stored.digest },
          inputs,
        };
      } catch (error) {
        if (factsOf(error).serverGone) return { id: "", props: state };
        throw error;
      }
    },

    // The relationship first, so that no poll brings the bundle back; then the bundle, and with it its name in every entry.
    delete: (_id, { target, targetKubeconfig, source }) => {
      const server = connect(target, targetKubeconfig, deletePatience);
      const forget = async () => {
        if (await isMoved(server, target, targetKubeconfig)) return;
        await server.federationDelete(source.trustDomain);
        await server.bundleDelete(source.trustDomain);
      };
      return unlessGone(forget());
    },
  };
}

/** The provider that speaks through the Kubernetes API. */
export const federationRelationshipProvider = makeFederationRelationshipProvider(connectByExec);
