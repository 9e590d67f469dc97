// A cluster that is already there, in the configuration: kind, on-premises, any other cloud.
import { z } from "zod";
import { cidr, text } from "../fields";
import { clusterName, identityFields, type CloudSpec } from "./spec";

const schema = z
  .strictObject({
    provider: z.literal("existing"),
    ...identityFields,
    clusterName: clusterName(
      /^[0-9A-Za-z][A-Za-z0-9_.-]{0,99}$/,
      "at most 100 letters, digits, dots, dashes and underscores, a letter or digit first",
    ),
    kubeconfig: z
      .string()
      .min(1, { error: "write the path of a kubeconfig file" })
      .meta({
        description:
          "Path of a kubeconfig file: absolute, from the home directory (~/…) or from the project's directory. Required.",
        examples: ["~/.kube/config"],
      }),
    region: text(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "a DNS label such as us-east-1").meta({
      description: "Region the cluster is in, a DNS label. Required.",
      examples: ["us-east-1"],
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
    storageClass: text(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, "the name of a StorageClass")
      .optional()
      .meta({
        description: "StorageClass of volumes. Default: the cluster's default class.",
        examples: ["standard"],
      }),
  })
  .meta({
    title: "Existing cluster",
    description: "A Kubernetes cluster that is reached with a kubeconfig.",
  });

/** A cluster that is already there. */
export const existing: CloudSpec<typeof schema> = {
  schema,
  region: (cloud) => cloud.region,
  ranges: (cloud) => [
    { path: ["podCidr"], cidr: cloud.podCidr },
    { path: ["serviceCidr"], cidr: cloud.serviceCidr },
  ],
  problems: () => [],
  // No cloud resource is made, so none is tagged.
  refusesTag: () => undefined,
};
