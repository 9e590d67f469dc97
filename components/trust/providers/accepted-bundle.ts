// Provider of AcceptedBundle: a server of the mesh holds the bundle of a trust domain that none of its peers serves.
import { storedBundle } from "../../../spiffe/bundle";
import { isTrustDomain } from "../../../spiffe/spiffe-id";
import { changed, checker, diffHeld, type Provider } from "../../providers/properties";
import { type Connect, connectByExec, deletePatience, isMoved, readPatience, unlessGone } from "../connect";
import { factsOf, fault } from "../fault";
import type { ServerLocation } from "../server-location";

/** Inputs of AcceptedBundle as the engine hands them to the provider. */
export interface AcceptedBundleInputs {
  target: ServerLocation;
  kubeconfig: string;
  trustDomain: string;
  /** In SPIFFE format, or certificates as PEM. */
  bundle: string;
  timeoutSeconds: number;
}

/** Inputs, and what the server has stored. */
export interface AcceptedBundleState extends AcceptedBundleInputs {
  /** Empty when the server holds none. */
  storedDigest: string;
}

/** Makes the provider; `connect` reaches the servers. */
export function makeAcceptedBundleProvider(
  connect: Connect,
): Provider<AcceptedBundleInputs, AcceptedBundleState> {
  const give = async (inputs: AcceptedBundleInputs): Promise<AcceptedBundleState> => {
    const { target, kubeconfig, trustDomain, bundle } = inputs;
    const server = connect(target, kubeconfig, { limitMs: inputs.timeoutSeconds * 1000 });
    await server.healthcheck();
    await server.bundleSet(trustDomain, bundle);
    const stored = await server.bundleStored(trustDomain);
    if (stored === undefined)
      throw fault(`${target.cloud}: has no bundle of ${trustDomain} after it was given.`, {});
    return { ...inputs, storedDigest: storedBundle(stored).digest };
  };

  return {
    check: async (_olds, news) => {
      const { failures, ...must } = checker(news);
      must.server("target");
      must.kubeconfig("kubeconfig");
      must.must("trustDomain", isTrustDomain, "must be the name of a trust domain, without spiffe://");
      must.must(
        "bundle",
        (text) => typeof text === "string" && text.trim() !== "",
        "is not known: with trust.former, an earlier pulumi up must have had trust.next",
      );
      must.timeout("timeoutSeconds");
      return { inputs: news, failures };
    },

    diff: diffHeld(["bundle"]),

    create: async (inputs) => ({
      id: `${inputs.target.trustDomain}/${inputs.trustDomain}`,
      outs: await give(inputs),
    }),

    update: async (_id, olds, news) => ({
      outs:
        olds.storedDigest === "" || changed(olds, news, "bundle") ? await give(news) : { ...olds, ...news },
    }),

    read: async (id, state) => {
      if (!state)
        throw new Error(
          "an AcceptedBundle cannot be imported; let the program make it, it gives the bundle anew",
        );
      try {
        const { target, kubeconfig, trustDomain } = state;
        const server = connect(target, kubeconfig, readPatience);
        if (await isMoved(server, target, kubeconfig)) return { id: "", props: state };
        const stored = await server.bundleStored(trustDomain);
        const props = { ...state, storedDigest: stored ? storedBundle(stored).digest : "" };
        return { id, props };
      } catch (error) {
        if (factsOf(error).serverGone) return { id: "", props: state };
        throw error;
      }
    },

    delete: (_id, { target, kubeconfig, trustDomain }) => {
      const server = connect(target, kubeconfig, deletePatience);
      const forget = async () => {
        if (!(await isMoved(server, target, kubeconfig))) await server.bundleDelete(trustDomain);
      };
      return unlessGone(forget());
    },
  };
}

/** The provider that speaks through the Kubernetes API. */
export const acceptedBundleProvider = makeAcceptedBundleProvider(connectByExec);
