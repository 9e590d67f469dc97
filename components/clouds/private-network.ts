// What a gateway, a private DNS zone or a database needs of a cluster's network to be attached to it. Types only: no cloud's SDK is loaded by it.
import type * as aws from "@pulumi/aws";
import type { Provider as AzureProvider } from "@pulumi/azure-native/provider";
import type * as gcp from "@pulumi/gcp";
import type * as pulumi from "@pulumi/pulumi";

interface AwsNetwork {
  readonly provider: "aws";
  readonly sdk: aws.Provider;
  readonly region: string;
  readonly vpcId: pulumi.Output<string>;
  /** Route tables of the subnets that have nodes or load balancers. */
  readonly routeTableIds: readonly pulumi.Output<string>[];
  /** Of the subnets without a way in from the internet, one in each zone. */
  readonly privateSubnetIds: readonly pulumi.Output<string>[];
  /** Security group of the nodes and of the pods, which have addresses of the VPC. */
  readonly securityGroupId: pulumi.Output<string>;
}

interface GcpNetwork {
  readonly provider: "gcp";
  readonly sdk: gcp.Provider;
  readonly region: string;
  readonly networkId: pulumi.Output<string>;
  /** Subnetwork of the nodes. */
  readonly subnetworkId: pulumi.Output<string>;
  /** Project ID. */
  readonly project: string;
  /** The APIs that are enabled in it. */
  readonly apis: readonly pulumi.Resource[];
}

interface AzureNetwork {
  readonly provider: "azure";
  readonly sdk: AzureProvider;
  readonly subscriptionId: pulumi.Output<string>;
  readonly resourceGroupName: pulumi.Output<string>;
  readonly location: string;
  readonly virtualNetworkId: pulumi.Output<string>;
  readonly virtualNetworkName: pulumi.Output<string>;
  /** Range for the gateway's subnet in CIDR notation; undefined where the virtual network has none left. */
  readonly gatewayCidr: string | undefined;
  /** Name of the nodes' network security group. */
  readonly securityGroupName: pulumi.Output<string>;
  /** Subnet that is delegated to PostgreSQL, which the nodes reach. Default: there is none. */
  readonly databaseSubnetId?: pulumi.Output<string>;
  readonly tags: Readonly<Record<string, string>>;
  /** What must be done in the virtual network before it is changed again: Azure takes one change at a time. */
  readonly settled: readonly pulumi.Resource[];
}

/** The gateway of a cluster that somebody else made. */
export interface OwnGateway {
  /** Public IPv4 addresses, one or two. */
  readonly addresses: readonly string[];
  /** ASN of its BGP speaker, 1 to 4294967294. */
  readonly asn: number;
  /** Pre-shared key of all its tunnels. A secret. Default: the program makes one for each tunnel. */
  readonly sharedKey?: string;
}

interface ExistingNetwork {
  readonly provider: "existing";
  /** Default: none, so that the cluster can be in no VPN. */
  readonly gateway?: OwnGateway;
}

/** Handles of a cluster's network: a union on `provider`. */
export type PrivateNetwork = AwsNetwork | GcpNetwork | AzureNetwork | ExistingNetwork;

/** Word of a provider, as in the configuration. */
export type CloudProvider = PrivateNetwork["provider"];

/** The network of one provider, for example `PrivateNetworkOf<"aws">`. */
export type PrivateNetworkOf<P extends CloudProvider> = Extract<PrivateNetwork, { provider: P }>;
