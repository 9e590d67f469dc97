// What of a plan lasts longest to make, and what is paid for by the hour. Nothing is here without a source.

/** Where a fact is from. */
interface Source {
  readonly url: string;
  /** Of the text, or since when its price holds: `2026-09-20`, or as much of it as is known. */
  readonly date: string;
}

/** What is known of a type of resource. */
export interface Cost {
  readonly what: string;
  /** How long one takes to be made, from and to, in minutes. */
  readonly minutes?: readonly [number, number];
  /** List price of one in USD per hour, in `region` where it is not the same everywhere. */
  readonly usdPerHour?: number;
  readonly region?: string;
  /** What is paid for beside it. */
  readonly besides?: string;
  readonly sources: readonly Source[];
}

const CLOUD_NAT = { url: "https://cloud.google.com/nat/pricing", date: "2026-10-16" };

/** By Pulumi's type token. Nodes, disks, load balancers depend on more than their type, and are not here. */
const COSTS: Readonly<Record<string, Cost>> = {
  "aws:ec2/natGateway:NatGateway": {
    what: "NAT gateway",
    usdPerHour: 0.045,
    region: "us-east-2",
    besides: "0.045 USD per GB",
    sources: [{ url: "https://aws.amazon.com/vpc/pricing/", date: "2026-09-20" }],
  },
  "azure-native:network:VirtualNetworkGateway": {
    what: "Azure VPN gateway",
    minutes: [30, 60],
    sources: [
      {
        url: "https://www.pulumi.com/docs/reference/pkg/azure/network/virtualnetworkgateway",
        date: "2025-11-20",
      },
    ],
  },
  "eks:index:Cluster": {
    what: "EKS cluster",
    minutes: [10, 15],
    usdPerHour: 0.1,
    besides: "0.50 USD per hour once its version is in extended support",
    sources: [
      {
        url: "https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html",
        date: "2026-11-30",
      },
      {
        url: "https://aws.amazon.com/blogs/containers/amazon-eks-extended-support-for-kubernetes-versions-pricing/",
        date: "2024-04-01",
      },
    ],
  },
  "gcp:compute/address:Address": {
    what: "external address of Cloud NAT",
    usdPerHour: 0.005,
    sources: [CLOUD_NAT],
  },
  "gcp:compute/routerNat:RouterNat": {
    what: "Cloud NAT",
    besides: "0.0014 USD per hour and node up to 32 of them, 0.045 USD per GiB",
    region: "us-central1",
    sources: [CLOUD_NAT],
  },
  "gcp:container/cluster:Cluster": {
    what: "GKE cluster",
    usdPerHour: 0.1,
    besides: "one zonal cluster per billing account is free",
    sources: [{ url: "https://cloud.google.com/kubernetes-engine/pricing", date: "2020-06-06" }],
  },
};

/** What is known of a type, and how many there are. */
export interface CostNote extends Cost {
  readonly type: string;
  readonly count: number;
}

/**
 * What is known of a plan's resources: first what lasts longest to make, then what costs most.
 *
 * @param counts how many the plan has, by Pulumi's type token. Types that nothing is known of are left out.
 */
export function notesOn(counts: Readonly<Record<string, number>>): CostNote[] {
  return Object.entries(COSTS)
    .map(([type, cost]) => ({ ...cost, type, count: counts[type] ?? 0 }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => longest(b) - longest(a) || hourly(b) - hourly(a) || (a.what < b.what ? -1 : 1));
}

const longest = ({ minutes }: Cost) => minutes?.[1] ?? 0;
const hourly = ({ usdPerHour = 0, count }: CostNote) => usdPerHour * count;
