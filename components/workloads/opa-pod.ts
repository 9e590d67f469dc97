// The pod of OPA: a pure function, hardened to the Pod Security Standard `restricted`.
import type * as k8s from "@pulumi/kubernetes";
import { containerResources, type ContainerSize, nonRoot, UNPRIVILEGED } from "../kubernetes/container";
import { METRICS_PORT_NAMES, OPA } from "../well-known";
import { labels, scrapeAnnotations } from "../kubernetes/metadata";
import { spreadOver } from "../kubernetes/spread";

/** Path of the program in OPA's image (its Dockerfile). */
const OPA_BINARY = "/opa";

/** User and group of the image. */
const UID = 1000;

/** The ConfigMap with OPA's files. */
export const OPA_CONFIG_MAP = "opa-files";

/** OPA's files: its configuration, and what it decides by. */
export const OPA_FILES = {
  config: "config.json",
  data: "data.json",
  /** As they are called in the folder policies/. */
  policies: ["authz.rego", "request.rego", "system_authz.rego", "system_log.rego"],
} as const;

/** Where the pod has those files. */
export const OPA_MOUNT_PATH = "/etc/opa";

/** Seconds for which OPA answers on after it was told to stop: Services need them to learn that the pod is leaving. */
const SHUTDOWN_WAIT = 5;
/** Seconds for the answers under way after that. */
const SHUTDOWN_GRACE = 5;

export const DEFAULT_OPA_SIZE = { cpu: "50m", memory: "256Mi" } as const;

/**
 * What Go is told (https://pkg.go.dev/runtime#hdr-Environment_Variables): to keep its heap to four fifths of the default size, and to collect
 * garbage less often until then. A decision leaves a hundred kilobytes behind, and little else is in the heap.
 */
export const GO_ENV = { GOMEMLIMIT: "204MiB", GOGC: "400" } as const;

/** Pods of OPA in a cluster where nothing else is said. */
export const DEFAULT_OPA_REPLICAS = 2;

/** What `opaPod` needs. */
export interface OpaPodArgs {
  readonly image: string;
  /** Default: `DEFAULT_OPA_SIZE`. */
  readonly size?: ContainerSize;
  /** Digest of OPA's files; a new one rolls the pods. */
  readonly checksum: string;
}

/** Arguments of OPA's program (https://www.openpolicyagent.org/docs/cli#run). */
export function opaArgs(): string[] {
  const { config, data, policies } = OPA_FILES;
  return [
    "run",
    "--server",
    `--addr=0.0.0.0:${OPA.port}`,
    `--diagnostic-addr=0.0.0.0:${OPA.diagnosticsPort}`,
    "--authorization=basic",
    "--skip-version-check",
    // The data is small, and nobody writes it.
    "--optimize-store-for-read-speed",
    // Decisions are logged at every level. Below this one so is each request, and probes are most of them.
    "--log-level=error",
    `--shutdown-wait-period=${SHUTDOWN_WAIT}`,
    `--shutdown-grace-period=${SHUTDOWN_GRACE}`,
    `--config-file=${OPA_MOUNT_PATH}/${config}`,
    // One by one: from the directory of a ConfigMap, whose files are links, OPA would load each file twice.
    ...[...policies, data].map((file) => `${OPA_MOUNT_PATH}/${file}`),
  ];
}

/** Template of OPA's pod. */
export function opaPod(args: OpaPodArgs): k8s.types.input.core.v1.PodTemplateSpec {
  const health = { httpGet: { path: "/health", port: "diagnostics" } };
  return {
    metadata: {
      labels: labels(OPA.name, "policy"),
      annotations: { "checksum/config": args.checksum, ...scrapeAnnotations(OPA.diagnosticsPort) },
    },
    spec: {
      serviceAccountName: OPA.name,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      nodeSelector: { "kubernetes.io/os": "linux" },
      terminationGracePeriodSeconds: 30,
      topologySpreadConstraints: [spreadOver("kubernetes.io/hostname", OPA.name, "pod-template-hash")],
      securityContext: nonRoot(UID),
      containers: [
        {
          name: OPA.name,
          image: args.image,
          command: [OPA_BINARY],
          args: opaArgs(),
          // Its garbage is collected before it is killed for it: bodies of requests come by the megabyte.
          env: Object.entries(GO_ENV).map(([name, value]) => ({ name, value })),
          ports: [
            { name: "api", containerPort: OPA.port },
            { name: METRICS_PORT_NAMES.opa, containerPort: OPA.diagnosticsPort },
          ],
          startupProbe: { ...health, periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 60 },
          livenessProbe: { ...health, periodSeconds: 30, timeoutSeconds: 5, failureThreshold: 3 },
          readinessProbe: { ...health, periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
          resources: containerResources(args.size, DEFAULT_OPA_SIZE),
          securityContext: UNPRIVILEGED,
          volumeMounts: [{ name: "files", mountPath: OPA_MOUNT_PATH, readOnly: true }],
        },
      ],
      volumes: [{ name: "files", configMap: { name: OPA_CONFIG_MAP } }],
    },
  };
}
