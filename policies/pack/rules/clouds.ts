// Rules about what is made at the clouds: encryption, tags, versions.
import { AKS_SUPPORT, EKS_SUPPORT, type SupportCalendar } from "../../../infra/config/clouds/support";
import { type Inputs, Unknown } from "../resource";
import { EKS, isShown, type Rule } from "../rule";

/** True or the text, which the provider takes alike. */
const isTrue = (value: unknown) => String(value) === "true";

/**
 * What is in the clear, by type. GKE, AKS and their clouds' databases are not here: all always encrypt disks and the store of Kubernetes'
 * objects (https://cloud.google.com/kubernetes-engine/docs/how-to/encrypting-secrets,
 * https://learn.microsoft.com/azure/aks/concepts-security).
 */
const CLEAR: Readonly<Record<string, (inputs: Inputs) => readonly string[]>> = {
  [EKS.cluster]: ({ encryptionConfig }) => (encryptionConfig?.provider.keyArn ? [] : ["Kubernetes' secrets"]),
  [EKS.component]: ({ encryptionConfigKeyArn }) => (encryptionConfigKeyArn ? [] : ["Kubernetes' secrets"]),
  "aws:ec2/launchTemplate:LaunchTemplate": ({ blockDeviceMappings = [] }) =>
    blockDeviceMappings.flatMap(({ deviceName, ebs }: Inputs) =>
      ebs === undefined || isTrue(ebs.encrypted) ? [] : [`the disk ${deviceName} of each node`],
    ),
  "aws:rds/instance:Instance": ({ storageEncrypted }) => (isTrue(storageEncrypted) ? [] : ["its disk"]),
  "aws:ebs/volume:Volume": ({ encrypted }) => (isTrue(encrypted) ? [] : ["the volume"]),
  "kubernetes:storage.k8s.io/v1:StorageClass": ({ provisioner, parameters }) =>
    provisioner === "ebs.csi.aws.com" && !isTrue(parameters?.encrypted) ? ["each volume of the class"] : [],
};

/** What is written to a disk in the clear. */
export const encryptionAtRest: Rule = function* (resource, { resources }) {
  if (isShown(resource, resources)) return;
  for (const what of CLEAR[resource.type]?.(resource.inputs) ?? []) yield `leaves ${what} unencrypted`;
};

type Tags = Readonly<Record<string, string>>;

/** A provider's nested settings reach it as JSON text. */
const nested = (value: unknown) => (typeof value === "string" ? (JSON.parse(value) as Inputs) : value);

/** Tags of a resource of Azure, where no provider gives them. */
const own = ({ tags }: Inputs) => [tags];

/**
 * Sets of tags that are to be complete, by type. On AWS and Google Cloud a provider has them for all that it makes;
 * what others make for it (instances, volumes) is told them besides.
 */
const TAGGED: Readonly<Record<string, (inputs: Inputs) => readonly (Tags | undefined)[]>> = {
  "pulumi:providers:aws": ({ defaultTags }) => [nested(defaultTags)?.tags],
  "pulumi:providers:gcp": ({ defaultLabels }) => [nested(defaultLabels)],
  [EKS.component]: own,
  "aws:ec2/launchTemplate:LaunchTemplate": ({ tagSpecifications = [] }) =>
    ["instance", "volume"].map(
      (kind) => tagSpecifications.find(({ resourceType }: Inputs) => resourceType === kind)?.tags,
    ),
  "gcp:container/nodePool:NodePool": ({ nodeConfig }) => [nodeConfig?.resourceLabels],
  ...Object.fromEntries(
    [
      "containerservice:AgentPool",
      "containerservice:ManagedCluster",
      "dbforpostgresql:Server",
      "managedidentity:UserAssignedIdentity",
      "network:LocalNetworkGateway",
      "network:NetworkSecurityGroup",
      "network:PublicIPAddress",
      "network:VirtualNetwork",
      "network:VirtualNetworkGateway",
      "network:VirtualNetworkGatewayConnection",
      "privatedns:PrivateZone",
      "privatedns:VirtualNetworkLink",
      "resources:ResourceGroup",
    ].map((type) => [`azure-native:${type}`, own]),
  ),
};

/** What nobody can tell the owner of. */
export const tags: Rule = function* (resource, { resources, settings }) {
  if (isShown(resource, resources)) return;
  const wanted = Object.entries(settings.tags);
  for (const found of TAGGED[resource.type]?.(resource.inputs) ?? []) {
    if (wanted.length === 0)
      yield "takes tags, of which the configuration has none; write agentweave-mesh:tags";
    const missing = wanted.filter(([key, value]) => found?.[key] !== value).map(([key]) => key);
    if (missing.length > 0) yield `lacks the tags ${missing.join(", ")}`;
  }
};

/** The version of a cluster or its nodes, and the calendar that it is in, by type. */
const VERSIONS: Readonly<Record<string, readonly [key: string, calendar: SupportCalendar]>> = {
  [EKS.cluster]: ["version", EKS_SUPPORT],
  [EKS.component]: ["version", EKS_SUPPORT],
  "aws:eks/nodeGroup:NodeGroup": ["version", EKS_SUPPORT],
  "azure-native:containerservice:ManagedCluster": ["kubernetesVersion", AKS_SUPPORT],
  "azure-native:containerservice:AgentPool": ["orchestratorVersion", AKS_SUPPORT],
};

/** Clusters whose version its cloud mends no more, and those that choose one for good. */
export const kubernetesVersions: Rule = function* (resource, { resources, settings: { today } }) {
  if (isShown(resource, resources)) return;
  const { type, inputs } = resource;
  if (
    type === "gcp:container/cluster:Cluster" &&
    ["", "UNSPECIFIED"].includes(inputs.releaseChannel?.channel ?? "")
  )
    yield "is in no release channel, by which Google keeps its version supported";
  const found = VERSIONS[type];
  if (found === undefined) return;
  const [key, { what, until, source }] = found;
  const version: string | undefined = inputs[key];
  if (version === undefined) return yield `names no version; write one of ${Object.keys(until).join(", ")}`;
  const minor = version.split(".").slice(0, 2).join(".");
  const end = until[minor];
  const oldest = Object.keys(until)
    .map(minorOf)
    .sort((a, b) => a - b)[0]!;
  if (end === undefined && minorOf(minor) > oldest)
    throw new Unknown(`when ${what} of Kubernetes ${minor} ends is not known here, see ${source}`);
  if (end === undefined) yield `has Kubernetes ${version}, of which ${what} has ended (${source})`;
  // A month without a day has all of its days.
  else if (end < today.slice(0, end.length))
    yield `has Kubernetes ${version}, of which ${what} ended ${end} (${source})`;
};

const minorOf = (version: string) => Number(version.split(".")[1]);
