// What the pods of all agents have in common, and the pod of one that has an identity of its own: pure functions, hardened to the Pod Security Standard `restricted`.
import type * as k8s from "@pulumi/kubernetes";
import { containerResources, type ContainerSize, nonRoot, UNPRIVILEGED } from "../kubernetes/container";
import { WORKLOAD_API } from "../spire/workload-api";
import { AGENT, AGENT_PORTS, agentName, agentObjectName, METRICS_PORT_NAMES } from "../well-known";
import { labels, scrapeAnnotations } from "../kubernetes/metadata";
import { spreadOver } from "../kubernetes/spread";

/** Default size of an agent's container. */
export const AGENT_SIZE = { cpu: "50m", memory: "128Mi" } as const;

/** User and group of the process. The stock Node image has a user 1000, but needs none. */
const UID = 65532;

/**
 * Seconds for which a pod that leaves goes on to accept calls: until load balancers have noticed, and then for as long as a caller's Envoy keeps a connection (25 s,
 * `ANY_DESTINATION` in envoy/outbound.ts). One that still came by such a connection would be lost.
 */
export const SHUTDOWN_DELAY = 30;

/** What `agentPod` needs. */
export interface AgentPodArgs {
  readonly cloud: string;
  readonly role: string;
  /** An agent that speaks mutual TLS by itself. It gets `--config` and the path of its configuration. */
  readonly image: string;
  /** Default: nothing. */
  readonly env?: Readonly<Record<string, string>>;
  /** Secrets of the namespace whose keys are in the environment, too. Default: none. */
  readonly secrets?: readonly string[];
  /** Default: `AGENT_SIZE`. */
  readonly size?: ContainerSize;
  /** Digest of configuration and program; a new one rolls the pods, as both are read only at start. */
  readonly checksum: string;
}

/** Labels of everything that belongs to the agents of one role. */
export function agentLabels(cloud: string, role: string): Record<string, string> {
  return {
    ...labels(agentObjectName(role), AGENT.component),
    "app.kubernetes.io/instance": agentName(cloud, role),
    "agentweave.io/cloud": cloud,
    "agentweave.io/role": role,
  };
}

/** What the pods of all agents have in common, around `spec`. */
export function agentTemplate(
  { cloud, role, checksum }: Pick<AgentPodArgs, "cloud" | "role" | "checksum">,
  spec: k8s.types.input.core.v1.PodSpec,
  sysctls: k8s.types.input.core.v1.Sysctl[] = [],
): k8s.types.input.core.v1.PodTemplateSpec {
  const name = agentObjectName(role);
  // A Deployment's pods, or a StatefulSet's.
  const spread = (topologyKey: string) =>
    spreadOver(topologyKey, name, "pod-template-hash", "controller-revision-hash");
  return {
    metadata: {
      labels: agentLabels(cloud, role),
      annotations: { "checksum/config": checksum, ...scrapeAnnotations(AGENT_PORTS.metrics) },
    },
    spec: {
      serviceAccountName: name,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      nodeSelector: { "kubernetes.io/os": "linux" },
      // The delay above, twenty seconds for requests under way, and some to close.
      terminationGracePeriodSeconds: SHUTDOWN_DELAY + 15,
      topologySpreadConstraints: [spread("kubernetes.io/hostname"), spread("topology.kubernetes.io/zone")],
      securityContext: { ...nonRoot(UID), ...(sysctls.length > 0 && { sysctls }) },
      ...spec,
    },
  };
}

/** Template of the pod of an agent that has the Workload API itself, and nothing at its side. */
export function agentPod(args: AgentPodArgs): k8s.types.input.core.v1.PodTemplateSpec {
  const { role, image, size } = args;
  const name = agentObjectName(role);
  const probe = (path: string) => ({ httpGet: { path, port: "health" } });
  return agentTemplate(args, {
    containers: [
      {
        name: AGENT.container,
        image,
        args: ["--config", `${AGENT.configDir}/${AGENT.configFile}`],
        env: [
          { name: "SHUTDOWN_DELAY_SECONDS", value: String(SHUTDOWN_DELAY) },
          ...Object.entries(args.env ?? {}).map(([name, value]) => ({ name, value })),
        ],
        envFrom: (args.secrets ?? []).map((name) => ({ secretRef: { name } })),
        ports: [
          { name: "mtls", containerPort: AGENT_PORTS.mtls },
          { name: "health", containerPort: AGENT_PORTS.health },
          { name: METRICS_PORT_NAMES.main, containerPort: AGENT_PORTS.metrics },
        ],
        startupProbe: { ...probe("/live"), periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 60 },
        livenessProbe: { ...probe("/live"), periodSeconds: 30, timeoutSeconds: 5, failureThreshold: 3 },
        readinessProbe: { ...probe("/ready"), periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
        resources: containerResources(size, AGENT_SIZE),
        securityContext: UNPRIVILEGED,
        volumeMounts: [
          { name: "config", mountPath: AGENT.configDir, readOnly: true },
          WORKLOAD_API.mount,
          { name: "tmp", mountPath: "/tmp" },
        ],
      },
    ],
    volumes: [
      { name: "config", configMap: { name } },
      WORKLOAD_API.volume,
      { name: "tmp", emptyDir: { sizeLimit: "64Mi" } },
    ],
  });
}
