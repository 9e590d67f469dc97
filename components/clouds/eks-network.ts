// The VPC of an EKS cluster: private subnets for nodes and pods, public ones for load balancers, in several zones.
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import { subnets } from "../network/cidr";
import { hostRange } from "./access";

/**
 * Zone ids in which EKS makes no control plane (Amazon EKS user guide, "View Amazon EKS networking requirements for VPC
 * and subnets"). They are ids because the letters of zones differ from account to account.
 */
const ZONES_WITHOUT_EKS = ["use1-az3", "usw1-az2", "cac1-az3"];

/** Arguments of {@link EksNetwork}. */
export interface EksNetworkArgs {
  /** Region, which the provider has too; for example `us-east-1`. */
  readonly region: string;
  /** Address range of the VPC in CIDR notation, divided evenly between the subnets. Pods have addresses of it. */
  readonly vpcCidr: string;
  /** Availability zones: how many of the region's, or which. At least 2. */
  readonly zones: number | readonly string[];
  /** Provider of the cluster's account and region. */
  readonly provider: aws.Provider;
}

/** A VPC with a public and a private subnet in each zone, an internet gateway, and a NAT gateway for what is private. */
export class EksNetwork extends pulumi.ComponentResource {
  readonly vpcId: pulumi.Output<string>;
  readonly publicSubnetIds: pulumi.Output<string>[];
  readonly privateSubnetIds: pulumi.Output<string>[];
  /** All route tables of its subnets. */
  readonly routeTableIds: readonly pulumi.Output<string>[];
  /** Range of the NAT gateway's address, which is that of all pods on the internet. */
  readonly egressCidrs: pulumi.Output<readonly string[]>;
  /** What must be there for a node to reach the internet, and so to join the cluster. */
  readonly routes: pulumi.Resource[];

  constructor(name: string, args: EksNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:clouds:EksNetwork", name, {}, opts);
    const self = { parent: this, provider: args.provider };
    const count = typeof args.zones === "number" ? args.zones : args.zones.length;
    const zones = typeof args.zones === "number" ? this.availableZones(args.region, count, self) : args.zones;
    const ranges = subnets(args.vpcCidr, 2 * count);

    const vpc = new aws.ec2.Vpc(
      `${name}-vpc`,
      // EKS needs both DNS settings: nodes find the API server by its private name.
      { cidrBlock: args.vpcCidr, enableDnsHostnames: true, enableDnsSupport: true, tags: { Name: name } },
      self,
    );
    // Nothing may use the VPC's default security group by accident: taken over without rules, it lets nothing through.
    new aws.ec2.DefaultSecurityGroup(`${name}-default-sg`, { vpcId: vpc.id, ingress: [], egress: [] }, self);

    const subnet = (role: "public" | "private", i: number, cidrBlock: string) =>
      new aws.ec2.Subnet(
        `${name}-${role}-${i + 1}`,
        {
          vpcId: vpc.id,
          cidrBlock,
          availabilityZone: pulumi.output(zones).apply((names) => names[i]!),
          tags: {
            Name: `${name}-${role}-${i + 1}`,
            // By these, load balancers find their subnets: internet-facing ones the first, internal ones the second.
            [role === "public" ? "kubernetes.io/role/elb" : "kubernetes.io/role/internal-elb"]: "1",
          },
        },
        self,
      );
    const privateSubnets = ranges.slice(0, count).map((cidr, i) => subnet("private", i, cidr));
    const publicSubnets = ranges.slice(count).map((cidr, i) => subnet("public", i, cidr));

    const gateway = new aws.ec2.InternetGateway(`${name}-igw`, { vpcId: vpc.id, tags: { Name: name } }, self);
    const publicRoutes = this.routeTable(
      `${name}-public`,
      vpc,
      publicSubnets,
      { gatewayId: gateway.id },
      self,
    );

    // One NAT gateway for all zones: a third of the cost of one in each. If its zone fails, nodes of the others run on
    // without a way out until the zone is back.
    const address = new aws.ec2.Eip(
      `${name}-nat`,
      { domain: "vpc", tags: { Name: `${name}-nat` } },
      { ...self, dependsOn: gateway },
    );
    const nat = new aws.ec2.NatGateway(
      `${name}-nat`,
      { subnetId: publicSubnets[0]!.id, allocationId: address.id, tags: { Name: name } },
      { ...self, dependsOn: publicRoutes.settled },
    );
    const privateRoutes = this.routeTable(
      `${name}-private`,
      vpc,
      privateSubnets,
      { natGatewayId: nat.id },
      self,
    );

    this.vpcId = vpc.id;
    this.publicSubnetIds = publicSubnets.map((s) => s.id);
    this.privateSubnetIds = privateSubnets.map((s) => s.id);
    this.routeTableIds = [publicRoutes.tableId, privateRoutes.tableId];
    this.egressCidrs = address.publicIp.apply((ip) => [hostRange(ip)]);
    this.routes = [...publicRoutes.settled, ...privateRoutes.settled];
    this.registerOutputs();
  }

  /** The first `count` zones of the region in which EKS can be. */
  private availableZones(
    region: string,
    count: number,
    opts: pulumi.InvokeOptions,
  ): pulumi.Output<readonly string[]> {
    const available = aws.getAvailabilityZonesOutput(
      {
        region,
        state: "available",
        excludeZoneIds: ZONES_WITHOUT_EKS,
        // Local zones and wavelength zones need an opt-in and have no EKS control plane.
        filters: [{ name: "opt-in-status", values: ["opt-in-not-required"] }],
      },
      opts,
    );
    return available.names.apply((names) => {
      if (names.length < count) {
        throw new pulumi.RunError(
          `${region} has ${names.length} zones for EKS, ${count} are asked for; lower network.zones`,
        );
      }
      return names.slice(0, count);
    });
  }

  /** A route table with the default route to `target`, for all of `subnets`. */
  private routeTable(
    name: string,
    vpc: aws.ec2.Vpc,
    subnets: aws.ec2.Subnet[],
    target: { gatewayId: pulumi.Output<string> } | { natGatewayId: pulumi.Output<string> },
    opts: pulumi.CustomResourceOptions,
  ): { readonly tableId: pulumi.Output<string>; readonly settled: pulumi.Resource[] } {
    const table = new aws.ec2.RouteTable(name, { vpcId: vpc.id, tags: { Name: name } }, opts);
    const route = new aws.ec2.Route(
      name,
      { routeTableId: table.id, destinationCidrBlock: "0.0.0.0/0", ...target },
      opts,
    );
    const associations = subnets.map(
      (s, i) =>
        new aws.ec2.RouteTableAssociation(
          `${name}-${i + 1}`,
          { routeTableId: table.id, subnetId: s.id },
          opts,
        ),
    );
    return { tableId: table.id, settled: [route, ...associations] };
  }
}
