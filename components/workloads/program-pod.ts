// The pod of an agent with Envoy at its side: a pure function, within the Pod Security Standard `restricted`.
import type * as k8s from "@pulumi/kubernetes";
import { containerResources, type ContainerSize, UNPRIVILEGED } from "../kubernetes/container";
import { heapOption, nodeCommand, type NodeProgram, programVolume } from "../kubernetes/node-program";
import { ENVOY, ENVOY_SIZE, ENVOY_VOLUMES, envoyContainer } from "../envoy/pod";
import { AGENT, AGENT_PORTS, agentName, agentObjectName, METRICS_PORT_NAMES } from "../well-known";
import { AGENT_SIZE, type AgentPodArgs, agentTemplate, SHUTDOWN_DELAY } from "./agent-pod";
import { HEALTH_PATH } from "./envoy/inbound";
import { MESH_DOMAIN } from "./envoy/outbound";
import { OUTBOUND } from "./envoy/text";
import type { ProgramProtocol } from "./policy-data";

/** A program that is the agents of one role: any container that serves plain HTTP. */
export interface AgentProgram {
  readonly image: string;
  /** A program of this repository, which runs in `image`. Default: the image's own. */
  readonly bundle?: NodeProgram;
  /** Where it serves, from 1024. It may listen on 127.0.0.1 alone. */
  readonly port: number;
  readonly protocol: ProgramProtocol;
  readonly env: Readonly<Record<string, string>>;
  /** Secrets of the namespace whose keys are in the environment, too. */
  readonly secrets: readonly string[];
  /** Default: `AGENT_SIZE`. */
  readonly resources?: ContainerSize;
}

/** The ConfigMap with the reference agent, one in each cluster. */
export const AGENT_PROGRAM: NodeProgram = {
  program: "agent",
  configMap: "agent-program",
  key: "agent.js.gz",
  mountPath: "/opt/agentweave",
};

/** Name of the ConfigMap with the configuration of a role's Envoy. */
export const envoyConfigMap = (role: string): string => `${agentObjectName(role)}-envoy`;

/** What `programPod` needs. */
export interface ProgramPodArgs extends Pick<AgentPodArgs, "cloud" | "role" | "checksum"> {
  readonly region: string;
  readonly program: AgentProgram;
  readonly envoyImage: string;
  /** Names of all that it can call, without the domain. */
  readonly hosts: readonly string[];
}

/** Template of the pod. The program has no identity of its own: who has the Workload API is Envoy. */
export function programPod(args: ProgramPodArgs): k8s.types.input.core.v1.PodTemplateSpec {
  const { cloud, region, role, program, envoyImage, hosts, checksum } = args;
  const name = agentName(cloud, role);
  const { bundle, resources } = program;
  const environment = {
    HOST: "127.0.0.1",
    PORT: String(program.port),
    AGENT_NAME: name,
    AGENT_CLOUD: cloud,
    AGENT_REGION: region,
    AGENT_ROLE: role,
    AGENT_URL: `http://${name}.${MESH_DOMAIN}/`,
    MESH_URL: `http://${OUTBOUND.host}:${OUTBOUND.port}`,
    ...(bundle && { NODE_OPTIONS: heapOption(resources, AGENT_SIZE) }),
    ...program.env,
  };
  const { readOnlyRootFilesystem: _, ...unprivileged } = UNPRIVILEGED;
  const brought = bundle && programVolume(bundle);
  return agentTemplate(
    { cloud, role, checksum },
    {
      // An agent is called by its name, and the name leads to Envoy: no client has to be told of it.
      hostAliases: [{ ip: OUTBOUND.host, hostnames: hosts.map((host) => `${host}.${MESH_DOMAIN}`) }],
      // It alone has the Workload API.
      initContainers: [
        envoyContainer({
          image: envoyImage,
          name: ENVOY.container,
          ports: [{ name: "mtls", containerPort: AGENT_PORTS.mtls }],
          status: { name: METRICS_PORT_NAMES.main, containerPort: AGENT_PORTS.metrics },
          readiness: HEALTH_PATH,
          size: ENVOY_SIZE,
        }),
      ],
      containers: [
        {
          name: AGENT.container,
          image: program.image,
          ...(bundle && { command: nodeCommand(bundle) }),
          env: Object.entries(environment).map(([name, value]) => ({ name, value })),
          envFrom: program.secrets.map((name) => ({ secretRef: { name } })),
          // It is told to end only when no more calls come.
          lifecycle: { preStop: { sleep: { seconds: SHUTDOWN_DELAY } } },
          resources: containerResources(resources, AGENT_SIZE),
          // Whether a user's program writes to files of its own is its business.
          securityContext: bundle ? UNPRIVILEGED : unprivileged,
          volumeMounts: [{ name: "tmp", mountPath: "/tmp" }, ...(brought ? [brought.mount] : [])],
        },
      ],
      volumes: [
        { name: "config", configMap: { name: envoyConfigMap(role) } },
        ...ENVOY_VOLUMES,
        { name: "tmp", emptyDir: { sizeLimit: "64Mi" } },
        ...(brought ? [brought.volume] : []),
      ],
    },
    // Envoy listens on port 80 without any capability (one of the sysctls that Kubernetes calls safe).
    [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }],
  );
}
