// Clusters as far as tunnels and databases know them, each with handles of its provider's kind.
import * as aws from "@pulumi/aws";
import { Provider as AzureProvider } from "@pulumi/azure-native/provider";
import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../components/clouds";
import type { OwnGateway, PrivateNetwork } from "../../components/clouds/private-network";

function cluster(name: string, sourceCidrs: readonly string[], privateNetwork: PrivateNetwork): Cluster {
  return { name, sourceCidrs, privateNetwork } as unknown as Cluster;
}

export function awsCluster(name: string, cidr: string): Cluster {
  return cluster(name, [cidr], {
    provider: "aws",
    sdk: new aws.Provider(`${name}-aws`, { region: "us-east-1" }),
    region: "us-east-1",
    vpcId: pulumi.output(`${name}-vpc`),
    routeTableIds: ["public", "private"].map((kind) => pulumi.output(`${name}-${kind}`)),
    privateSubnetIds: [pulumi.output(`${name}-private-subnet`)],
    securityGroupId: pulumi.output(`${name}-sg`),
  });
}

export function gcpCluster(name: string, nodes: string, pods: string): Cluster {
  return cluster(name, [nodes, pods], {
    provider: "gcp",
    sdk: new gcp.Provider(`${name}-gcp`, { project: "a-project-of-mine" }),
    region: "us-central1",
    networkId: pulumi.output(`${name}-network`),
    subnetworkId: pulumi.output(`${name}-subnetwork`),
    project: "a-project-of-mine",
    apis: [],
  });
}

export function azureCluster(name: string, nodes: string, gatewayCidr: string): Cluster {
  return cluster(name, [nodes], {
    provider: "azure",
    sdk: new AzureProvider(`${name}-azure`),
    subscriptionId: pulumi.output("a-subscription"),
    resourceGroupName: pulumi.output(`${name}-rg`),
    location: "eastus",
    virtualNetworkId: pulumi.output(`${name}-vnet-id`),
    virtualNetworkName: pulumi.output(`${name}-vnet`),
    gatewayCidr,
    securityGroupName: pulumi.output(`${name}-nsg`),
    databaseSubnetId: pulumi.output(`${name}-database-subnet`),
    tags: {},
    settled: [],
  });
}

export function existingCluster(name: string, pods: string, gateway: OwnGateway): Cluster {
  return cluster(name, [pods], { provider: "existing", gateway });
}
