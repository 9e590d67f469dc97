// Provider of VolumeCleanup: makes nothing, and on the way down waits until the cluster has deleted a volume.
import type { V1PersistentVolume } from "@kubernetes/client-node";
import { fault } from "../trust/fault";
import { checker, diffBy, type Provider } from "../providers/properties";
import { type Patience, retry } from "../trust/retry";
import { asked, coreApi, type ObjectName } from "./api";

/** Inputs of VolumeCleanup as the engine hands them to the provider. */
export interface VolumeCleanupInputs {
  cloud: string;
  kubeconfig: string;
  claim: ObjectName;
}

/** A disk is detached from its node before it is deleted, which Kubernetes itself does after six minutes where the node does not answer. */
const PATIENCE: Patience = { limitMs: 10 * 60_000, firstPauseMs: 1000 };

const CREATION_PATIENCE: Patience = { limitMs: 60_000 };

/** The volumes that are bound to the claim, or were, and leave with it. One that is to stay has reclaim policy Retain. */
async function leaving({ cloud, kubeconfig, claim }: VolumeCleanupInputs): Promise<V1PersistentVolume[]> {
  const { api } = await coreApi({ cloud, kubeconfig });
  const { items } = await asked(cloud, "list the volumes", () => api.listPersistentVolume());
  return items.filter(
    ({ spec }) =>
      spec?.claimRef?.namespace === claim.namespace &&
      spec.claimRef.name === claim.name &&
      spec.persistentVolumeReclaimPolicy === "Delete",
  );
}

function stillThere({ cloud, claim }: VolumeCleanupInputs, volumes: readonly V1PersistentVolume[]): Error {
  const names = volumes.map(({ metadata }) => metadata?.name ?? "");
  const shown = volumes.map(({ status }, i) => {
    const { phase = "no phase", message } = status ?? {};
    return `${names[i]} (${phase}${message === undefined ? "" : `: ${message}`})`;
  });
  const [first] = names;
  const retain = `kubectl patch pv ${first} -p '{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}'`;
  return fault(
    `${cloud}: of claim ${claim.namespace}/${claim.name} there still is volume ${shown.join(", ")}, whose disk would be left behind without the cluster. ` +
      `See why with \`kubectl describe pv ${first}\`: a pod that uses it and a driver that may not delete it are the usual causes. ` +
      `Then run the destroy again. A disk that shall stay: \`${retain}\``,
    { transient: true },
  );
}

/** Makes the provider. `patience` is that of a deletion. */
export function makeVolumeCleanupProvider(
  patience: Patience = PATIENCE,
): Provider<VolumeCleanupInputs, VolumeCleanupInputs> {
  return {
    check: async (_olds, news) => {
      const { failures, must, kubeconfig, object } = checker(news);
      must("cloud", (value) => typeof value === "string" && value !== "", "must be the name of a cloud");
      kubeconfig("kubeconfig");
      object("claim");
      return { inputs: news, failures };
    },

    diff: diffBy(["cloud", "claim"], ["kubeconfig", "__provider"]),

    // Who may not list volumes learns it now, and what was never in a cluster need not be waited for there.
    create: async (inputs) => {
      await retry("the Kubernetes API", CREATION_PATIENCE, () => leaving(inputs));
      return { id: `${inputs.cloud}/${inputs.claim.namespace}/${inputs.claim.name}`, outs: inputs };
    },

    update: async (_id, _olds, news) => ({ outs: news }),

    read: async (id, state) => {
      if (!state) throw new Error("a VolumeCleanup cannot be imported; let the program make it");
      return { id, props: state };
    },

    delete: async (_id, state) => {
      await retry("the volume to be deleted", patience, async () => {
        const volumes = await leaving(state);
        if (volumes.length > 0) throw stillThere(state, volumes);
      });
    },
  };
}
