// By type of resource, the inputs whose change makes Pulumi replace it: a fact of each provider, a line each,
// paths apart by blanks. `[*]` is any item of a list; what is within a named property counts with it.

/**
 * Amazon Web Services: attributes with `ForceNew` or `RequiresReplace` in hashicorp/terraform-provider-aws
 * (`internal/service/`), which @pulumi/aws 7 bridges; `region` is one of every regional resource since
 * version 6. Left out is what depends on the values: another kind of source in a SecurityGroupIngressRule, and
 * IPv6.
 */
const AWS = {
  "aws:cloudwatch/logGroup:LogGroup": "logGroupClass name namePrefix region",
  "aws:ec2/customerGateway:CustomerGateway": "bgpAsn certificateArn deviceName ipAddress region type",
  "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "region vpcId",
  "aws:ec2/eip:Eip": "address domain ipamPoolId networkBorderGroup publicIpv4Pool region",
  "aws:ec2/internetGateway:InternetGateway": "region",
  "aws:ec2/launchTemplate:LaunchTemplate": "name namePrefix region",
  "aws:ec2/natGateway:NatGateway":
    "allocationId connectivityType privateIp region secondaryPrivateIpAddressCount subnetId",
  "aws:ec2/route:Route":
    "destinationCidrBlock destinationIpv6CidrBlock destinationPrefixListId region routeTableId",
  "aws:ec2/routeTable:RouteTable": "region vpcId",
  "aws:ec2/routeTableAssociation:RouteTableAssociation": "gatewayId region subnetId",
  "aws:ec2/securityGroup:SecurityGroup": "description name namePrefix region vpcId",
  "aws:ec2/subnet:Subnet":
    "availabilityZone availabilityZoneId cidrBlock ipv4IpamPoolId ipv4NetmaskLength ipv6IpamPoolId ipv6Native ipv6NetmaskLength outpostArn region vpcId",
  "aws:ec2/vpc:Vpc": "cidrBlock ipv4IpamPoolId ipv4NetmaskLength region",
  "aws:ec2/vpnConnection:VpnConnection":
    "region staticRoutesOnly tunnel1InsideCidr tunnel1InsideIpv6Cidr tunnel2InsideCidr tunnel2InsideIpv6Cidr tunnelInsideIpVersion type",
  "aws:ec2/vpnGateway:VpnGateway": "amazonSideAsn availabilityZone region",
  "aws:ec2/vpnGatewayRoutePropagation:VpnGatewayRoutePropagation": "region routeTableId vpnGatewayId",
  "aws:eks/addon:Addon": "addonName clusterName region",
  "aws:eks/nodeGroup:NodeGroup":
    "amiType capacityType clusterName diskSize instanceTypes launchTemplate.id launchTemplate.name nodeGroupName nodeGroupNamePrefix nodeRoleArn region remoteAccess subnetIds",
  "aws:iam/role:Role": "name namePrefix path",
  "aws:iam/rolePolicy:RolePolicy": "name namePrefix role",
  "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "policyArn role",
  "aws:kms/key:Key": "customKeyStoreId customerMasterKeySpec keyUsage multiRegion region xksKeyId",
  "aws:rds/instance:Instance":
    "availabilityZone backupTarget characterSetName customIamInstanceProfile dbName engine kmsKeyId ncharCharacterSetName region restoreToPointInTime snapshotIdentifier storageEncrypted timezone username",
  "aws:rds/subnetGroup:SubnetGroup": "name namePrefix region",
  "aws:s3/bucket:Bucket": "bucket bucketNamespace bucketPrefix objectLockEnabled region",
  "aws:s3/bucketPolicy:BucketPolicy": "bucket region",
  "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "bucket region",
  "aws:route53/record:Record": "name zoneId",
  "aws:route53/zone:Zone": "delegationSetId name",
  "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "region securityGroupId",
};

/**
 * The cluster of @pulumi/eks is a component with the control plane within (`nodejs/eks/cluster/cluster.ts` of
 * pulumi/pulumi-eks 4.3.0). These are its inputs that become such attributes of `aws_eks_cluster`: name,
 * ip_family, service_ipv4_cidr. Its role has no input that we set; a key for encryption can be added, and only
 * taking it away replaces.
 */
const EKS = {
  "eks:index:Cluster": "ipFamily kubernetesServiceIpAddressRange name",
};

/**
 * Google Cloud: attributes with `ForceNew` in hashicorp/terraform-provider-google-beta 7.45, which
 * @pulumi/gcp 9 bridges. A Subnetwork's `ipCidrRange` that only grows is updated in place.
 */
const GCP = {
  "gcp:compute/address:Address":
    "address addressType description ipCollection ipVersion ipv6EndpointType name network networkTier prefixLength project purpose region subnetwork",
  "gcp:compute/externalVpnGateway:ExternalVpnGateway":
    "description interfaces name params project redundancyType",
  "gcp:compute/firewall:Firewall": "direction name project",
  "gcp:compute/forwardingRule:ForwardingRule":
    "allPorts description ipAddress ipCollection ipProtocol ipVersion isMirroringCollector loadBalancingScheme name network networkTier noAutomateDnsZone portRange ports project region serviceDirectoryRegistrations serviceLabel subnetwork",
  "gcp:compute/haVpnGateway:HaVpnGateway":
    "description gatewayIpVersion name network params project region stackType vpnInterfaces",
  "gcp:compute/network:Network":
    "autoCreateSubnetworks description internalIpv6Range name networkProfile params project",
  "gcp:compute/router:Router": "encryptedInterconnectRouter name nccGateway network project region",
  "gcp:compute/routerInterface:RouterInterface":
    "interconnectAttachment ipRange ipVersion name privateIpAddress project redundantInterface region router subnetwork vpnTunnel",
  "gcp:compute/routerNat:RouterNat": "endpointTypes initialNatIps name project region router type",
  "gcp:compute/routerPeer:RouterPeer": "interface name project region router",
  "gcp:compute/subnetwork:Subnetwork":
    "description externalIpv6Prefix internalIpv6Prefix ipCidrRange name network params project region reservedInternalRange resolveSubnetMask",
  "gcp:compute/vPNTunnel:VPNTunnel":
    "cipherSuite description ikeVersion localTrafficSelectors name params peerExternalGateway peerExternalGatewayInterface peerGcpGateway peerIp project region remoteTrafficSelectors router sharedSecret sharedSecretWoVersion targetVpnGateway vpnGateway vpnGatewayInterface",
  "gcp:container/cluster:Cluster":
    "clusterAutoscaling.autoProvisioningDefaults.bootDiskKmsKey clusterIpv4Cidr confidentialNodes datapathProvider dataplaneOptimizationMode defaultMaxPodsPerNode description enableAutopilot enableKubernetesAlpha enableTpu initialNodeCount ipAllocationPolicy.clusterIpv4CidrBlock ipAllocationPolicy.clusterSecondaryRangeName ipAllocationPolicy.servicesIpv4CidrBlock ipAllocationPolicy.servicesSecondaryRangeName location masterAuth.clientCertificateConfig name network networkingMode nodeConfig.advancedMachineFeatures.enableNestedVirtualization nodeConfig.advancedMachineFeatures.threadsPerCore nodeConfig.bootDiskKmsKey nodeConfig.confidentialNodes.confidentialInstanceType nodeConfig.enableConfidentialStorage nodeConfig.ephemeralStorageConfig nodeConfig.ephemeralStorageLocalSsdConfig nodeConfig.flexStart nodeConfig.guestAccelerators nodeConfig.hostMaintenancePolicy nodeConfig.localNvmeSsdBlockConfig nodeConfig.localSsdCount nodeConfig.localSsdEncryptionMode nodeConfig.maxRunDuration nodeConfig.metadata nodeConfig.minCpuPlatform nodeConfig.nodeGroup nodeConfig.oauthScopes nodeConfig.preemptible nodeConfig.reservationAffinity nodeConfig.secondaryBootDisks nodeConfig.serviceAccount nodeConfig.shieldedInstanceConfig nodeConfig.soleTenantConfig.nodeAffinities nodeConfig.spot privateClusterConfig.masterIpv4CidrBlock privateClusterConfig.privateEndpointSubnetwork project subnetwork tpuConfig.enabled tpuConfig.useServiceNetworking userManagedKeysConfig.aggregationCa userManagedKeysConfig.clusterCa userManagedKeysConfig.etcdApiCa userManagedKeysConfig.etcdPeerCa",
  "gcp:container/nodePool:NodePool":
    "cluster initialNodeCount location maxPodsPerNode name namePrefix networkConfig.acceleratorNetworkProfile networkConfig.additionalNodeNetworkConfigs networkConfig.additionalPodNetworkConfigs networkConfig.createPodRange networkConfig.podIpv4CidrBlock networkConfig.podRange networkConfig.subnetwork nodeConfig.advancedMachineFeatures.enableNestedVirtualization nodeConfig.advancedMachineFeatures.threadsPerCore nodeConfig.bootDiskKmsKey nodeConfig.confidentialNodes.confidentialInstanceType nodeConfig.enableConfidentialStorage nodeConfig.ephemeralStorageConfig nodeConfig.ephemeralStorageLocalSsdConfig nodeConfig.flexStart nodeConfig.guestAccelerators nodeConfig.hostMaintenancePolicy nodeConfig.localNvmeSsdBlockConfig nodeConfig.localSsdCount nodeConfig.localSsdEncryptionMode nodeConfig.maxRunDuration nodeConfig.metadata nodeConfig.minCpuPlatform nodeConfig.nodeGroup nodeConfig.oauthScopes nodeConfig.preemptible nodeConfig.reservationAffinity nodeConfig.secondaryBootDisks nodeConfig.serviceAccount nodeConfig.shieldedInstanceConfig nodeConfig.soleTenantConfig.nodeAffinities nodeConfig.spot placementPolicy.policyName project queuedProvisioning",
  "gcp:dns/managedZone:ManagedZone": "dnsName name project reverseLookup visibility",
  "gcp:dns/recordSet:RecordSet": "managedZone name project routingPolicy.healthCheck",
  "gcp:projects/iAMMember:IAMMember": "condition member project role",
  "gcp:projects/service:Service": "project service",
  "gcp:serviceaccount/account:Account": "accountId project",
  "gcp:sql/database:Database": "instance name project",
  "gcp:sql/databaseInstance:DatabaseInstance":
    "encryptionKeyName name project region settings.collation settings.diskType",
  "gcp:sql/user:User": "host instance name project type",
  "gcp:storage/bucket:Bucket":
    "customPlacementConfig enableObjectRetention hierarchicalNamespace location name project",
  "gcp:storage/bucketIAMMember:BucketIAMMember": "bucket condition member role",
};

/**
 * Azure: parameters of the resource's own path, inputs that the REST API declares for creation alone
 * (`x-ms-mutability`), and the table of pulumi/pulumi-azure-native (`provider/pkg/gen/replacement.go`, with
 * the rules of its pull request 4771 for AKS, in @pulumi/azure-native 3.28). What only the API itself refuses
 * to change is no replacement for Pulumi, and fails: the role of a role assignment, for example.
 */
const AZURE = {
  "azure-native:authorization:ManagementLockByScope": "lockName scope",
  "azure-native:authorization:RoleAssignment": "principalId roleAssignmentName scope",
  "azure-native:containerservice:AgentPool":
    "agentPoolName gpuInstanceProfile networkProfile.nodePublicIPTags resourceGroupName resourceName vmSize",
  "azure-native:containerservice:ManagedCluster":
    "agentPoolProfiles[*].networkProfile.nodePublicIPTags diskEncryptionSetID dnsPrefix fqdnSubdomain linuxProfile location networkProfile.dnsServiceIP networkProfile.networkDataplane networkProfile.networkMode networkProfile.networkPlugin networkProfile.networkPluginMode networkProfile.networkPolicy networkProfile.outboundType networkProfile.podCidr networkProfile.serviceCidr networkProfile.serviceCidrs nodeResourceGroup resourceGroupName resourceName windowsProfile",
  "azure-native:dbforpostgresql:Database": "databaseName resourceGroupName serverName",
  "azure-native:dbforpostgresql:Server":
    "administratorLogin location network.delegatedSubnetResourceId pointInTimeUTC resourceGroupName serverName sourceServerResourceId",
  "azure-native:managedidentity:FederatedIdentityCredential":
    "federatedIdentityCredentialResourceName resourceGroupName resourceName",
  "azure-native:managedidentity:UserAssignedIdentity": "location resourceGroupName resourceName",
  "azure-native:network:LocalNetworkGateway": "localNetworkGatewayName resourceGroupName",
  "azure-native:network:NetworkSecurityGroup": "networkSecurityGroupName resourceGroupName",
  "azure-native:network:PublicIPAddress":
    "location publicIPAddressVersion publicIPPrefix publicIpAddressName resourceGroupName sku",
  "azure-native:network:SecurityRule": "networkSecurityGroupName resourceGroupName securityRuleName",
  "azure-native:network:Subnet": "resourceGroupName subnetName virtualNetworkName",
  "azure-native:network:VirtualNetwork": "location resourceGroupName virtualNetworkName",
  "azure-native:network:VirtualNetworkGateway": "resourceGroupName virtualNetworkGatewayName",
  "azure-native:network:VirtualNetworkGatewayConnection":
    "resourceGroupName virtualNetworkGatewayConnectionName",
  "azure-native:privatedns:PrivateRecordSet":
    "privateZoneName recordType relativeRecordSetName resourceGroupName",
  "azure-native:privatedns:PrivateZone": "privateZoneName resourceGroupName",
  "azure-native:privatedns:VirtualNetworkLink": "privateZoneName resourceGroupName virtualNetworkLinkName",
  "azure-native:resources:ResourceGroup": "location resourceGroupName",
  "azure-native:storage:BlobContainer": "accountName containerName resourceGroupName",
  "azure-native:storage:StorageAccount":
    "accountName extendedLocation isHnsEnabled location resourceGroupName",
};

/**
 * Kubernetes, beside the name and the namespace of every object: the table `forceNew` of
 * pulumi/pulumi-kubernetes 4.32 (`provider/pkg/provider/diff.go`), with Secrets and ConfigMaps that may change
 * in place, as `kubernetesProvider` has them. What only an API server refuses to change is no replacement for
 * Pulumi, and fails: `attachRequired` of a CSIDriver, for example.
 */
const KUBERNETES = {
  "kubernetes:apps/v1:DaemonSet": "spec.selector",
  "kubernetes:apps/v1:Deployment": "spec.selector",
  "kubernetes:apps/v1:StatefulSet":
    "spec.podManagementPolicy spec.revisionHistoryLimit spec.selector spec.serviceName spec.volumeClaimTemplates",
  "kubernetes:core/v1:ResourceQuota": "spec.scopes",
  "kubernetes:core/v1:Secret": "type",
  "kubernetes:core/v1:Service": "spec.clusterIP",
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding": "roleRef",
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding": "roleRef",
  "kubernetes:storage.k8s.io/v1:StorageClass": "parameters provisioner",
};

/**
 * Tailscale: attributes with `RequiresReplace` in tailscale/terraform-provider-tailscale 0.29, which
 * @pulumi/tailscale 0.29 bridges.
 */
const TAILSCALE = {
  "tailscale:index/acl:Acl": "",
  "tailscale:index/dnsPreferences:DnsPreferences": "",
  "tailscale:index/oauthClient:OauthClient": "",
  "tailscale:index/service:Service": "name",
};

/** The engine's own (pkg/resource/deploy/builtins.go of pulumi/pulumi). */
const PULUMI = {
  "pulumi:index:Stash": "",
};

/** This program's own, as `diff` of their providers says (`components/providers`); a test compares. */
const OWN = {
  "pulumi-nodejs:dynamic/agentweave/kubernetes:GeneratedConfigMap": "cloud object",
  "pulumi-nodejs:dynamic/agentweave/kubernetes:VolumeCleanup": "claim cloud",
  "pulumi-nodejs:dynamic/agentweave/observability:ScrapeToken": "cloud home secret",
  "pulumi-nodejs:dynamic/agentweave/trust:AcceptedBundle": "target.cloud target.trustDomain trustDomain",
  "pulumi-nodejs:dynamic/agentweave/trust:FederationRelationship":
    "source.cloud source.trustDomain target.cloud target.trustDomain",
  "pulumi-nodejs:dynamic/agentweave/trust:NodeEntries": "clusterName target.cloud target.trustDomain",
  "pulumi-nodejs:dynamic/agentweave/trust:PartnerRelationship": "target.cloud target.trustDomain trustDomain",
  "pulumi-nodejs:dynamic/agentweave/trust:IntermediateAuthority": "cloud trustDomain",
  "pulumi-nodejs:dynamic/agentweave/trust:RegistrationEntry": "target.cloud target.trustDomain",
  "pulumi-nodejs:dynamic/agentweave/trust:RootAuthority": "trustDomain",
  "pulumi-nodejs:dynamic/agentweave/trust:TrustBundle": "target.cloud target.trustDomain",
  "pulumi-nodejs:dynamic/agentweave:RandomText": "alphabet length",
};

/** All of them. */
export const REPLACING: Readonly<Record<string, string>> = {
  ...AWS,
  ...EKS,
  ...GCP,
  ...AZURE,
  ...KUBERNETES,
  ...TAILSCALE,
  ...PULUMI,
  ...OWN,
};
