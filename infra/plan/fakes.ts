// What the three clouds answer where none is asked: plans, and tests under mocks.
import type { Fakes } from "./recorder";

/** A certificate as kubeconfigs have it, of an authority whose key nobody has. */
export const CA_DATA =
  "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJuRENDQVVHZ0F3SUJBZ0lVZkJXajlkL3dvMGFqN1NJU1dKeSt3bGNiVWNZ" +
  "d0NnWUlLb1pJemowRUF3SXcKSWpFZ01CNEdBMVVFQXd3WFlTQmpiRzkxWkNCMGFHRjBJR2x6SUhCc1lXNXVaV1F3SUJjTk1qWXhN" +
  "VE13TURFdwpORE0yV2hnUE1qRXlOakV4TURZd01UQTBNelphTUNJeElEQWVCZ05WQkFNTUYyRWdZMnh2ZFdRZ2RHaGhkQ0JwCmN5" +
  "QndiR0Z1Ym1Wa01Ga3dFd1lIS29aSXpqMENBUVlJS29aSXpqMERBUWNEUWdBRWw3dkxodHNUWlVBUUg2bjgKRlFXc3V1K2lFN095" +
  "TStYUG1IQVNXN0paUEp0MlRobGxnNmJONFE3dUg2bVlFU0M0ZXY1R3JsWXY1Mm5ScHIvZgpzWTNHTXFOVE1GRXdIUVlEVlIwT0JC" +
  "WUVGRHBmSFp4QUE0ZUw3dG9IWnhIbXM2bHBERXVxTUI4R0ExVWRJd1FZCk1CYUFGRHBmSFp4QUE0ZUw3dG9IWnhIbXM2bHBERXVx" +
  "TUE4R0ExVWRFd0VCL3dRRk1BTUJBZjh3Q2dZSUtvWkkKemowRUF3SURTUUF3UmdJaEFPd2dObFpZUXc3WlRIamE4Z1poa0RTcERk" +
  "Z3MzbWh3RXppbjhmWHpvKzBwQWlFQQpwSzZtRTVCR3pOMjBaU2dBNVNWYUl2SkVWSEF4WXRhTzUzQTVlWG9jbkhVPQotLS0tLUVO" +
  "RCBDRVJUSUZJQ0FURS0tLS0tCg==";

const PEM = Buffer.from(CA_DATA, "base64").toString();

/** Amazon EKS. */
export const AWS = {
  outputs: {
    "eks:index:Cluster": {
      eksCluster: {
        name: "agentweave-aws",
        endpoint: "https://ABC.eks.example",
        certificateAuthority: { data: CA_DATA },
      },
      clusterSecurityGroupId: "sg-of-the-cluster",
      oidcProviderArn: "arn:aws:iam::123456789012:oidc-provider/oidc.eks.example/id/ABC",
      oidcIssuer: "oidc.eks.example/id/ABC",
    },
    "aws:ec2/eip:Eip": { publicIp: "198.51.100.10" },
    "aws:ec2/vpnConnection:VpnConnection": {
      tunnel1Address: "198.51.100.1",
      tunnel2Address: "198.51.100.2",
    },
    "aws:ec2/launchTemplate:LaunchTemplate": { latestVersion: 7 },
    "aws:rds/instance:Instance": { address: "spire.rds.example" },
    "aws:rds/subnetGroup:SubnetGroup": { name: "private-subnets" },
    "aws:iam/role:Role": { arn: "arn:aws:iam::123456789012:role/a-role" },
    "aws:s3/bucket:Bucket": { bucket: "aws-bundles" },
    "aws:kms/key:Key": { arn: "arn:aws:kms:us-east-1:123456789012:key/a-key" },
  },
  calls: {
    "aws:index/getAvailabilityZones:getAvailabilityZones": {
      names: ["us-east-1a", "us-east-1b", "us-east-1c"],
    },
    "aws:index/getPartition:getPartition": { partition: "aws", dnsSuffix: "amazonaws.com" },
    "aws:eks/getAddonVersion:getAddonVersion": ({
      addonName,
      kubernetesVersion,
    }: Record<string, string>) => ({
      version: `${addonName} for ${kubernetesVersion}`,
    }),
    "aws:ssm/getParameter:getParameter": ({ name }: Record<string, string>) => ({
      insecureValue: `release at ${name}`,
    }),
  },
} satisfies Fakes;

/** Service account of GKE's nodes. */
export const GCP_ACCOUNT = "agentweave-gcp-nodes@your-project-id.iam.gserviceaccount.com";

/** Google Kubernetes Engine. */
export const GCP = {
  outputs: {
    "gcp:compute/address:Address": { address: "198.51.100.20", selfLink: "link-of-an-address" },
    "gcp:container/cluster:Cluster": {
      endpoint: "203.0.113.7",
      masterAuth: { clusterCaCertificate: CA_DATA },
    },
    "gcp:compute/haVpnGateway:HaVpnGateway": {
      vpnInterfaces: [
        { id: 0, ipAddress: "203.0.113.1" },
        { id: 1, ipAddress: "203.0.113.2" },
      ],
    },
    "gcp:sql/databaseInstance:DatabaseInstance": {
      pscServiceAttachmentLink: "link-of-an-attachment",
      serverCaCerts: [{ cert: PEM }],
    },
    "gcp:storage/bucket:Bucket": { name: "gcp-bundles" },
    "gcp:serviceaccount/account:Account": { email: GCP_ACCOUNT, member: `serviceAccount:${GCP_ACCOUNT}` },
  },
  calls: { "gcp:organizations/getProject:getProject": { number: "123456789012" } },
} satisfies Fakes;

/** Function that tells who calls Azure: known at a first preview already. */
export const AZURE_CALLER = "azure-native:authorization:getClientConfig";

const AZURE_KUBECONFIG = `
apiVersion: v1
kind: Config
clusters: [{name: agentweave-azure, cluster: {server: "https://a.example:443", certificate-authority-data: ${CA_DATA}}}]
users: [{name: clusterUser, user: {token: a-token-of-azure}}]
contexts: [{name: agentweave-azure, context: {cluster: agentweave-azure, user: clusterUser}}]
`;

/** Azure Kubernetes Service. */
export const AZURE = {
  outputs: {
    "azure-native:resources:ResourceGroup": { name: "agentweave-rg" },
    "azure-native:containerservice:ManagedCluster": { name: "agentweave-azure" },
    "azure-native:network:VirtualNetwork": { name: "the-vnet" },
    "azure-native:network:NetworkSecurityGroup": { name: "the-group" },
    "azure-native:network:PublicIPAddress": { ipAddress: "192.0.2.1" },
    "azure-native:dbforpostgresql:Server": { fullyQualifiedDomainName: "spire.postgres.example" },
    "azure-native:dbforpostgresql:Database": { name: "spire" },
    "azure-native:managedidentity:UserAssignedIdentity": { principalId: "the-cluster" },
    "azure-native:storage:StorageAccount": { name: "bundlesofazure" },
    "azure-native:storage:BlobContainer": { name: "bundles" },
  },
  calls: {
    [AZURE_CALLER]: { objectId: "the-caller", clientId: "an-application", subscriptionId: "a-subscription" },
    "azure-native:containerservice:listManagedClusterUserCredentials": {
      kubeconfigs: [{ name: "clusterUser", value: Buffer.from(AZURE_KUBECONFIG).toString("base64") }],
    },
  },
} satisfies Fakes;

/** A kubeconfig with one context, of a cluster that is not asked. */
export const KUBECONFIG = (context: string) =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: context,
        cluster: { server: "https://cluster.example", "certificate-authority-data": CA_DATA },
      },
    ],
    users: [
      {
        name: context,
        user: {
          exec: { apiVersion: "client.authentication.k8s.io/v1", command: "true", interactiveMode: "Never" },
        },
      },
    ],
    contexts: [{ name: context, context: { cluster: context, user: context } }],
    "current-context": context,
  });

/** All clouds of a plan, and what the program's own resources tell as soon as they are there. */
export const PLANNED_CLOUDS: Fakes = {
  outputs: {
    ...AWS.outputs,
    ...GCP.outputs,
    ...AZURE.outputs,
    "kubernetes:core/v1:Service": { status: { loadBalancer: { ingress: [{ hostname: "lb.example.com" }] } } },
    "pulumi-nodejs:dynamic/agentweave/trust:TrustBundle": { authorities: [] },
    "pulumi-nodejs:dynamic/agentweave/trust:RootAuthority": { certificate: PEM, key: "the root's key" },
    "pulumi-nodejs:dynamic/agentweave/trust:IntermediateAuthority": {
      ...{ certificate: PEM, key: "a key" },
      ...{ notBefore: "2026-01-01T00:00:00.000Z", notAfter: "2027-01-01T00:00:00.000Z" },
    },
    "pulumi-nodejs:dynamic/agentweave/trust:FederationRelationship": ({ source: { trustDomain } }) => ({
      trustDomain,
    }),
  },
  calls: { ...AWS.calls, ...GCP.calls, ...AZURE.calls },
};
