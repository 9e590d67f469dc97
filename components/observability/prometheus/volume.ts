// The sources of a volume with what lets a pod of the home cloud in at API servers: of Prometheus' volume and of the token renewer's.
import type * as k8s from "@pulumi/kubernetes";
import { authoritiesKey, CLUSTER_FILES, clusterFile, clusterSecret } from "./files";

type Source = k8s.types.input.core.v1.VolumeProjection;

/** Seconds for which a token of the own cluster is good; the kubelet renews it. */
const TOKEN_SECONDS = 3600;

/** Authorities and token of the own cluster, in the directory `dir`. */
export function ownCluster(dir: string): Source[] {
  const { ca, token } = CLUSTER_FILES;
  return [
    // Kubernetes puts this ConfigMap into every namespace.
    { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: `${dir}/${ca}` }] } },
    { serviceAccountToken: { path: `${dir}/${token}`, expirationSeconds: TOKEN_SECONDS } },
  ];
}

/** Some keys of a ConfigMap as files of their names, and the authorities of other clouds' API servers. */
export function configFiles(configMap: string, files: readonly string[], clouds: readonly string[]): Source {
  const items = [
    ...files.map((file) => ({ key: file, path: file })),
    ...clouds.map((cloud) => ({
      key: authoritiesKey(cloud),
      path: clusterFile(cloud, CLUSTER_FILES.ca),
    })),
  ];
  return { configMap: { name: configMap, items } };
}

/**
 * Token for another cloud's cluster. Without it the pod starts and lacks that one cloud; if it had to be there, no file of the volume would be
 * brought up to date any more, the token of the own cluster among them.
 */
export function otherCluster(cloud: string): Source {
  const { token } = CLUSTER_FILES;
  const items = [{ key: token, path: clusterFile(cloud, token) }];
  return { secret: { name: clusterSecret(cloud), items, optional: true } };
}
