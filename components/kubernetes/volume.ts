// The volumes of a StatefulSet's pods: of the one that most have, or of each.
import * as k8s from "@pulumi/kubernetes";
import type { Cluster } from "../clouds/cluster";
import type { ChildOptions } from "./options";
import { VolumeCleanup } from "./volume-cleanup";

/** What matters here of a StatefulSet's metadata. */
interface SetName {
  readonly name: string;
  readonly namespace: string;
}

/** The claim that Kubernetes makes for a pod of the set, by its ordinal. */
const claimOf = ({ name, namespace }: SetName, volume: string, ordinal: number) => ({
  namespace,
  name: `${volume}-${name}-${ordinal}`,
});

/**
 * The part of a StatefulSet's spec that gives its pod a volume `name` of this size, a Kubernetes quantity. It leaves with the StatefulSet, so that
 * `pulumi destroy` leaves no disk behind that costs money. The StatefulSet needs `OWN_VOLUME_OPTIONS`, `ownVolumeCleanup` among its dependencies, and
 * `ownVolumeSize` for another size later.
 */
export function ownVolume(
  cluster: Pick<Cluster, "storageClassName">,
  name: string,
  size: string,
  labels: Readonly<Record<string, string>>,
) {
  return {
    persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Retain" },
    volumeClaimTemplates: [
      {
        metadata: { name, labels },
        spec: {
          accessModes: ["ReadWriteOnce"],
          storageClassName: cluster.storageClassName,
          resources: { requests: { storage: size } },
        },
      },
    ],
  } satisfies Partial<k8s.types.input.apps.v1.StatefulSetSpec>;
}

/**
 * Options of a StatefulSet with `ownVolume`. Kubernetes lets nobody change what its claims are made of: Pulumi would replace the StatefulSet, and what
 * its volume holds would be lost.
 */
export const OWN_VOLUME_OPTIONS = { ignoreChanges: ["spec.volumeClaimTemplates"] };

/**
 * What the StatefulSet of `ownVolume`, whose metadata are `set`, depends on, so that the disk is gone before what deletes it.
 *
 * @param ordinal of the pod. Default: the only one.
 */
export function ownVolumeCleanup(
  name: string,
  cluster: Cluster,
  set: SetName,
  volume: string,
  { parent }: Pick<ChildOptions, "parent">,
  ordinal = 0,
): VolumeCleanup {
  return new VolumeCleanup(name, { cluster, claim: claimOf(set, volume, ordinal) }, { parent });
}

/**
 * Has the volume of `ownVolume` grow to `size` in place. Kubernetes refuses a smaller one, and any other one where the claim's StorageClass does not have
 * `allowVolumeExpansion` (https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims).
 *
 * @param set metadata of the StatefulSet.
 * @param opts has the StatefulSet among the dependencies: it makes the claim.
 * @param ordinal of the pod. Default: the only one.
 */
export function ownVolumeSize(
  name: string,
  set: SetName & { readonly labels: Readonly<Record<string, string>> },
  volume: string,
  size: string,
  opts: ChildOptions,
  ordinal = 0,
): k8s.core.v1.PersistentVolumeClaimPatch {
  return new k8s.core.v1.PersistentVolumeClaimPatch(
    name,
    {
      metadata: {
        ...claimOf(set, volume, ordinal),
        labels: set.labels,
        // Its size belongs to who made it, the StatefulSet's controller, which never changes it.
        annotations: { "pulumi.com/patchForce": "true" },
      },
      spec: { resources: { requests: { storage: size } } },
    },
    // The claim leaves with the StatefulSet, and its size cannot be taken back before.
    { ...opts, retainOnDelete: true },
  );
}
