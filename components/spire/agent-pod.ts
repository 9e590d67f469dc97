// The pod of the SPIRE agent: a pure function. It needs the host's process ids and a directory of the host, hence the
// Pod Security Standard `privileged` of its namespace, and nothing more of the host.
import type * as k8s from "@pulumi/kubernetes";
import { METRICS_PORT_NAMES, SPIRE_AGENT, SPIRE_PORTS, SPIRE_SERVER } from "../well-known";
import { labels, scrapeAnnotations } from "../kubernetes/metadata";
import { AGENT_PATHS } from "./paths";
import { containerResources, type ContainerSize, UNPRIVILEGED } from "../kubernetes/container";
import { NODE_CRITICAL } from "../kubernetes/priority";
import { DEFAULT_SIZES } from "./sizes";

/** Name of the ConfigMap with the agent's configuration, and the key in it. */
export const AGENT_CONFIG_MAP = { name: "spire-agent", conf: "agent.conf" } as const;

/** The volume of the Workload API's socket: a directory of the node, so that workloads keep it while agents restart. */
export const AGENT_SOCKET_VOLUME = {
  name: "agent-sockets",
  hostPath: { path: SPIRE_AGENT.socketDir, type: "DirectoryOrCreate" },
};

/** The token by which an agent attests. */
export const AGENT_TOKEN_VOLUME = {
  name: "token",
  projected: {
    sources: [
      {
        serviceAccountToken: {
          path: AGENT_PATHS.tokenFile,
          audience: SPIRE_AGENT.tokenAudience,
          expirationSeconds: 7200,
        },
      },
    ],
  },
};

/** What `agentPod` needs. */
export interface AgentPodArgs {
  readonly image: string;
  readonly size?: ContainerSize;
  /** Digest of the rendered configuration; a new one rolls the pods, as SPIRE reads its configuration only at start. */
  readonly configChecksum: string;
}

/** Template of the agent's pod. */
export function agentPod({
  image,
  size,
  configChecksum,
}: AgentPodArgs): k8s.types.input.core.v1.PodTemplateSpec {
  const probe = (path: string) => ({ httpGet: { path, port: "health" } });
  return {
    metadata: {
      labels: labels(SPIRE_AGENT.name, "agent"),
      annotations: { "checksum/config": configChecksum, ...scrapeAnnotations(SPIRE_PORTS.metrics) },
    },
    spec: {
      serviceAccountName: SPIRE_AGENT.serviceAccount,
      enableServiceLinks: false,
      nodeSelector: { "kubernetes.io/os": "linux" },
      priorityClassName: NODE_CRITICAL,
      // Every node that runs workloads needs an agent, whatever its taints.
      tolerations: [{ operator: "Exists" }],
      // Workloads are known by the process id at the other end of the socket. The host's network is not needed, as the
      // kubelet is asked by the node's address.
      hostPID: true,
      terminationGracePeriodSeconds: 30,
      // Root, without any capability: the socket's directory on the node belongs to root.
      securityContext: { runAsUser: 0, runAsGroup: 0, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: SPIRE_AGENT.name,
          image,
          command: [SPIRE_AGENT.binary, "run"],
          args: ["-config", AGENT_PATHS.config],
          env: [
            { name: AGENT_PATHS.kubeletHostEnv, valueFrom: { fieldRef: { fieldPath: "status.hostIP" } } },
          ],
          ports: [
            { name: "health", containerPort: SPIRE_PORTS.health },
            { name: METRICS_PORT_NAMES.main, containerPort: SPIRE_PORTS.metrics },
          ],
          // Two minutes to reach the server and attest the node.
          startupProbe: { ...probe("/live"), periodSeconds: 2, timeoutSeconds: 3, failureThreshold: 60 },
          livenessProbe: { ...probe("/live"), periodSeconds: 30, timeoutSeconds: 5, failureThreshold: 3 },
          readinessProbe: { ...probe("/ready"), periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
          resources: containerResources(size, DEFAULT_SIZES.agent),
          securityContext: UNPRIVILEGED,
          volumeMounts: [
            { name: "config", mountPath: AGENT_PATHS.configDir, readOnly: true },
            { name: "bundle", mountPath: AGENT_PATHS.bundleDir, readOnly: true },
            { name: "token", mountPath: AGENT_PATHS.tokenDir, readOnly: true },
            { name: "data", mountPath: AGENT_PATHS.dataDir },
            { name: AGENT_SOCKET_VOLUME.name, mountPath: SPIRE_AGENT.socketDir },
          ],
        },
      ],
      volumes: [
        {
          name: "config",
          configMap: {
            name: AGENT_CONFIG_MAP.name,
            items: [{ key: AGENT_CONFIG_MAP.conf, path: "agent.conf" }],
          },
        },
        // Published by the server itself. The pod waits in ContainerCreating until it is there.
        { name: "bundle", configMap: { name: SPIRE_SERVER.bundleConfigMap } },
        AGENT_TOKEN_VOLUME,
        { name: "data", emptyDir: {} },
        AGENT_SOCKET_VOLUME,
      ],
    },
  };
}
