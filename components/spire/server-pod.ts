// The pod of the SPIRE server: a pure function, hardened to the Pod Security Standard `restricted`.
import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { METRICS_PORT_NAMES, SPIRE_PORTS, SPIRE_SERVER } from "../well-known";
import { labels, scrapeAnnotations } from "../kubernetes/metadata";
import { spreadOver } from "../kubernetes/spread";
import { type BundlePublisher, bundlePublisherLabels } from "./bundle-publisher";
import { controllerManagerContainer, type ControllerManagerContainerArgs } from "./controller-manager";
import { type AnyDatastore, datastorePod } from "./datastore";
import { type KeyManager, keyManagerPod } from "./key-manager";
import { nodeAttestorPod, type NodeAttestors } from "./node-attestors";
import { otherClusterFile, SERVER_PATHS } from "./paths";
import { containerResources, type ContainerSize, nonRoot, UNPRIVILEGED } from "../kubernetes/container";
import { CLUSTER_CRITICAL } from "../kubernetes/priority";
import { DEFAULT_SIZES } from "./sizes";
import { upstreamAgent, type UpstreamAgentArgs } from "./upstream-agent";
import { type UpstreamAuthority, upstreamVolume } from "./upstream-authority";

/** Name of the ConfigMap with the server's files, and the keys in it. */
export const SERVER_CONFIG_MAP = {
  name: "spire-server",
  conf: "server.conf",
  kubeconfig: "kubeconfig",
  controllerManager: "controller-manager.json",
} as const;

/** Name of the volume, and of the claim template, that keeps the server's database and CA keys. */
export const DATA_VOLUME = "spire-data";

/** User and group of the server's image (SPIRE's Dockerfile). */
export const SERVER_UID = 1000;

/** What `serverPod` needs. */
export interface ServerPodArgs {
  readonly image: string;
  readonly size?: ContainerSize;
  /** Digest of the rendered configuration; a new one rolls the pod, as SPIRE reads its configuration only at start. */
  readonly configChecksum: pulumi.Input<string>;
  /** Default: SQLite on the volume. */
  readonly datastore?: AnyDatastore;
  /** Default: the volume. */
  readonly keyManager?: KeyManager;
  /** Who signs the server's CA. Default: the server itself. */
  readonly upstream?: UpstreamAuthority;
  /** The agent of the server above, where that is who signs. Default: there is none in the pod. */
  readonly upstreamAgent?: Omit<UpstreamAgentArgs, "configMap">;
  /** Whether other servers fetch its bundle. Default: true. */
  readonly bundleEndpoint?: boolean;
  /** Where it publishes its bundle besides. Default: nowhere. */
  readonly bundlePublisher?: BundlePublisher<unknown>;
  /** Other clouds whose nodes it attests. Default: none. */
  readonly others?: readonly string[];
  /** By what machines outside of Kubernetes attest. Default: none do. */
  readonly nodeAttestors?: NodeAttestors;
  /** The controller manager beside it. Default: none. */
  readonly controllerManager?: Omit<ControllerManagerContainerArgs, "volumes">;
}

/** The Secret with the tokens for the API servers of other clouds' clusters, one key for each cloud. */
export const CLUSTER_TOKENS = "spire-server-clusters";

/** Key of the ConfigMap with the kubeconfig for the cluster of another cloud. */
export const otherKubeconfigKey = (cloud: string) => `${SERVER_CONFIG_MAP.kubeconfig}-${cloud}`;

/** The kubeconfigs for the clusters of other clouds, each with its token beside it. */
function otherClusters(clouds: readonly string[]): k8s.types.input.core.v1.VolumeProjection[] {
  if (clouds.length === 0) return [];
  return [
    {
      configMap: {
        name: SERVER_CONFIG_MAP.name,
        items: clouds.map((cloud) => ({
          key: otherKubeconfigKey(cloud),
          path: otherClusterFile(cloud, "kubeconfig"),
        })),
      },
    },
    {
      secret: {
        name: CLUSTER_TOKENS,
        items: clouds.map((cloud) => ({ key: cloud, path: otherClusterFile(cloud, "token") })),
      },
    },
  ];
}

/** Pods of one version are kept apart, where there are nodes and zones for it. */
const spread = (topologyKey: string) =>
  spreadOver(topologyKey, SPIRE_SERVER.name, "controller-revision-hash");

/** Template of the server's pod, whose volume `DATA_VOLUME` comes from the StatefulSet's claim template. */
export function serverPod({
  image,
  size,
  configChecksum,
  datastore,
  keyManager = { type: "disk" },
  upstream,
  upstreamAgent: agent,
  bundleEndpoint = true,
  bundlePublisher,
  others = [],
  nodeAttestors,
  controllerManager,
}: ServerPodArgs): k8s.types.input.core.v1.PodTemplateSpec {
  const signed = upstreamVolume(upstream);
  const above = agent && upstreamAgent({ ...agent, configMap: SERVER_CONFIG_MAP.name });
  const probe = (path: string) => ({ httpGet: { path, port: "health" } });
  const database = datastorePod(datastore);
  const keys = keyManagerPod(keyManager, SERVER_CONFIG_MAP.name);
  const machines = nodeAttestorPod(nodeAttestors, SERVER_CONFIG_MAP.name);
  return {
    metadata: {
      labels: {
        ...labels(SPIRE_SERVER.name, "server"),
        ...keys.labels,
        ...bundlePublisherLabels(bundlePublisher),
        ...machines.labels,
      },
      annotations: { "checksum/config": configChecksum, ...scrapeAnnotations(SPIRE_PORTS.metrics) },
    },
    spec: {
      serviceAccountName: SPIRE_SERVER.serviceAccount,
      // The token is mounted below, next to the kubeconfig that refers to it.
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      nodeSelector: { "kubernetes.io/os": "linux" },
      priorityClassName: CLUSTER_CRITICAL,
      terminationGracePeriodSeconds: 30,
      ...(datastore && {
        topologySpreadConstraints: [spread("kubernetes.io/hostname"), spread("topology.kubernetes.io/zone")],
      }),
      securityContext: {
        ...nonRoot(SERVER_UID),
        fsGroup: SERVER_UID,
        fsGroupChangePolicy: "OnRootMismatch",
      },
      ...above?.pod,
      ...(above && { initContainers: [above.container] }),
      // The audit log names the process of each call by the socket, and the server takes none of a process that it cannot see (SPIRE, pkg/common/peertracker).
      ...(controllerManager && { shareProcessNamespace: true }),
      containers: [
        {
          name: SPIRE_SERVER.container,
          image,
          command: [SPIRE_SERVER.binary, "run"],
          args: ["-config", SERVER_PATHS.config, ...database.args],
          // SQLite sorts large results in temporary files, and the root file system is read-only.
          env: [{ name: "SQLITE_TMPDIR", value: SERVER_PATHS.dataDir }, ...database.env],
          ports: [
            { name: "api", containerPort: SPIRE_PORTS.api },
            ...(bundleEndpoint
              ? [{ name: "bundle-endpoint", containerPort: SPIRE_PORTS.bundleEndpoint }]
              : []),
            { name: "health", containerPort: SPIRE_PORTS.health },
            { name: METRICS_PORT_NAMES.main, containerPort: SPIRE_PORTS.metrics },
          ],
          // A first start makes keys and migrates the database: two minutes until liveness counts.
          startupProbe: { ...probe("/live"), periodSeconds: 2, timeoutSeconds: 3, failureThreshold: 60 },
          livenessProbe: { ...probe("/live"), periodSeconds: 30, timeoutSeconds: 5, failureThreshold: 3 },
          readinessProbe: { ...probe("/ready"), periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
          resources: containerResources(size, DEFAULT_SIZES.server),
          securityContext: UNPRIVILEGED,
          volumeMounts: [
            { name: "config", mountPath: SERVER_PATHS.configDir, readOnly: true },
            { name: "kubernetes", mountPath: SERVER_PATHS.kubernetesDir, readOnly: true },
            { name: DATA_VOLUME, mountPath: SERVER_PATHS.dataDir },
            { name: "socket", mountPath: SERVER_PATHS.socketDir },
            ...database.mounts,
            ...keys.mounts,
            ...machines.mounts,
            ...(signed ? [signed.mount] : []),
          ],
        },
        ...(controllerManager
          ? [
              controllerManagerContainer({
                ...controllerManager,
                volumes: { config: "config", kubernetes: "kubernetes", socket: "socket" },
              }),
            ]
          : []),
      ],
      volumes: [
        {
          name: "config",
          configMap: {
            name: SERVER_CONFIG_MAP.name,
            items: [
              { key: SERVER_CONFIG_MAP.conf, path: "server.conf" },
              ...(controllerManager
                ? [{ key: SERVER_CONFIG_MAP.controllerManager, path: SERVER_CONFIG_MAP.controllerManager }]
                : []),
            ],
          },
        },
        {
          name: "kubernetes",
          projected: {
            sources: [
              {
                configMap: {
                  name: SERVER_CONFIG_MAP.name,
                  items: [{ key: SERVER_CONFIG_MAP.kubeconfig, path: "kubeconfig" }],
                },
              },
              // Kubernetes puts this ConfigMap into every namespace.
              { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
              { serviceAccountToken: { path: "token", expirationSeconds: 3600 } },
              ...otherClusters(others),
            ],
          },
        },
        { name: "socket", emptyDir: { sizeLimit: "1Mi" } },
        ...database.volumes,
        ...keys.volumes,
        ...machines.volumes,
        ...(signed ? [signed.volume] : []),
        ...(above?.volumes ?? []),
      ],
    },
  };
}
