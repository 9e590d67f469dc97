// Which changes of a resource's inputs make Pulumi replace it instead of updating it, and in what order.
import { isWithin, type Step, stepsOf } from "./property-path";
import { REPLACING } from "./replacing";

type Inputs = Readonly<Record<string, unknown>>;

/** Every Kubernetes object is another one under another name or in another namespace. */
const KUBERNETES_IDENTITY = "metadata.name metadata.namespace";

const isKubernetes = (type: string) => type.startsWith("kubernetes:");

/** Whether the table has the type; of another one it cannot say what replaces it. */
export function knows(type: string): boolean {
  return isKubernetes(type) || Object.hasOwn(REPLACING, type);
}

/**
 * Those of the changed inputs for which Pulumi replaces a resource.
 *
 * @param type Pulumi's type token, such as `aws:ec2/vpc:Vpc`. Of a type that the table does not know: none.
 * @param paths changed inputs, each down to what differs: `nodeConfig.diskSizeGb`. `nodeConfig` alone would
 *   count for all that it may have.
 */
export function replacedBy(type: string, paths: readonly string[]): readonly string[] {
  const identity = isKubernetes(type) ? KUBERNETES_IDENTITY : "";
  const replacing = `${identity} ${REPLACING[type] ?? ""}`.split(" ").filter(Boolean).map(stepsOf);
  return paths.filter((path) => {
    const steps = stepsOf(path);
    return replacing.some((property) => touches(steps, property));
  });
}

/** Whether a change is of the property, of a part of it, or of what it is a part of. */
export function touches(change: readonly Step[], property: readonly Step[]): boolean {
  const common = Math.min(change.length, property.length);
  return isWithin(change.slice(0, common), property.slice(0, common));
}

/** Inputs that name an Azure resource, where Pulumi makes a name with a random end if they are missing. */
const AZURE_NAMES: Readonly<Record<string, string>> = {
  "azure-native:authorization:ManagementLockByScope": "lockName",
  "azure-native:authorization:RoleAssignment": "roleAssignmentName",
  "azure-native:containerservice:ManagedCluster": "resourceName",
  "azure-native:dbforpostgresql:Server": "serverName",
  "azure-native:managedidentity:FederatedIdentityCredential": "federatedIdentityCredentialResourceName",
  "azure-native:managedidentity:UserAssignedIdentity": "resourceName",
  "azure-native:network:LocalNetworkGateway": "localNetworkGatewayName",
  "azure-native:network:NetworkSecurityGroup": "networkSecurityGroupName",
  "azure-native:network:PublicIPAddress": "publicIpAddressName",
  "azure-native:network:VirtualNetwork": "virtualNetworkName",
  "azure-native:network:VirtualNetworkGateway": "virtualNetworkGatewayName",
  "azure-native:network:VirtualNetworkGatewayConnection": "virtualNetworkGatewayConnectionName",
  "azure-native:privatedns:PrivateZone": "privateZoneName",
  "azure-native:resources:ResourceGroup": "resourceGroupName",
};

/**
 * What leaves first whatever its name is: by `provider/resources.go` of pulumi-gcp, and by `diff` of this
 * program's own providers.
 */
const FIRST = new Set([
  "gcp:projects/iAMMember:IAMMember",
  "gcp:storage/bucketIAMMember:BucketIAMMember",
  "pulumi-nodejs:dynamic/agentweave/trust:AcceptedBundle",
  "pulumi-nodejs:dynamic/agentweave/trust:FederationRelationship",
  "pulumi-nodejs:dynamic/agentweave/trust:NodeEntries",
  "pulumi-nodejs:dynamic/agentweave/trust:PartnerRelationship",
  "pulumi-nodejs:dynamic/agentweave/trust:RegistrationEntry",
]);

/** Their names are no names of resources. */
const RECORDS = new Set(["aws:route53/record:Record", "gcp:dns/recordSet:RecordSet"]);

/**
 * Whether a resource that is replaced is deleted before the new one is made: where both would have the same
 * name. A resource's own option `deleteBeforeReplace` comes on top.
 *
 * Sources: `Diff` of pulumi-kubernetes (`provider/pkg/provider/provider.go`) and of pulumi-azure-native,
 * `nameRequiresDeleteBeforeReplace` of pulumi-terraform-bridge (`pkg/tfbridge/schema.go`) for Amazon Web
 * Services and Google Cloud.
 */
export function deletedFirst(type: string, before: Inputs, after: Inputs): boolean {
  if (isKubernetes(type)) {
    const [old, young] = [before, after].map(({ metadata }) => (metadata ?? {}) as Inputs);
    return young!["name"] !== undefined && ["name", "namespace"].every((key) => old![key] === young![key]);
  }
  if (type.startsWith("azure-native:")) {
    const name = AZURE_NAMES[type];
    return name === undefined || after[name] !== undefined;
  }
  const named = /^(aws|eks|gcp):/.test(type) && !RECORDS.has(type) && after["name"] !== undefined;
  return named || FIRST.has(type);
}
