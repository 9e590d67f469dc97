// The pod of SPIRE's OIDC discovery provider: a pure function, hardened to the Pod Security Standard `restricted`.
import type * as k8s from "@pulumi/kubernetes";
import { containerResources, nonRoot, UNPRIVILEGED } from "../kubernetes/container";
import { labels } from "../kubernetes/metadata";
import { spreadOver } from "../kubernetes/spread";
import { OIDC } from "../well-known";
import { OIDC_PATHS, oidcPort, type OidcSettings } from "./oidc-conf";
import { WORKLOAD_API } from "./workload-api";

/** User and group of the image (SPIRE's Dockerfile). */
const UID = 1000;

/** The ConfigMap with the provider's configuration, and the key in it. */
export const OIDC_CONFIG_MAP = { name: OIDC.name, conf: "oidc-discovery-provider.conf" } as const;

/** Resources of each pod. */
export const OIDC_SIZE = { cpu: "10m", memory: "64Mi" } as const;

/** Pods in a cloud: while none answers, nobody verifies a JWT-SVID by a key that it has not fetched yet. */
export const OIDC_REPLICAS = 2;

/** What `oidcPod` needs. */
export interface OidcPodArgs extends Pick<OidcSettings, "tlsSecret"> {
  readonly image: string;
  /** Digest of the configuration; a new one rolls the pods. */
  readonly checksum: string;
}

/** Template of the pod. */
export function oidcPod({
  image,
  tlsSecret,
  checksum,
}: OidcPodArgs): k8s.types.input.core.v1.PodTemplateSpec {
  const probe = (path: string) => ({ httpGet: { path, port: "health" } });
  return {
    metadata: { labels: labels(OIDC.name, "oidc"), annotations: { "checksum/config": checksum } },
    spec: {
      serviceAccountName: OIDC.name,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      nodeSelector: { "kubernetes.io/os": "linux" },
      terminationGracePeriodSeconds: 30,
      topologySpreadConstraints: [spreadOver("kubernetes.io/hostname", OIDC.name, "pod-template-hash")],
      // It listens below 1024 without any capability (one of the sysctls that Kubernetes calls safe).
      securityContext: {
        ...nonRoot(UID),
        // The certificate's key is read by the group of the pod's volumes.
        fsGroup: UID,
        sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }],
      },
      containers: [
        {
          name: OIDC.name,
          image,
          args: ["-config", OIDC_PATHS.config],
          ports: [
            { name: tlsSecret === undefined ? "http" : "https", containerPort: oidcPort({ tlsSecret }) },
            { name: "health", containerPort: OIDC.healthPort },
          ],
          startupProbe: { ...probe("/ready"), periodSeconds: 2, timeoutSeconds: 3, failureThreshold: 60 },
          livenessProbe: { ...probe("/live"), periodSeconds: 30, timeoutSeconds: 5, failureThreshold: 3 },
          readinessProbe: { ...probe("/ready"), periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
          resources: containerResources(undefined, OIDC_SIZE),
          securityContext: UNPRIVILEGED,
          volumeMounts: [
            { name: "config", mountPath: OIDC_PATHS.configDir, readOnly: true },
            WORKLOAD_API.mount,
            ...(tlsSecret === undefined
              ? []
              : [{ name: "tls", mountPath: OIDC_PATHS.tlsDir, readOnly: true }]),
          ],
        },
      ],
      volumes: [
        { name: "config", configMap: { name: OIDC_CONFIG_MAP.name } },
        WORKLOAD_API.volume,
        ...(tlsSecret === undefined
          ? []
          : [{ name: "tls", secret: { secretName: tlsSecret, defaultMode: 0o440 } }]),
      ],
    },
  };
}
