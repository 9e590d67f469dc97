// A cluster that is already there, in the configuration: kind, on-premises, any other cloud.
import { z } from "zod";
import { contains, isCidr } from "../../../components/network/cidr";
import { cidr, secret, text } from "../fields";
import type { Problem } from "../problem";
import { specialRangeOf } from "../special-ranges";
import { type AddressRange, clusterName, identityFields, type CloudSpec, type Draft } from "./spec";

/**
 * What every provider takes as a pre-shared key (AWS Site-to-Site VPN user guide, "Tunnel options": 8 to 64 letters, digits, dots and
 * underscores, no zero first).
 */
const SHARED_KEY = /^(?!0)[A-Za-z0-9._]{8,64}$/;

const vpn = z.strictObject({
  gatewayAddresses: z
    .array(z.string())
    .min(1)
    .max(2)
    .optional()
    .meta({
      description:
        "Public IPv4 addresses of the cluster's VPN gateway, one or two; a cloud of Azure needs two. Required in mode vpn.",
      examples: [["198.51.100.7", "198.51.100.8"]],
    }),
  asn: z
    .int()
    .min(1)
    .max(4294967294)
    .meta({
      description: "ASN of that gateway's BGP speaker. No other gateway may have it. Required in mode vpn.",
      examples: [64600],
    }),
  sharedKey: secret().optional().meta({
    description:
      "Pre-shared key of all its tunnels, 8 to 64 letters, digits, dots and underscores, no 0 first. A secret: pulumi config set --secret --path. Default: one is made for each tunnel.",
  }),
  ranges: z
    .array(cidr())
    .default([])
    .meta({
      description:
        "Ranges beside podCidr that the gateway advertises: those of nodes, where they hide their pods' addresses, and of load balancers. Default: none.",
      examples: [["10.3.0.0/24"]],
    }),
});

const toleration = z.strictObject({
  key: text(/^([a-z0-9.-]+\/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/, "a taint's key such as dedicated")
    .optional()
    .meta({
      description: "Key of the taint. Default, with operator Exists: any.",
      examples: ["dedicated"],
    }),
  operator: z.enum(["Exists", "Equal"]).default("Equal").meta({
    description: "Whether the taint's value matters. Default: Equal, which it does.",
  }),
  value: text(/^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/, "a taint's value such as agents")
    .optional()
    .meta({
      description: "Value of the taint, with operator Equal. Default: empty.",
      examples: ["agents"],
    }),
  effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]).optional().meta({
    description: "Effect of the taint. Default: any.",
  }),
  tolerationSeconds: z.int().min(0).optional().meta({
    description:
      "Seconds for which a pod stays on a node that gets the taint, with effect NoExecute. Default: for ever.",
  }),
});

/** Names of Pulumi's organizations, projects and stacks, which have no slash. */
const stackOutput = z.strictObject({
  stack: text(
    /^[A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+$/,
    "organization/project/stack such as example/clusters/prod",
  ),
  output: text(/^[^.\s]+(\.[^.\s]+)*$/, "the name of an output such as kubeconfig, or kubeconfigs.onprem"),
});

const schema = z
  .strictObject({
    provider: z.literal("existing"),
    ...identityFields,
    clusterName: clusterName(
      /^[0-9A-Za-z][A-Za-z0-9_.-]{0,99}$/,
      "at most 100 letters, digits, dots, dashes and underscores, a letter or digit first",
    ),
    kubeconfig: z
      .union([z.string().min(1), stackOutput], {
        error:
          "write the path of a kubeconfig file, or the output of another stack such as {stack: organization/clusters/prod, output: kubeconfig}",
      })
      .meta({
        description:
          "Path of a kubeconfig file: absolute, from the home directory (~/…) or from the project's directory. Or the output of another stack that is a kubeconfig: {stack: organization/project/stack, output: name}, name.key for one of a map. Required.",
        examples: ["~/.kube/config", { stack: "example/clusters/prod", output: "kubeconfigs.onprem" }],
      }),
    region: text(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "a DNS label such as us-east-1").meta({
      description: "Region the cluster is in, a DNS label. Required.",
      examples: ["us-east-1"],
    }),
    kubernetesVersion: text(/^1\.[0-9]+$/, 'a minor version in quotes such as "1.32"')
      .optional()
      .meta({
        description:
          "Kubernetes minor version of its oldest node, in quotes. Needed below 1.33, where kubelets know no permission narrower than nodes/proxy. Default: 1.33 or newer.",
        examples: ["1.32"],
      }),
    podCidr: cidr().meta({
      description: "Range of the cluster's pods. Required.",
      examples: ["10.244.0.0/16"],
    }),
    serviceCidr: cidr().meta({
      description: "Range of the cluster's services. Required.",
      examples: ["10.96.0.0/16"],
    }),
    loadBalancer: z
      .strictObject({
        annotations: z
          .record(z.string(), z.string())
          .default({})
          .meta({ description: "Annotations for Services of type LoadBalancer. Default: none." }),
        class: z
          .string()
          .min(1, { error: "write a load balancer class" })
          .optional()
          .meta({
            description: "loadBalancerClass for such Services. Default: the cluster's.",
            examples: ["service.k8s.aws/nlb"],
          }),
      })
      .prefault({})
      .meta({ description: "How the cluster gives a Service an address that other clouds can reach." }),
    egressCidrs: z
      .array(cidr())
      .min(1)
      .optional()
      .meta({
        description:
          "Ranges of the public addresses from which its pods come on the internet. Needed where it is observability.home and another cloud's access has ranges, to which these are added. Default: not known.",
        examples: [["198.51.100.7/32"]],
      }),
    vpn: vpn.optional().meta({ description: "The gateway by which the cluster joins the VPN." }),
    storageClass: text(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, "the name of a StorageClass")
      .optional()
      .meta({
        description: "StorageClass of volumes. Default: the cluster's default class.",
        examples: ["standard"],
      }),
    kubeletDirectory: text(/^(\/[A-Za-z0-9][A-Za-z0-9._-]*)+$/, "an absolute path such as /var/lib/kubelet")
      .optional()
      .meta({
        description:
          "Root directory of the kubelets on the nodes, where pods' identities are mounted. k0s: /var/lib/k0s/kubelet; MicroK8s: /var/snap/microk8s/common/var/lib/kubelet. Default: /var/lib/kubelet.",
        examples: ["/var/lib/k0s/kubelet"],
      }),
    tolerations: z
      .array(toleration)
      .default([])
      .meta({
        description:
          "Taints of nodes that all pods of the mesh tolerate, as Kubernetes writes tolerations. SPIRE agents and the CSI driver tolerate every taint. Default: none.",
        examples: [[{ key: "dedicated", value: "agents", effect: "NoSchedule" }]],
      }),
  })
  .meta({
    title: "Existing cluster",
    description: "A Kubernetes cluster that is reached with a kubeconfig.",
  });

/** What Kubernetes would refuse, pod by pod (pkg/apis/core/validation, `ValidateTolerations`). */
function tolerationProblems(tolerations: readonly Partial<z.output<typeof toleration>>[]): Problem[] {
  return tolerations.flatMap(({ key, operator, value, effect, tolerationSeconds }, index) => {
    const at = (field: string, message: string): Problem[] => [
      { path: ["tolerations", index, field], message },
    ];
    return [
      ...(operator === "Equal" && key === undefined
        ? at("key", "is missing; write the taint's key, or operator: Exists to tolerate every taint")
        : []),
      ...(operator === "Exists" && value !== undefined
        ? at("value", "is set beside operator: Exists, which takes any; remove it, or write operator: Equal")
        : []),
      ...(tolerationSeconds !== undefined && effect !== "NoExecute"
        ? at("tolerationSeconds", "is set without effect: NoExecute; write that beside it, or remove it")
        : []),
    ];
  });
}

function problems({ tolerations = [], ...cloud }: Draft<z.output<typeof schema>>): Problem[] {
  // Items that cannot be used have left holes.
  const usable = tolerations.map((item) => item ?? {});
  return [...tolerationProblems(usable), ...gatewayProblems(cloud)];
}

function gatewayProblems({ vpn = {} }: Pick<Draft<z.output<typeof schema>>, "vpn">): Problem[] {
  const addresses = vpn.gatewayAddresses ?? [];
  const ofAddresses = addresses.flatMap((address, index) => {
    const path = ["vpn", "gatewayAddresses", index];
    const shown = JSON.stringify(address);
    const special = isCidr(`${address}/32`) ? specialRangeOf(address) : undefined;
    if (special !== undefined || !isCidr(`${address}/32`)) {
      const why = special === undefined ? "" : `, of ${special.cidr}, which is for ${special.use}`;
      return [{ path, message: `is ${shown}${why}; write a public IPv4 address such as 198.51.100.7` }];
    }
    return addresses.indexOf(address) === index
      ? []
      : [{ path, message: `is ${shown} a second time; write another address or remove it` }];
  });
  if (vpn.sharedKey === undefined || SHARED_KEY.test(vpn.sharedKey)) return ofAddresses;
  // Never shown, not even where it is wrong.
  const message = "cannot be used; write 8 to 64 letters, digits, dots and underscores, no 0 first";
  return [...ofAddresses, { path: ["vpn", "sharedKey"], message }];
}

/** Whether a range of the gateway is advertised with podCidr. */
const isOfPods = ({ podCidr }: Draft<z.output<typeof schema>>, range: string) =>
  podCidr !== undefined && contains(podCidr, range);

function vpnProblems(cloud: Draft<z.output<typeof schema>>): Problem[] {
  const { vpn = {}, podCidr } = cloud;
  const missing = (key: "gatewayAddresses" | "asn", instead: string): Problem[] =>
    key in vpn
      ? []
      : [
          {
            path: ["vpn", key],
            message: `is missing, which mode vpn needs; write ${instead}, or choose another network.mode`,
          },
        ];
  return [
    ...missing(
      "gatewayAddresses",
      "the addresses of the cluster's VPN gateway such as [198.51.100.7, 198.51.100.8]",
    ),
    ...missing("asn", "the ASN of the cluster's VPN gateway such as 64600"),
    ...(vpn.ranges ?? []).flatMap((range, index) =>
      isOfPods(cloud, range)
        ? [
            {
              path: ["vpn", "ranges", index],
              message: `${range} is of podCidr (${podCidr}), which is advertised in any case; remove it`,
            },
          ]
        : [],
    ),
  ];
}

/** A cluster that is already there. */
export const existing: CloudSpec<typeof schema> = {
  schema,
  region: (cloud) => cloud.region,
  ranges: (cloud) => [
    { path: ["podCidr"], cidr: cloud.podCidr, routed: ["tailscale", "vpn"] },
    { path: ["serviceCidr"], cidr: cloud.serviceCidr, routed: ["tailscale"] },
    ...(cloud.vpn?.ranges ?? []).flatMap((cidr, index): AddressRange[] =>
      isOfPods(cloud, cidr) ? [] : [{ path: ["vpn", "ranges", index], cidr, routed: ["vpn"] }],
    ),
  ],
  rangesAreGiven: true,
  egressCidrs: ({ egressCidrs = [] }) => egressCidrs,
  problems,
  vpnProblems,
  gateway: ({ vpn }) =>
    vpn?.asn === undefined || vpn.gatewayAddresses === undefined
      ? undefined
      : { asn: vpn.asn, addresses: vpn.gatewayAddresses },
  // No cloud resource is made, so none is tagged.
  refusesTag: () => undefined,
};
