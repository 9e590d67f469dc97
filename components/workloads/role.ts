// What the agents of a role are: the reference agent, a program of the user's own behind Envoy, or one that has an identity itself.
import type { Images } from "../images";
import type { ContainerSize } from "../kubernetes/container";
import { checksum } from "../kubernetes/checksum";
import type { NetworkSettings } from "../network/mode";
import type { AgentPod } from "./agent";
import { type AgentSettings, renderAgentConfig } from "./agent-config";
import { agentPod } from "./agent-pod";
import { envoyArgs, envoyContent, hostsFrom } from "./envoy/text";
import type { PolicyCaller, ProgramProtocol } from "./policy-data";
import { AGENT_PROGRAM, type AgentProgram, programPod } from "./program-pod";
import type { MeshAgent } from "./registry";

/** What the configuration says of a role. */
export interface RoleSettings {
  /** Default: the reference agent. */
  readonly image?: string;
  /** Whether Envoy stands beside the program, or the program has the Workload API and speaks mutual TLS itself. */
  readonly sidecar: "envoy" | "none";
  /** Where the program serves plain HTTP to Envoy. */
  readonly port: number;
  /** Default: `agentweave` of the reference agent, `a2a` of others. */
  readonly protocol?: ProgramProtocol;
  readonly env: Readonly<Record<string, string>>;
  /** Names of Secrets in the agents' namespace. */
  readonly secrets: readonly string[];
  readonly resources?: ContainerSize;
  /** Number of pods. Default: that of all agents. */
  readonly replicas?: number;
}

/** What the configuration says of all agents, and of roles by their name. */
export interface RolesSettings extends AgentSettings {
  readonly replicas: number;
  /** Image of an agent that has an identity itself, of all roles that are not in `roles`. Default: the reference agent. */
  readonly image?: string;
  readonly resources?: ContainerSize;
  readonly roles: Readonly<Record<string, RoleSettings>>;
}

const PLAIN = { sidecar: "envoy", port: 8000, env: {}, secrets: [] } as const;

/** What a role is, everything that is not written of it filled in. */
export function roleOf(role: string, settings: RolesSettings): RoleSettings & { readonly replicas: number } {
  const { image, resources, replicas, roles } = settings;
  const all = image === undefined ? PLAIN : { ...PLAIN, image, sidecar: "none" as const };
  return { resources, replicas, ...(roles[role] ?? all) };
}

/** Whether it is the reference agent. */
export const isReference = ({ image }: Pick<RoleSettings, "image">): boolean => image === undefined;

/** Whether the program has the Workload API itself. */
export const ownIdentity = ({ image, sidecar }: Pick<RoleSettings, "image" | "sidecar">): boolean =>
  image !== undefined && sidecar === "none";

/** What the program of a role speaks. */
export function protocolOf(role: RoleSettings): ProgramProtocol {
  return role.protocol ?? (isReference(role) || ownIdentity(role) ? "agentweave" : "a2a");
}

/** What `podOf` needs. */
export interface RolePodArgs {
  readonly role: RoleSettings;
  readonly settings: RolesSettings;
  readonly self: MeshAgent;
  readonly agents: readonly MeshAgent[];
  readonly network: NetworkSettings;
  /** Who may call agents beside agents and operators. Default: nobody. */
  readonly callers?: readonly PolicyCaller[];
  readonly opaEndpoint: string;
  readonly images: Images;
  /** Digest of the reference agent's program. */
  readonly bundleDigest: string;
}

/** The pod of an agent, and what its configuration is made of. The same arguments give the same. */
export function podOf(args: RolePodArgs): AgentPod {
  const { role, settings, self, agents, network, images, bundleDigest } = args;
  const { image, env, secrets, resources } = role;
  const { cloud, region } = self;
  if (ownIdentity(role)) {
    const config = renderAgentConfig(args);
    const pod = { cloud, role: self.role, image: image!, env, secrets, size: resources };
    return { config, template: agentPod({ ...pod, checksum: checksum([config]) }) };
  }
  const program: AgentProgram = {
    image: image ?? images.agent,
    ...(image === undefined && { bundle: AGENT_PROGRAM }),
    port: role.port,
    protocol: protocolOf(role),
    env: { ...(image === undefined && { LOG_LEVEL: settings.logLevel }), ...env },
    secrets,
    resources,
  };
  const envoy = envoyArgs({
    ...args,
    program,
    timeoutSeconds: settings.timeoutSeconds,
    collector: settings.tracing?.endpoint ?? settings.collector,
  });
  const texts = Object.values(envoyContent(envoy).data);
  return {
    config: { name: "envoy", args: envoy },
    template: programPod({
      cloud,
      region,
      role: self.role,
      program,
      envoyImage: images.envoy,
      hosts: hostsFrom(self, agents, network),
      checksum: checksum([...texts, ...(image === undefined ? [bundleDigest] : [])]),
    }),
  };
}
