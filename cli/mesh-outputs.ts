// The mesh as a stack's outputs tell of it (infra/index.ts): parsed, checked, and each cloud with its own kubeconfig.
import { z } from "zod";
import { parseKubeconfig } from "../components/clouds/kubeconfig";
import { NETWORK_MODES } from "../components/network/mode";
import { BUNDLE_PROFILES, type Endpoint } from "../components/trust/fetch-failure";
import { serverSpiffeId } from "../spiffe/spiffe-id";
import { CliError, EXIT, lineOf } from "./errors";

const agentSchema = z
  .object({
    spiffeId: z.string(),
    address: z.string(),
    namespace: z.string(),
    service: z.string(),
    /** What its pods belong to. */
    workload: z.object({ kind: z.enum(["Deployment", "StatefulSet"]), name: z.string() }).optional(),
    cloud: z.string(),
    role: z.string(),
    /** What its program speaks: only agents of AgentWeave have capabilities such as ping. */
    protocol: z.enum(["a2a", "agentweave", "http"]).default("agentweave"),
  })
  // Versions that did not tell had Deployments with the name of the Service.
  .transform(({ workload, ...agent }) => ({
    ...agent,
    workload: workload ?? { kind: "Deployment" as const, name: agent.service },
  }));

const networkSchema = z.object({
  mode: z.enum(NETWORK_MODES),
  /** MagicDNS domain, in mode `tailscale`. */
  tailnet: z.string().optional(),
  /** `https://host:port` at which any cloud's agents answer, where there is such a name. */
  global: z.string().optional(),
});

const podSchema = z.object({ namespace: z.string(), pod: z.string(), port: z.int() });

const observabilitySchema = z.object({
  /** Cloud that holds all of it. */
  home: z.string(),
  prometheus: podSchema,
  /** The trace store's HTTP API. */
  traces: podSchema,
  grafana: z.object({ namespace: z.string(), service: z.string(), port: z.int() }),
});

const outputsSchema = z.object({
  clouds: z.record(
    z.string(),
    z.object({
      region: z.string(),
      context: z.string(),
      trustDomain: z.string(),
      clusterName: z.string().optional(),
      /** Cloud of the SPIRE server. Versions that did not tell had one in each cloud. */
      spireServer: z.string().optional(),
      bundleEndpoint: z.string().optional(),
      bundleEndpointProfile: z.enum(BUNDLE_PROFILES).default("https_spiffe"),
    }),
  ),
  agents: z.record(z.string(), agentSchema).default({}),
  network: networkSchema.optional(),
  observability: observabilitySchema.optional(),
  nodeImage: z.string().optional(),
  kubeconfig: z.union([z.string().min(1), z.record(z.string(), z.unknown())]),
});

/** One agent of the mesh. */
export type MeshAgent = z.infer<typeof agentSchema>;

/** How the clouds are connected. */
export type MeshNetwork = z.infer<typeof networkSchema>;

/** Observability, and where it is. */
export type MeshObservability = z.infer<typeof observabilitySchema>;

/** One cloud of the mesh, and how it is reached. */
export interface MeshCloud {
  readonly name: string;
  /** Its name in the attestation of nodes. Undefined when the outputs are of a version that did not tell. */
  readonly clusterName?: string;
  readonly region: string;
  /** Name of its context in the merged kubeconfig, for `kubectl --context`. */
  readonly context: string;
  /** Name of its trust domain, without `spiffe://`. */
  readonly trustDomain: string;
  /** URL of its SPIRE server's bundle endpoint, or of the object that stands for it; undefined where all clouds are of one trust domain. */
  readonly bundleEndpoint?: string;
  /** Whether that is an object, in a bucket, with a public certificate. Default: a server. */
  readonly bucket?: boolean;
  /** Kubeconfig whose current context is this cloud's, as JSON text. A secret. */
  readonly kubeconfig: string;
  readonly agents: readonly MeshAgent[];
  /** The cloud whose SPIRE server attests its nodes and issues its identities. Default: itself. */
  readonly serverCloud?: MeshCloud;
}

/** The mesh of one stack. */
export interface Mesh {
  readonly clouds: readonly MeshCloud[];
  /** Undefined when the outputs are of a version that did not tell. */
  readonly network?: MeshNetwork;
  /** Undefined when there is no observability, or the outputs are of a version that did not tell. */
  readonly observability?: MeshObservability;
  /** Image with Node.js, as the mesh's own programs have it. Undefined when the outputs are of a version that did not tell. */
  readonly nodeImage?: string;
}

function problemsOf(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => `${path.join(".") || "the document"}: ${message}`)
    .join("; ");
}

function kubeconfigOf(written: string | Record<string, unknown>): object {
  try {
    return parseKubeconfig(typeof written === "string" ? written : JSON.stringify(written));
  } catch (error) {
    throw new CliError(
      `The stack's output kubeconfig cannot be read: ${lineOf(error)}. Were the outputs taken without --show-secrets?`,
    );
  }
}

/**
 * Reads the outputs of a stack as `pulumi stack output --json --show-secrets` prints them.
 *
 * @throws CliError that tells every problem, or that nothing stands yet; it never quotes the kubeconfig.
 */
export function meshOf(outputs: unknown): Mesh {
  const empty = typeof outputs === "object" && outputs !== null && Object.keys(outputs).length === 0;
  if (empty)
    throw new CliError("The stack has no outputs: nothing stands yet. Run `pulumi up` (or `make rehearse`).");
  const parsed = outputsSchema.safeParse(outputs);
  if (!parsed.success)
    throw new CliError(
      `These are not the outputs of this program: ${problemsOf(parsed.error)}. Take them with \`pulumi stack output --json --show-secrets\`, after a \`pulumi up\` with this version.`,
      EXIT.usage,
    );
  const { clouds, agents, network, observability, nodeImage, kubeconfig } = parsed.data;
  const merged = kubeconfigOf(kubeconfig);
  const found = Object.entries(clouds).map(([name, cloud]): MeshCloud => ({
    name,
    region: cloud.region,
    context: cloud.context,
    clusterName: cloud.clusterName,
    trustDomain: cloud.trustDomain,
    bundleEndpoint: cloud.bundleEndpoint,
    ...(cloud.bundleEndpointProfile === "https_web" && { bucket: true }),
    kubeconfig: JSON.stringify({ ...merged, "current-context": cloud.context }),
    agents: Object.values(agents).filter((agent) => agent.cloud === name),
  }));
  return {
    clouds: found.map((cloud) => {
      const server = clouds[cloud.name]!.spireServer;
      const serverCloud = server === cloud.name ? undefined : found.find(({ name }) => name === server);
      return serverCloud === undefined ? cloud : { ...cloud, serverCloud };
    }),
    network,
    observability,
    nodeImage,
  };
}

/**
 * The cloud of this name.
 *
 * @throws CliError with the names there are.
 */
export function cloudNamed(mesh: Mesh, name: string): MeshCloud {
  const cloud = mesh.clouds.find((candidate) => candidate.name === name);
  if (cloud) return cloud;
  const known = mesh.clouds.map((candidate) => candidate.name).join(", ");
  throw new CliError(`There is no cloud "${name}" in the mesh; write one of: ${known}.`, EXIT.usage);
}

/**
 * The agent that `<cloud>` or `<cloud>/<role>` names. Without a role: `agent` where there is one, else the cloud's first.
 *
 * @throws CliError with the names there are.
 */
export function agentNamed(mesh: Mesh, name: string, role?: string): { cloud: MeshCloud; agent: MeshAgent } {
  const slash = name.indexOf("/");
  const cloudName = slash < 0 ? name : name.slice(0, slash);
  const named = slash < 0 ? role : name.slice(slash + 1);
  const cloud = cloudNamed(mesh, cloudName);
  const agent = named === undefined ? usualAgent(cloud) : cloud.agents.find((each) => each.role === named);
  if (!agent) {
    const known = cloud.agents.map((each) => `${cloudName}/${each.role}`).join(", ");
    const there = known === "" ? `${cloudName} has no agents` : `write one of: ${known}`;
    throw new CliError(`There is no agent "${named ?? "agent"}" in ${cloudName}; ${there}.`, EXIT.usage);
  }
  return { cloud, agent };
}

/** The agent that stands for a cloud where no role is named; undefined if the cloud has none. */
export function usualAgent(cloud: MeshCloud): MeshAgent | undefined {
  const able = cloud.agents.filter(({ protocol }) => protocol === "agentweave");
  return able.find(({ role }) => role === "agent") ?? able[0];
}

/** How the bundle endpoint of a cloud's SPIRE server is known to others. `unknown` stands for an address that the outputs do not tell. */
export const endpointOf = ({ trustDomain, bundleEndpoint, bucket }: MeshCloud, unknown = ""): Endpoint => ({
  trustDomain,
  bundleEndpointUrl: bundleEndpoint ?? unknown,
  ...(!bucket && { endpointSpiffeId: serverSpiffeId(trustDomain) }),
});
