// The volume of a StatefulSet with one pod.
import type * as k8s from "@pulumi/kubernetes";
import type { Cluster } from "../clouds/cluster";

/**
 * The part of a StatefulSet's spec that gives its pod a volume `name` of this size, a Kubernetes quantity. It leaves with the StatefulSet, so that
 * `pulumi destroy` leaves no disk behind that costs money.
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
