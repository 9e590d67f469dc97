// Rules about who reaches the mesh from the internet.
import { contains, isCidr } from "../../../components/network/cidr";
import { FLOWS } from "../../../components/network/flows";
import { NETWORK_MODES, type NetworkMode } from "../../../components/network/mode";
import { PARTIES } from "../../../components/network/parties";
import { selector } from "../../../components/kubernetes/metadata";
import { NAMESPACES, OIDC, SPIRE_SERVER } from "../../../components/well-known";
import type { Inputs } from "../resource";
import { EKS, isShown, type Rule } from "../rule";

/** Ranges that nobody on the internet has (RFC 1918, RFC 6598). */
const PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"];

/** Annotations of a load balancer in a cloud's private network: `internalLoadBalancerAnnotations` of each. */
const INTERNAL: Readonly<Record<string, string>> = {
  "service.beta.kubernetes.io/aws-load-balancer-internal": "true",
  "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
  "networking.gke.io/load-balancer-type": "Internal",
};

/** An OIDC discovery provider, which whoever verifies JWT-SVIDs calls, whose certificate tells who answers. */
const OIDC_PROVIDER = {
  namespace: NAMESPACES.oidc,
  labels: selector(OIDC.name),
  protocol: "TCP",
  port: OIDC.httpsPort,
  ranges: false,
};

/** Pods that the table of flows has peers call over the internet, and at which ports. */
function published(mode: NetworkMode) {
  return FLOWS.flatMap(({ from, to, ports, protocol, modes = NETWORK_MODES, central }) => {
    const [source, target] = [PARTIES[from], PARTIES[to]];
    const asked = modes.includes(mode) && source.kind === "peers" && source.over[mode] === "internet";
    if (!asked || target.kind !== "pods" || ports === "any") return [];
    // What one server has for all clouds is for their addresses alone, by a Service of its own.
    return ports.map((port) => ({ ...target, protocol, port, ranges: central !== undefined }));
  });
}

/** Whether a Service's load balancer is of a cloud's private network, or lets in nobody but private ranges. */
export function isPrivate({ metadata, spec }: Inputs): boolean {
  const sources: string[] = spec.loadBalancerSourceRanges ?? [];
  return (
    Object.entries(INTERNAL).some(([key, value]) => metadata.annotations?.[key] === value) ||
    (sources.length > 0 &&
      sources.every((source) => isCidr(source) && PRIVATE.some((range) => contains(range, source))))
  );
}

/** Whether ranges keep the internet out. Those of a first preview are not known yet. */
const isLimited = (ranges: unknown) =>
  !Array.isArray(ranges) ? ranges !== undefined : ranges.length > 0 && !ranges.some(isOpen);

/** Services that the internet reaches, and Ingresses, which the mesh has none of. */
export const publicPorts: Rule = function* ({ type, inputs }, { settings: { mode } }) {
  if (/^kubernetes:.*:Ingress$/.test(type))
    yield "publishes HTTP, of which no row of the table of flows tells";
  if (type !== "kubernetes:core/v1:Service") return;
  const { metadata, spec } = inputs;
  const isNode = spec.type === "NodePort" || (spec.externalIPs ?? []).length > 0;
  if (!isNode && spec.type !== "LoadBalancer") return;
  if (!isNode && isPrivate(inputs)) return;
  for (const { port, protocol = "TCP" } of spec.ports) {
    const isAsked = [...published(mode), OIDC_PROVIDER].some(
      (flow) =>
        flow.port === port &&
        flow.protocol === protocol &&
        flow.namespace === metadata.namespace &&
        Object.entries(flow.labels).every(([key, value]) => spec.selector?.[key] === value) &&
        (!flow.ranges ||
          (metadata.name === SPIRE_SERVER.agentsService && isLimited(spec.loadBalancerSourceRanges))),
    );
    if (!isAsked)
      yield `publishes ${protocol} ${port}, which the table of flows does not in network.mode ${mode}`;
  }
};

/** What a rule of a firewall lets in. */
interface Opening {
  readonly sources: readonly (string | undefined)[];
  readonly protocol: string;
  /** `8443`, `80-90`, or `*`. */
  readonly ports: readonly string[];
}

/** Whether a source stands for all the internet or a good part of it. */
export function isOpen(source: string | undefined): boolean {
  if (source === undefined) return false;
  return ["*", "any", "internet"].includes(source.toLowerCase()) || Number(source.split("/")[1] ?? 32) < 8;
}

// What a rule belongs to is mostly not known at a first preview: only what is judged is read.
function ofAws(rule: Inputs): Opening {
  const { ipProtocol, protocol = ipProtocol, fromPort, toPort, cidrBlocks = [], ipv6CidrBlocks = [] } = rule;
  const ports = fromPort === toPort ? String(fromPort) : `${fromPort}-${toPort}`;
  return {
    sources: [rule.cidrIpv4, rule.cidrIpv6, ...cidrBlocks, ...ipv6CidrBlocks],
    protocol,
    ports: [String(protocol) === "-1" ? "*" : ports],
  };
}

function ofAzure(rule: Inputs): readonly Opening[] {
  if (rule.direction !== "Inbound" || rule.access !== "Allow") return [];
  const { destinationPortRange = [], destinationPortRanges = [], sourceAddressPrefixes = [] } = rule;
  return [
    {
      sources: [rule.sourceAddressPrefix, ...sourceAddressPrefixes],
      protocol: rule.protocol,
      ports: [destinationPortRange, ...destinationPortRanges].flat(),
    },
  ];
}

function ofGcp(rule: Inputs): readonly Opening[] {
  const { direction = "INGRESS", allows = [], sourceRanges, sourceTags, sourceServiceAccounts } = rule;
  if (direction !== "INGRESS") return [];
  // Without any source, Google lets everybody in.
  const isBound = sourceTags?.length > 0 || sourceServiceAccounts?.length > 0;
  const sources = sourceRanges?.length > 0 ? sourceRanges : isBound ? [] : ["0.0.0.0/0"];
  return allows.map(({ protocol, ports }: Inputs) => ({
    sources,
    protocol,
    ports: ports?.length > 0 ? ports : ["*"],
  }));
}

/** What lets packets in, by type of resource. */
export const OPENINGS: Readonly<Record<string, (inputs: Inputs) => readonly Opening[]>> = {
  "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (inputs) => [ofAws(inputs)],
  "aws:ec2/securityGroupRule:SecurityGroupRule": (inputs) =>
    inputs.type === "ingress" ? [ofAws(inputs)] : [],
  "aws:ec2/securityGroup:SecurityGroup": ({ ingress = [] }) => ingress.map(ofAws),
  "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": ({ ingress = [] }) => ingress.map(ofAws),
  "azure-native:network:SecurityRule": ofAzure,
  "azure-native:network:NetworkSecurityGroup": ({ securityRules = [] }) => securityRules.flatMap(ofAzure),
  "gcp:compute/firewall:Firewall": ofGcp,
};

/**
 * The last rule of the group of an AKS cluster's subnet (components/clouds/aks-network.ts): AKS guards nodes and load balancers with a group of its own,
 * and without this rule the subnet's would deny pods, whose addresses are not of the virtual network.
 */
const isAksRest = (type: string, name: string) =>
  type === "azure-native:network:SecurityRule" && name.endsWith("-network-nsg-all");

/** Rules of firewalls that all the internet may use. */
export const openFirewall: Rule = function* ({ type, name, inputs }, { settings: { mode } }) {
  if (isAksRest(type, name)) return;
  for (const { sources, protocol, ports } of OPENINGS[type]?.(inputs) ?? []) {
    for (const source of sources.filter(isOpen)) {
      const asked = published(mode)
        .filter(({ ranges }) => !ranges)
        .map((flow) => `${flow.protocol} ${flow.port}`);
      const open = ports.filter((port) => !asked.includes(`${protocol.toUpperCase()} ${port}`));
      const to = `${protocol} ${open.join(", ")}`;
      if (open.length > 0)
        yield `lets ${source} in to ${to}, which the table of flows does not in network.mode ${mode}`;
    }
  }
};

/**
 * Ranges from which an API server answers at an address of the internet, by type of cluster: none with a private
 * endpoint alone.
 */
export const API_SERVERS: Readonly<Record<string, (inputs: Inputs) => readonly string[]>> = {
  [EKS.cluster]: ({ vpcConfig = {} }) => ofEks(vpcConfig),
  [EKS.component]: ofEks,
  "gcp:container/cluster:Cluster": ({ privateClusterConfig, masterAuthorizedNetworksConfig: networks }) => {
    if (privateClusterConfig?.enablePrivateEndpoint) return [];
    return networks?.cidrBlocks?.map(({ cidrBlock }: Inputs) => cidrBlock) ?? ANYBODY;
  },
  "azure-native:containerservice:ManagedCluster": ({ apiServerAccessProfile: profile = {} }) => {
    if (profile.enablePrivateCluster) return [];
    return profile.authorizedIPRanges?.length > 0 ? profile.authorizedIPRanges : ANYBODY;
  },
};

const ANYBODY = ["0.0.0.0/0"];

function ofEks({ endpointPublicAccess = true, publicAccessCidrs }: Inputs): readonly string[] {
  if (!endpointPublicAccess) return [];
  return publicAccessCidrs?.length > 0 ? publicAccessCidrs : ANYBODY;
}

/** API servers that anybody may try their credentials on. */
export const openApiServers: Rule = function* (resource, { resources, settings }) {
  if (settings.environment !== "production" || isShown(resource, resources)) return;
  for (const range of API_SERVERS[resource.type]?.(resource.inputs).filter(isOpen) ?? []) {
    yield `has an API server that answers ${range}; write access.ranges or access.endpoint: private`;
  }
};
