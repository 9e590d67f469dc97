// The pod of the trust exporter: a pure function, hardened to the Pod Security Standard `restricted`.
import type * as k8s from "@pulumi/kubernetes";
import { type ContainerSize, nonRoot } from "../../kubernetes/container";
import { TRUST_EXPORTER } from "../../well-known";
import { labels, scrapeAnnotations } from "../../kubernetes/metadata";
import { PROGRAM_UID, PROGRAM_VOLUMES, programContainer } from "../program";
import { WORKLOAD_API } from "../../spire/workload-api";

/** The ConfigMap with the exporter's configuration, and where the pod has it. */
export const TRUST_EXPORTER_CONFIG = {
  configMap: TRUST_EXPORTER.name,
  key: "config.json",
  directory: "/etc/trust-exporter",
} as const;

/** What `trustExporterPod` needs. */
export interface TrustExporterPodArgs {
  /** The stock Node image. */
  readonly image: string;
  readonly size?: ContainerSize;
  /** Digest of configuration and program; a new one rolls the pod, as both are read only at start. */
  readonly checksum: string;
}

/** Template of the pod. */
export function trustExporterPod(args: TrustExporterPodArgs): k8s.types.input.core.v1.PodTemplateSpec {
  const { name, statusPort } = TRUST_EXPORTER;
  const { configMap, key, directory } = TRUST_EXPORTER_CONFIG;
  return {
    metadata: {
      labels: labels(name, "observability"),
      annotations: { "checksum/config": args.checksum, ...scrapeAnnotations(statusPort) },
    },
    spec: {
      serviceAccountName: name,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      nodeSelector: { "kubernetes.io/os": "linux" },
      securityContext: nonRoot(PROGRAM_UID),
      containers: [
        programContainer({
          name,
          image: args.image,
          args: ["trust-exporter", "--config", `${directory}/${key}`],
          statusPort,
          mounts: [{ name: "config", mountPath: directory, readOnly: true }, WORKLOAD_API.mount],
          size: args.size,
        }),
      ],
      volumes: [{ name: "config", configMap: { name: configMap } }, WORKLOAD_API.volume, ...PROGRAM_VOLUMES],
    },
  };
}
