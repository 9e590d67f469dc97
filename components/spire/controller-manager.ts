// spire-controller-manager beside a SPIRE server: its configuration and its container, by pure functions. Every key is documented in its
// docs/spire-controller-manager-config.md (0.6).
import type * as k8s from "@pulumi/kubernetes";
import { containerResources, type ContainerSize, UNPRIVILEGED } from "../kubernetes/container";
import { CONTROLLER_MANAGER, NAMESPACES, SPIRE_SERVER } from "../well-known";
import type { LogLevel } from "./conf";
import { SERVER_PATHS } from "./paths";

/** What a cloud's controller manager is. */
export interface ControllerManagerSettings {
  /** Value of `className` of the ClusterSPIFFEIDs that it reads. Default: those that have none. */
  readonly className?: string;
  /** Default: `CONTROLLER_MANAGER_SIZE`. */
  readonly resources?: ContainerSize;
}

/** A user of its own: as the server's it could read that one's memory and files, the keys of the CA among them, in the namespace of processes that they share. */
const UID = 1001;

/** It keeps in memory what it reads: each pod, node, namespace and Endpoints of the cluster. */
export const CONTROLLER_MANAGER_SIZE = { cpu: "20m", memory: "128Mi" } as const;

/** Name of the Lease by which one of the managers of several replicas works. */
export const LEASE = CONTROLLER_MANAGER.container;

/** What `renderControllerManagerConfig` needs. */
export interface ControllerManagerConfigArgs extends Pick<ControllerManagerSettings, "className"> {
  readonly trustDomain: string;
  /** The cluster's name in k8s_psat attestation: entries have the cluster's SPIRE agents for parents. */
  readonly clusterName: string;
  /** Pods of the server, with a manager each. */
  readonly replicas: number;
}

/**
 * The manager's configuration file, as JSON. Of the kinds that it knows it reads ClusterSPIFFEIDs alone: it deletes each federation relationship that no
 * ClusterFederatedTrustDomain declares, those of the program included (its pkg/spirefederationrelationship/reconciler.go), and a ClusterStaticEntry gives any
 * id to anybody.
 */
export function renderControllerManagerConfig({
  trustDomain,
  clusterName,
  replicas,
  className,
}: ControllerManagerConfigArgs): string {
  return JSON.stringify(
    {
      apiVersion: "spire.spiffe.io/v1alpha1",
      kind: "ControllerManagerConfig",
      trustDomain,
      clusterName,
      ...(className !== undefined && { className }),
      spireServerSocketPath: SPIRE_SERVER.socket,
      entryIDPrefix: CONTROLLER_MANAGER.entryIdPrefix,
      reconcile: { clusterSPIFFEIDs: true, clusterFederatedTrustDomains: false, clusterStaticEntries: false },
      // A pod of the mesh with a second identity could take the wrong one for its own. They are regular expressions.
      ignoreNamespaces: ["kube-system", "kube-public", ...Object.values(NAMESPACES)].map(
        (name) => `^${name}$`,
      ),
      metrics: { bindAddress: "0" },
      health: { healthProbeBindAddress: `:${CONTROLLER_MANAGER.healthPort}` },
      ...(replicas > 1 && {
        leaderElection: {
          leaderElect: true,
          resourceLock: "leases",
          resourceNamespace: NAMESPACES.spireServer,
          resourceName: LEASE,
        },
      }),
    },
    null,
    2,
  );
}

/** What `controllerManagerContainer` needs. */
export interface ControllerManagerContainerArgs extends Pick<ControllerManagerSettings, "resources"> {
  readonly image: string;
  readonly logLevel: LogLevel;
  /** Volumes of the server's pod, by name. */
  readonly volumes: Readonly<Record<"config" | "kubernetes" | "socket", string>>;
}

/**
 * The container in the server's pod, the only place with the socket by which it makes entries. It has no readiness of its own: what it has not done yet keeps
 * no agent from the server.
 */
export function controllerManagerContainer({
  image,
  logLevel,
  resources,
  volumes,
}: ControllerManagerContainerArgs): k8s.types.input.core.v1.Container {
  const probe = { httpGet: { path: "/healthz", port: "manager-health" } };
  const mount = (name: string, mountPath: string) => ({ name, mountPath, readOnly: true });
  return {
    name: CONTROLLER_MANAGER.container,
    image,
    args: [
      "-config",
      SERVER_PATHS.controllerManagerConfig,
      // Of the file, 0.6.4 does not heed them (spire-controller-manager#667). It knows no WARN.
      `-zap-log-level=${logLevel === "WARN" ? "error" : logLevel.toLowerCase()}`,
      "-zap-encoder=json",
    ],
    env: [
      { name: "KUBECONFIG", value: SERVER_PATHS.kubeconfig },
      // What a webhook would refuse, it says in its log, and does nothing of.
      { name: "ENABLE_WEBHOOKS", value: "false" },
    ],
    ports: [{ name: "manager-health", containerPort: CONTROLLER_MANAGER.healthPort }],
    startupProbe: { ...probe, periodSeconds: 2, timeoutSeconds: 3, failureThreshold: 60 },
    livenessProbe: { ...probe, periodSeconds: 30, timeoutSeconds: 5, failureThreshold: 3 },
    resources: containerResources(resources, CONTROLLER_MANAGER_SIZE),
    // The group is the pod's, by which it reaches the socket.
    securityContext: { ...UNPRIVILEGED, runAsUser: UID },
    volumeMounts: [
      mount(volumes.config, SERVER_PATHS.configDir),
      mount(volumes.kubernetes, SERVER_PATHS.kubernetesDir),
      mount(volumes.socket, SERVER_PATHS.socketDir),
    ],
  };
}
