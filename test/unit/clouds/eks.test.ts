import * as pulumi from "@pulumi/pulumi";

import { EksCluster, type EksClusterArgs } from "../../../components/clouds/eks";
import { isArm } from "../../../components/clouds/eks-nodes";
import { webIdentityPolicy } from "../../../components/clouds/eks-storage";
import { contains, overlaps } from "../../../components/network/cidr";
import { AWS } from "../../../infra/plan/fakes";
import {
  type Fakes,
  record,
  type Recording,
  recordWith,
  unwrapSecret,
  valueOf,
} from "../../../infra/plan/recorder";

const ARGS: EksClusterArgs = {
  clusterName: "agentweave-aws",
  context: "aws-cluster",
  region: "us-east-1",
  kubernetesVersion: "1.35",
  nodes: { count: 3, instanceType: "t3.medium" },
  network: { vpcCidr: "10.10.0.0/16", serviceCidr: "10.11.0.0/16", zones: 2 },
  tags: { environment: "test" },
};

const build = (args: Partial<EksClusterArgs> = {}, fakes: Partial<Fakes> = {}) =>
  record(() => new EksCluster("aws", { ...ARGS, ...args }), { ...AWS, ...fakes });

let cluster: EksCluster;
let made: Recording;
beforeAll(async () => {
  [cluster, made] = await build();
});

const addon = (name: string) => {
  const found = made.all("aws:eks/addon:Addon").filter((a) => a.inputs.addonName === name);
  expect(found).toHaveLength(1);
  return found[0]!;
};

const SUBNET = "aws:ec2/subnet:Subnet";

describe("EksCluster", () => {
  it("tells the version of its nodes", async () => {
    expect(await valueOf(cluster.kubernetesVersion)).toBe("1.35");
  });

  it("divides the VPC into a private and a public subnet in each of two zones, which do not overlap", () => {
    const subnets = made.all(SUBNET).map((s) => s.inputs);
    expect(subnets.map((s) => s.availabilityZone).sort()).toEqual([
      "us-east-1a",
      "us-east-1a",
      "us-east-1b",
      "us-east-1b",
    ]);
    subnets.forEach((a, i) => {
      expect(contains("10.10.0.0/16", a.cidrBlock)).toBe(true);
      expect(subnets.slice(i + 1).filter((b) => overlaps(a.cidrBlock, b.cidrBlock))).toEqual([]);
    });
  });

  it("tags subnets so that load balancers find the public ones", () => {
    for (const { name, inputs } of made.all(SUBNET)) {
      const role = name.includes("-public-") ? "kubernetes.io/role/elb" : "kubernetes.io/role/internal-elb";
      expect(Object.keys(inputs.tags).sort()).toEqual(["Name", role].sort());
    }
  });

  it("takes the zones it is given", async () => {
    const zones = ["us-east-1d", "us-east-1f"];
    const calls = { ...AWS.calls, "aws:index/getAvailabilityZones:getAvailabilityZones": { names: [] } };
    const [, other] = await build({ network: { ...ARGS.network, zones } }, { calls });
    expect(new Set(other.all(SUBNET).map((s) => s.inputs.availabilityZone))).toEqual(new Set(zones));
  });

  it("sends private subnets out through NAT and public ones through the internet gateway", () => {
    const routes = made.all("aws:ec2/route:Route");
    const byName = Object.fromEntries(routes.map((r) => [r.name, r.inputs]));
    expect(byName["aws-network-private"]).toMatchObject({ natGatewayId: "aws-network-nat-id" });
    expect(byName["aws-network-private"]).not.toHaveProperty("gatewayId");
    expect(byName["aws-network-public"]).toMatchObject({ gatewayId: "aws-network-igw-id" });
    const privateTable = made.one("aws:ec2/routeTable:RouteTable", "aws-network-private");
    const associated = made
      .all("aws:ec2/routeTableAssociation:RouteTableAssociation")
      .filter((a) => a.inputs.routeTableId === `${privateTable.name}-id`)
      .map((a) => a.inputs.subnetId);
    expect(associated).toEqual(["aws-network-private-1-id", "aws-network-private-2-id"]);
  });

  it("makes the control plane with access entries, all logs and its own encryption key", () => {
    expect(made.one("eks:index:Cluster").inputs).toMatchObject({
      name: "agentweave-aws",
      version: "1.35",
      authenticationMode: "API",
      endpointPrivateAccess: true,
      kubernetesServiceIpAddressRange: "10.11.0.0/16",
      enabledClusterLogTypes: ["api", "audit", "authenticator", "controllerManager", "scheduler"],
      encryptionConfigKeyArn: "arn:aws:kms:us-east-1:123456789012:key/a-key",
      upgradePolicy: { supportType: "STANDARD" },
      createOidcProvider: true,
      skipDefaultNodeGroup: true,
      useDefaultVpcCni: true,
      kubeProxyAddonOptions: { enabled: false },
      publicSubnetIds: ["aws-network-public-1-id", "aws-network-public-2-id"],
      privateSubnetIds: ["aws-network-private-1-id", "aws-network-private-2-id"],
    });
    expect(made.one("aws:kms/key:Key").inputs.enableKeyRotation).toBe(true);
  });

  it("keeps the control plane's logs for a month, in a group that leaves after the cluster", () => {
    const logs = made.one("aws:cloudwatch/logGroup:LogGroup");
    expect(logs.inputs).toMatchObject({ name: "/aws/eks/agentweave-aws/cluster", retentionInDays: 30 });
    expect(made.leavesBefore(made.one("eks:index:Cluster"), logs)).toBe(true);
  });

  it("enforces network policies, and lets answers of pods out with the pods' own addresses", () => {
    expect(JSON.parse(addon("vpc-cni").inputs.configurationValues)).toEqual({
      enableNetworkPolicy: "true",
      env: { AWS_VPC_K8S_CNI_EXTERNALSNAT: "true" },
    });
  });

  it("has each add-on in the version that suits its Kubernetes, or in that which it is told", async () => {
    const [, other] = await build({
      kubernetesVersion: "1.36",
      addonVersions: { coredns: "v1.13.2-eksbuild.1" },
    });
    const versions = (recording: Recording) =>
      Object.fromEntries(
        recording.all("aws:eks/addon:Addon").map(({ inputs }) => [inputs.addonName, inputs.addonVersion]),
      );
    expect(versions(made)).toEqual({
      "vpc-cni": "vpc-cni for 1.35",
      "kube-proxy": "kube-proxy for 1.35",
      coredns: "coredns for 1.35",
      "aws-ebs-csi-driver": "aws-ebs-csi-driver for 1.35",
    });
    expect(versions(other)).toEqual({
      "vpc-cni": "vpc-cni for 1.36",
      "kube-proxy": "kube-proxy for 1.36",
      coredns: "v1.13.2-eksbuild.1",
      "aws-ebs-csi-driver": "aws-ebs-csi-driver for 1.36",
    });
  });

  it("has a metrics server where pods are scaled by their CPU, as long as there are such", async () => {
    const [, other] = await build({ podAutoscaling: true });
    const metrics = other.all("aws:eks/addon:Addon").find((a) => a.inputs.addonName === "metrics-server")!;
    expect(other.leavesBefore(other.one("pulumi:providers:kubernetes"), metrics)).toBe(true);
  });

  it.each([
    ["t3.medium", "x86_64"],
    ["t4g.medium", "arm64"],
  ])(
    "boots a %s with the newest release of its image, or with the one that it is told",
    async (instanceType, arch) => {
      const release = async (nodes: Partial<EksClusterArgs["nodes"]>) => {
        const [, other] = await build({ nodes: { count: 3, instanceType, ...nodes } });
        return other.one("aws:eks/nodeGroup:NodeGroup").inputs.releaseVersion;
      };
      expect(await release({})).toBe(
        `release at /aws/service/eks/optimized-ami/1.35/amazon-linux-2023/${arch}/standard/recommended/release_version`,
      );
      expect(await release({ releaseVersion: "1.35.0-20260105" })).toBe("1.35.0-20260105");
    },
  );

  it.each([
    ["aws", "amazonaws.com"],
    ["aws-us-gov", "amazonaws.com"],
    ["aws-cn", "amazonaws.com.cn"],
  ])("names what belongs to AWS by its partition: %s", async (partition, dnsSuffix) => {
    const principal = `arn:${partition}:iam::123456789012:role/platform`;
    const [, other] = await build(
      { administrators: [principal] },
      { calls: { ...AWS.calls, "aws:index/getPartition:getPartition": { partition, dnsSuffix } } },
    );
    const arns = other.resources.flatMap(({ inputs }) =>
      [inputs.policyArn].filter((arn): arn is string => arn !== undefined),
    );
    expect(arns).toHaveLength(5);
    for (const arn of arns) expect(arn.startsWith(`arn:${partition}:`)).toBe(true);
    const trust = JSON.parse(other.one("aws:iam/role:Role", "aws-nodes-role").inputs.assumeRolePolicy);
    expect(trust.Statement[0].Principal.Service).toBe(`ec2.${dnsSuffix}`);
  });

  it("does as the stack's settings of AWS say, with the cloud's own region and tags first", async () => {
    const roleArn = "arn:aws:iam::123456789012:role/deployer";
    const [other, recording] = await recordWith(
      {
        "aws:profile": "team",
        "aws:region": "eu-west-1",
        "aws:allowedAccountIds": JSON.stringify(["123456789012"]),
        "aws:assumeRoles": JSON.stringify([{ roleArn }]),
        "aws:defaultTags": JSON.stringify({ tags: { team: "mesh", environment: "unknown" } }),
      },
      () => new EksCluster("aws", ARGS),
      AWS,
    );
    const { inputs } = recording.one("pulumi:providers:aws");
    expect(unwrapSecret(inputs.profile)).toBe("team");
    expect(JSON.parse(unwrapSecret(inputs.allowedAccountIds))).toEqual(["123456789012"]);
    expect(JSON.parse(unwrapSecret(inputs.assumeRoles))).toEqual([{ roleArn }]);
    expect(inputs.region).toBe("us-east-1");
    expect(JSON.parse(inputs.defaultTags)).toEqual({ tags: { team: "mesh", environment: "test" } });
    // Who made the cluster is who may use it.
    const kubeconfig = JSON.parse(await valueOf(other.kubeconfig));
    expect(kubeconfig.users[0].user.exec.args.slice(-4)).toEqual([
      "--profile",
      "team",
      "--role-arn",
      roleArn,
    ]);
  });

  const RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule";
  const CLIENTS = { apiServerClients: ["198.51.100.9/32", "203.0.113.0/24"] };

  it("is reached by the API server's public endpoint from anywhere, or from the ranges and the mesh's own callers", async () => {
    const ranges = ["203.0.113.0/24"];
    const [, open] = await build(CLIENTS);
    const [, limited] = await build({ ...CLIENTS, access: { endpoint: "public", ranges } });
    const publicAccess = { endpointPrivateAccess: true, endpointPublicAccess: true };
    expect(open.one("eks:index:Cluster").inputs).toMatchObject({
      ...publicAccess,
      publicAccessCidrs: ["0.0.0.0/0"],
    });
    expect(limited.one("eks:index:Cluster").inputs).toMatchObject({
      ...publicAccess,
      publicAccessCidrs: ["203.0.113.0/24", "198.51.100.9/32"],
    });
    expect(limited.all(RULE)).toEqual([]);
  });

  it("is reached by the private endpoint alone where it is told, from connected networks until nothing is left in it", async () => {
    const [, other] = await build({ ...CLIENTS, access: { endpoint: "private", ranges: ["10.200.0.0/16"] } });
    const { inputs } = other.one("eks:index:Cluster");
    expect(inputs).toMatchObject({ endpointPrivateAccess: true, endpointPublicAccess: false });
    expect(inputs).not.toHaveProperty("publicAccessCidrs");
    const rule = other.one(RULE);
    expect(rule.inputs).toMatchObject({
      securityGroupId: "sg-of-the-cluster",
      cidrIpv4: "10.200.0.0/16",
      fromPort: 443,
      toPort: 443,
      ipProtocol: "tcp",
    });
    expect(other.leavesBefore(other.one("pulumi:providers:kubernetes"), rule)).toBe(true);
  });

  it("tells the address of its NAT gateway, which is known before there is a cluster", async () => {
    expect(await valueOf(cluster.egressCidrs)).toEqual(["198.51.100.10/32"]);
    const address = made.one("aws:ec2/eip:Eip");
    expect(made.one("aws:ec2/natGateway:NatGateway").inputs.allocationId).toBe(`${address.name}-id`);
    expect(made.leavesBefore(address, made.one("eks:index:Cluster"))).toBe(false);
  });

  const STACK = {
    "aws:profile": "team",
    "aws:accessKey": "a-key",
    "aws:assumeRoles": JSON.stringify([{ roleArn: "arn:aws:iam::123456789012:role/of-the-stack" }]),
    "aws:forbiddenAccountIds": JSON.stringify(["999999999999"]),
    "aws:maxRetries": "3",
  };
  const SETTINGS = [
    "profile",
    "accessKey",
    "assumeRoles",
    "allowedAccountIds",
    "forbiddenAccountIds",
    "maxRetries",
  ];
  const ROLE = "arn:aws:iam::210987654321:role/of-the-cloud";

  it.each([
    [
      "a profile, in place of all credentials of the stack",
      { profile: "other" },
      { profile: "other", forbiddenAccountIds: ["999999999999"], maxRetries: 3 },
      ["--profile", "other"],
    ],
    [
      "a role, in place of the stack's",
      { roleArn: ROLE },
      {
        profile: "team",
        accessKey: "a-key",
        assumeRoles: [{ roleArn: ROLE }],
        forbiddenAccountIds: ["999999999999"],
        maxRetries: 3,
      },
      ["--profile", "team", "--role-arn", ROLE],
    ],
    [
      "a role by a profile, in its account alone",
      { profile: "other", roleArn: ROLE, allowedAccountIds: ["210987654321"] },
      {
        profile: "other",
        assumeRoles: [{ roleArn: ROLE }],
        allowedAccountIds: ["210987654321"],
        maxRetries: 3,
      },
      ["--profile", "other", "--role-arn", ROLE],
    ],
  ])("has an account of its own by %s", async (_, account, expected, caller) => {
    const [other, recording] = await recordWith(
      STACK,
      () => new EksCluster("aws", { ...ARGS, account }),
      AWS,
    );
    const { inputs } = recording.one("pulumi:providers:aws");
    const found = SETTINGS.filter((key) => key in inputs).map((key) => {
      const text = pulumi.runtime.isRpcSecret(inputs[key]) ? unwrapSecret(inputs[key]) : inputs[key];
      return [key, /^[[{\d]/.test(text) ? JSON.parse(text) : text] as const;
    });
    expect(Object.fromEntries(found)).toEqual(expected);
    const { args } = JSON.parse(await valueOf(other.kubeconfig)).users[0].user.exec;
    expect(args.slice(args.indexOf("json") + 1)).toEqual(caller);
  });

  it("lets the given administrators do everything in the cluster until nothing is left in it", async () => {
    const principals = ["role/platform", "user/people/ann"].map((who) => `arn:aws:iam::123456789012:${who}`);
    const [, other] = await build({ administrators: principals });
    expect(other.all("aws:eks/accessEntry:AccessEntry").map((r) => r.inputs.principalArn)).toEqual(
      principals,
    );
    const policies = other.all("aws:eks/accessPolicyAssociation:AccessPolicyAssociation");
    expect(policies.map((r) => r.inputs)).toMatchObject(
      principals.map((principalArn) => ({
        principalArn,
        policyArn: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
        accessScope: { type: "cluster" },
      })),
    );
    const provider = other.one("pulumi:providers:kubernetes");
    for (const [index, policy] of policies.entries()) {
      const entry = other.all("aws:eks/accessEntry:AccessEntry")[index]!;
      expect([policy.name, other.leavesBefore(provider, policy)]).toEqual([policy.name, true]);
      expect([policy.name, other.leavesBefore(policy, entry)]).toEqual([policy.name, true]);
    }
    expect(made.all("aws:eks/accessEntry:AccessEntry")).toEqual([]);
  });

  it("runs three t3.medium in private subnets, with encrypted disks and metadata that no pod reaches", () => {
    expect(made.one("aws:eks/nodeGroup:NodeGroup").inputs).toMatchObject({
      instanceTypes: ["t3.medium"],
      scalingConfig: { desiredSize: 3, minSize: 3, maxSize: 3 },
      subnetIds: ["aws-network-private-1-id", "aws-network-private-2-id"],
      amiType: "AL2023_x86_64_STANDARD",
      launchTemplate: { id: "aws-nodes-template-id", version: "7" },
    });
    const template = made.one("aws:ec2/launchTemplate:LaunchTemplate").inputs;
    expect(template.metadataOptions).toMatchObject({ httpTokens: "required", httpPutResponseHopLimit: 1 });
    expect(template.blockDeviceMappings[0].ebs.encrypted).toBe("true");
    expect(template.tagSpecifications[0].tags).toMatchObject({ environment: "test" });
  });

  it.each([
    ["t3.medium", false],
    ["g5.xlarge", false],
    ["a1.large", true],
    ["t4g.medium", true],
    ["c7gn.large", true],
  ])("knows the processor of a %s", (instanceType, arm) => {
    expect(isArm(instanceType)).toBe(arm);
  });

  it("gives the EBS CSI driver a role that its own service account alone can take", () => {
    const driver = addon("aws-ebs-csi-driver");
    expect(driver.inputs.serviceAccountRoleArn).toBe("arn:aws:iam::123456789012:role/a-role");
    const role = made.one("aws:iam/role:Role", "aws-storage-role");
    expect(role.inputs.assumeRolePolicy).toBe(
      webIdentityPolicy(
        "arn:aws:iam::123456789012:oidc-provider/oidc.eks.example/id/ABC",
        "oidc.eks.example/id/ABC",
        "system:serviceaccount:kube-system:ebs-csi-controller-sa",
      ),
    );
    expect(JSON.parse(role.inputs.assumeRolePolicy).Statement[0].Condition.StringEquals).toEqual({
      "oidc.eks.example/id/ABC:aud": "sts.amazonaws.com",
      "oidc.eks.example/id/ABC:sub": "system:serviceaccount:kube-system:ebs-csi-controller-sa",
    });
  });

  it("makes encrypted gp3 the default for volumes, bound where the pod runs, through the cluster's own provider", () => {
    const storageClass = made.one("kubernetes:storage.k8s.io/v1:StorageClass");
    expect(storageClass.inputs).toMatchObject({
      metadata: { annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
      provisioner: "ebs.csi.aws.com",
      parameters: { type: "gp3", encrypted: "true" },
      volumeBindingMode: "WaitForFirstConsumer",
    });
    expect(storageClass.provider).toBe(`${made.one("pulumi:providers:kubernetes").urn}::aws-kubernetes-id`);
  });

  it("gives its kubeconfig to the provider as a secret without a token", async () => {
    expect(await pulumi.isSecret(cluster.kubeconfig)).toBe(true);
    const provider = made.one("pulumi:providers:kubernetes");
    const kubeconfig = JSON.parse(unwrapSecret(provider.inputs.kubeconfig));
    expect(kubeconfig.clusters[0].cluster.server).toBe("https://ABC.eks.example");
    expect(kubeconfig["current-context"]).toBe("aws-cluster");
    expect(Object.keys(kubeconfig.users[0].user)).toEqual(["exec"]);
    expect(provider.inputs.clusterIdentifier).toBe("aws/us-east-1/agentweave-aws");
  });

  it("is torn down from the workloads to the network", () => {
    const provider = made.one("pulumi:providers:kubernetes");
    const group = made.one("aws:eks/nodeGroup:NodeGroup");
    const control = made.one("eks:index:Cluster");
    const order = [
      made.one("kubernetes:storage.k8s.io/v1:StorageClass"),
      provider,
      addon("aws-ebs-csi-driver"),
      group,
      addon("vpc-cni"),
      control,
      made.one("aws:ec2/vpc:Vpc"),
    ];
    order.slice(1).forEach((next, i) => {
      expect([order[i]!.name, made.leavesBefore(order[i]!, next)]).toEqual([order[i]!.name, true]);
    });
    expect(made.leavesBefore(provider, addon("coredns"))).toBe(true);
    expect(made.leavesBefore(group, addon("kube-proxy"))).toBe(true);
    for (const route of made.all("aws:ec2/route:Route")) expect(made.leavesBefore(group, route)).toBe(true);
  });

  it("makes every AWS resource with the provider of its region, below itself", () => {
    const provider = made.one("pulumi:providers:aws");
    expect(provider.inputs.region).toBe("us-east-1");
    expect(JSON.parse(provider.inputs.defaultTags)).toEqual({ tags: { environment: "test" } });
    const root = made.one("agentweave:clouds:EksCluster");
    for (const resource of made.resources.filter((r) => r.type.startsWith("aws:"))) {
      expect([resource.name, resource.provider]).toEqual([resource.name, `${provider.urn}::aws-aws-id`]);
    }
    for (const resource of made.resources.filter((r) => r !== root)) {
      expect([resource.name, resource.parent]).not.toEqual([resource.name, ""]);
    }
  });

  it("asks for an internet-facing NLB", () => {
    expect(cluster.internalLoadBalancerAnnotations).toMatchObject({
      "service.beta.kubernetes.io/aws-load-balancer-internal": "true",
      "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
    });
    expect(cluster.loadBalancerAnnotations).not.toHaveProperty(
      "service.beta.kubernetes.io/aws-load-balancer-internal",
    );
    expect(cluster.loadBalancerAnnotations).toMatchObject({
      "service.beta.kubernetes.io/aws-load-balancer-type": "nlb",
      "service.beta.kubernetes.io/aws-load-balancer-scheme": "internet-facing",
    });
  });

  it("previews when nothing is known yet", async () => {
    const [, preview] = await build({}, { preview: true });
    expect(preview.resources.map((r) => r.type).sort()).toEqual(made.resources.map((r) => r.type).sort());
    expect(preview.one("pulumi:providers:kubernetes").inputs.clusterIdentifier).toBe(
      "aws/us-east-1/agentweave-aws",
    );
  });
});
