// A cluster on Azure Kubernetes Service, with its own resource group, virtual network and identity.
import * as authorization from "@pulumi/azure-native/authorization";
import * as containerservice from "@pulumi/azure-native/containerservice";
import * as resources from "@pulumi/azure-native/resources";
import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { subnet } from "../network/cidr";
import type { ApiServerAccess } from "./access";
import { aksEndpointProfile, aksServerName } from "./aks-access";
import { type AzureAccount, azureAccount } from "./aks-account";
import { AksBundleStore } from "./aks-bundle-store";
import { aksEndpoint, aksKubeconfig } from "./aks-kubeconfig";
import { dnsPrefix, nodeResourceGroup, poolName } from "./aks-names";
import { AksNetwork } from "./aks-network";
import { databaseSubnet, gatewaySubnet } from "./aks-ranges";
import { type AksAdministrator, AZURE_ROLES, principalType, roleDefinitionId } from "./aks-roles";
import type { MakeBundleStore } from "./bundle-store";
import type { Cluster, ClusterArgs, NodeCounts } from "./cluster";
import type { PrivateNetworkOf } from "./private-network";
import { kubernetesProvider } from "./provider";

/** Arguments of {@link AksCluster}. */
export interface AksClusterArgs extends ClusterArgs {
  /** Azure location by its short name, for example `eastus`. */
  readonly location: string;
  /** Name of the resource group that is made for the cluster. */
  readonly resourceGroup: string;
  /** Kubernetes minor version, for example `1.34`; Azure applies its patches. */
  readonly kubernetesVersion: string;
  readonly nodes: NodeCounts & {
    /** Size of a node's virtual machine, for example `Standard_D2s_v5`. With another, a new pool is made before the old goes. */
    readonly vmSize: string;
  };
  /**
   * The pool that AKS asks of every cluster for its own pods, which the mesh's may use as well. AKS refuses another size, and
   * the pool with which a cluster is made cannot be replaced by another one
   * (https://www.pulumi.com/registry/packages/azure-native/api-docs/containerservice/managedcluster/).
   */
  readonly systemNodes: {
    /** Number of nodes, 1 or more. */
    readonly count: number;
    /**
     * Size with at least 4 vCPUs and not of the B series (https://learn.microsoft.com/azure/aks/use-system-pools), for example
     * `Standard_D4s_v5`.
     */
    readonly vmSize: string;
  };
  /**
   * Whether nodes run no SSH server, for which the subscription must have feature `DisableSSHPreview`
   * (https://learn.microsoft.com/azure/aks/manage-ssh-node-access). Default false: there is one, for which nobody has a key.
   */
  readonly disableSsh?: boolean;
  readonly network: {
    /** Address range of the virtual network in CIDR notation. */
    readonly vnetCidr: string;
    /** Address range of nodes, within `vnetCidr`. */
    readonly nodeCidr: string;
    /** Address range of pods (overlay), outside of `vnetCidr`; each node takes a /24 of it. */
    readonly podCidr: string;
    /** Address range of services, outside of `vnetCidr`. */
    readonly serviceCidr: string;
  };
  /** From where the API server can be reached. Default: any address, with Entra ID alone. */
  readonly access?: ApiServerAccess;
  /** Account of Azure. Default: that of the stack's settings `azure-native:*`. */
  readonly account?: AzureAccount;
  /** Who administers the cluster beside the identity that makes it. Whoever else runs `pulumi` must be among them. Default none. */
  readonly administrators?: readonly AksAdministrator[];
}

/** Stands up an AKS cluster that can run the mesh, with Entra ID for people and enforced network policies. */
export class AksCluster extends pulumi.ComponentResource implements Cluster {
  readonly name: string;
  readonly region: string;
  readonly clusterName: string;
  readonly context: string;
  readonly kubeconfig: pulumi.Output<string>;
  readonly kubernetesVersion: pulumi.Output<string>;
  readonly kubernetes: k8s.Provider;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly sourceCidrs: readonly string[];
  readonly egressCidrs: pulumi.Output<readonly string[]>;
  /**
   * Azure's load balancer probes by the port's `appProtocol`, with HTTP or HTTPS if that says so, and the bundle endpoint
   * would never answer such a probe with 200. TCP alone asks no more than an open port (Cloud Provider Azure, "Azure
   * LoadBalancer", custom health probe).
   */
  readonly loadBalancerAnnotations = {
    "service.beta.kubernetes.io/azure-load-balancer-health-probe-protocol": "tcp",
  };
  /** The same with an address of the nodes' subnet (AKS documentation, "Use an internal load balancer"). */
  readonly internalLoadBalancerAnnotations = {
    ...this.loadBalancerAnnotations,
    "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
  };
  readonly privateNetwork: PrivateNetworkOf<"azure">;
  readonly makeBundleStore: MakeBundleStore;

  constructor(name: string, args: AksClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:clouds:AksCluster", name, {}, opts);
    this.name = name;
    this.region = args.location;
    this.clusterName = args.clusterName;
    this.context = args.context;
    this.kubernetesVersion = pulumi.output(args.kubernetesVersion);
    this.podCidr = args.network.podCidr;
    this.serviceCidr = args.network.serviceCidr;
    // Pods of an overlay have addresses that mean nothing outside: packets leave with those of the nodes.
    this.sourceCidrs = [args.network.nodeCidr];

    const { provider, tenantId } = azureAccount(name, args.account, { parent: this });
    const self = { parent: this, provider };
    const tags = { ...args.tags };
    const { location } = args;
    const caller = authorization.getClientConfigOutput(self);
    const group = new resources.ResourceGroup(
      `${name}-group`,
      { resourceGroupName: args.resourceGroup, location, tags },
      self,
    );
    const network = new AksNetwork(
      `${name}-network`,
      {
        ...args.network,
        location,
        resourceGroupName: group.name,
        subscriptionId: caller.subscriptionId,
        ...(args.database && { databaseCidr: databaseSubnet(args.network) }),
        tags,
        provider,
      },
      self,
    );
    this.egressCidrs = network.egressCidrs;
    // Whoever makes the cluster may then make objects in it. A role takes up to five minutes to have effect, so it is given
    // on the group before the cluster, which takes as long to make. Later runs by others leave it with the first.
    const administrator = new authorization.RoleAssignment(
      `${name}-administrator`,
      {
        scope: group.id,
        principalId: caller.objectId,
        principalType: caller.clientId.apply(principalType),
        roleDefinitionId: roleDefinitionId(caller.subscriptionId, AZURE_ROLES.kubernetesAdministrator),
      },
      { ...self, ignoreChanges: ["principalId", "principalType"] },
    );

    const pool = {
      type: "VirtualMachineScaleSets",
      osType: "Linux",
      vnetSubnetID: network.subnetId,
      enableNodePublicIP: false,
      ...(args.disableSsh && { securityProfile: { sshAccess: "Disabled" } }),
      upgradeSettings: { maxSurge: "1" },
      tags,
    };
    const cluster = new containerservice.ManagedCluster(
      `${name}-cluster`,
      {
        resourceName: args.clusterName,
        resourceGroupName: group.name,
        location,
        tags,
        dnsPrefix: dnsPrefix(args.clusterName),
        nodeResourceGroup: nodeResourceGroup(args.resourceGroup),
        kubernetesVersion: args.kubernetesVersion,
        autoUpgradeProfile: { upgradeChannel: "patch", nodeOSUpgradeChannel: "NodeImage" },
        identity: { type: "UserAssigned", userAssignedIdentities: [network.identityId] },
        // People come through Entra ID and its roles; there is no certificate that admits whoever holds it.
        enableRBAC: true,
        aadProfile: { managed: true, enableAzureRBAC: true },
        disableLocalAccounts: true,
        apiServerAccessProfile: { disableRunCommand: true, ...aksEndpointProfile(args) },
        oidcIssuerProfile: { enabled: true },
        securityProfile: { workloadIdentity: { enabled: true } },
        networkProfile: {
          networkPlugin: "azure",
          networkPluginMode: "overlay",
          networkDataplane: "cilium",
          networkPolicy: "cilium",
          podCidr: args.network.podCidr,
          serviceCidr: args.network.serviceCidr,
          dnsServiceIP: dnsAddress(args.network.serviceCidr),
          loadBalancerSku: "standard",
          outboundType: "loadBalancer",
          loadBalancerProfile: { outboundIPs: { publicIPs: [{ id: network.outboundAddressId }] } },
        },
        agentPoolProfiles: [{ ...pool, ...args.systemNodes, name: "system", mode: "System" }],
      },
      { ...self, dependsOn: [...network.grants, administrator] },
    );
    this.makeBundleStore = (storeName, trustDomain, storeOpts) =>
      new AksBundleStore(
        storeName,
        {
          location,
          resourceGroupName: group.name,
          subscriptionId: caller.subscriptionId,
          trustDomain,
          oidcIssuer: cluster.oidcIssuerProfile.apply((profile) => profile?.issuerURL ?? ""),
          tags,
          provider,
        },
        storeOpts,
      );

    const { count, minCount, maxCount, vmSize } = args.nodes;
    const autoscaling = minCount !== undefined && maxCount !== undefined;
    const nodes = new containerservice.AgentPool(
      `${name}-nodes`,
      {
        ...pool,
        resourceGroupName: group.name,
        resourceName: cluster.name,
        agentPoolName: poolName(vmSize),
        mode: "User",
        orchestratorVersion: args.kubernetesVersion,
        vmSize,
        count,
        ...(autoscaling && { enableAutoScaling: true, minCount, maxCount }),
      },
      { ...self, ignoreChanges: autoscaling ? ["count"] : [] },
    );

    this.privateNetwork = {
      provider: "azure",
      sdk: provider,
      subscriptionId: caller.subscriptionId,
      resourceGroupName: group.name,
      location,
      virtualNetworkId: network.virtualNetworkId,
      virtualNetworkName: network.virtualNetworkName,
      gatewayCidr: gatewaySubnet(args.network),
      securityGroupName: network.securityGroupName,
      databaseSubnetId: network.databaseSubnet?.id,
      tags,
      settled: [nodes, ...(network.databaseSubnet ? [network.databaseSubnet] : [])],
    };

    // On the cluster rather than the group: whoever made it may be listed too, and Azure takes a role once in a scope.
    const administrators = (args.administrators ?? []).map(
      ({ objectId, type }) =>
        new authorization.RoleAssignment(
          `${name}-administrator-${objectId}`,
          {
            scope: cluster.id,
            principalId: objectId,
            principalType: type,
            roleDefinitionId: roleDefinitionId(caller.subscriptionId, AZURE_ROLES.kubernetesAdministrator),
          },
          self,
        ),
    );

    const credentials = containerservice.listManagedClusterUserCredentialsOutput(
      {
        resourceGroupName: group.name,
        resourceName: cluster.name,
        format: "exec",
        ...aksServerName(args),
      },
      self,
    );
    this.kubeconfig = pulumi.secret(
      credentials.kubeconfigs.apply((all) =>
        aksKubeconfig({ context: args.context, tenantId, ...aksEndpoint(all[0]?.value) }),
      ),
    );
    // An administrator who destroys the stack keeps the right to do so until nothing is left in the cluster.
    this.kubernetes = kubernetesProvider(
      name,
      `azure/${args.resourceGroup}/${args.clusterName}`,
      this.kubeconfig,
      { parent: this, dependsOn: [nodes, ...administrators] },
    );
    this.registerOutputs();
  }
}

/** Address of the cluster's DNS service: the tenth of the range, as AKS has it by default. */
function dnsAddress(serviceCidr: string): string {
  return subnet(serviceCidr, 32, 10).replace("/32", "");
}
