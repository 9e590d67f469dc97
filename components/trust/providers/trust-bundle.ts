// Provider of TrustBundle: waits for a SPIRE server and reads and checks its bundle. It changes nothing on the server.
import { parseSpiffeBundle, type X509Authority } from "../../../spiffe/bundle";
import { type Connect, connectByExec, readPatience } from "../connect";
import { factsOf } from "../fault";
import type { ServerLocation } from "../server-location";
import { ACCESS, changed, checker, serverMoved, type Provider } from "../../providers/properties";
import type { Patience } from "../retry";

/** Inputs of TrustBundle as the engine hands them to the provider. */
export interface TrustBundleInputs {
  target: ServerLocation;
  kubeconfig: string;
  timeoutSeconds: number;
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

async function readBundle(
  inputs: TrustBundleInputs,
  connect: Connect,
  patience: Patience,
): Promise<TrustBundleState> {
  const { target, kubeconfig, timeoutSeconds } = inputs;
  const server = connect(target, kubeconfig, patience);
  await server.healthcheck();
  const document = await server.bundleShow();
  return {
    target,
    kubeconfig,
    timeoutSeconds,
    ...parseSpiffeBundle(document, target.trustDomain, new Date()),
    bundle: document,
  };
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
      const replaces = serverMoved(olds.target, news.target) ? ["target"] : [];
      return {
        changes: replaces.length > 0 || ACCESS.some((property) => changed(olds, news, property)),
        replaces,
      };
    },

    create: async (inputs) => {
      const outs = await readBundle(inputs, connect, { limitMs: inputs.timeoutSeconds * 1000 });
      return { id: `spiffe://${outs.trustDomain}`, outs };
    },

    // Only the way to the server can have changed: what is known of its bundle stays until the next refresh.
    update: async (_id, olds, news) => ({ outs: { ...olds, ...news } }),

    // Gone only if the Kubernetes API itself says that the server's StatefulSet does not exist; a server that cannot be reached is an error.
    read: async (id, state) => {
      if (!state) throw new Error("a TrustBundle cannot be imported; let the program make it");
      const { target, kubeconfig, timeoutSeconds } = state;
      const inputs = { target, kubeconfig, timeoutSeconds };
      try {
        return { id, props: await readBundle(inputs, connect, readPatience), inputs };
      } catch (error) {
        if (factsOf(error).serverGone) return { id: "", props: state };
        throw error;
      }
    },

    delete: async () => {},
  };
}

/** The provider that speaks through the Kubernetes API. */
export const trustBundleProvider = makeTrustBundleProvider(connectByExec);
