// What the configuration knows of a provider: its fields, and what the provider would refuse.
import { z } from "zod";
import type { NetworkMode } from "../../../components/network/mode";
import type { Platform, Pool } from "../capacity/machine";
import type { Path, Problem } from "../problem";
import type { SupportCalendar } from "./support";
import { cloudSpire } from "../spire";
import { distinct, roleName, text, trustDomain } from "../fields";

/** Fields that every cloud may have, whichever its provider: what it and its agents are known by. */
export const identityFields = {
  trustDomain: trustDomain()
    .optional()
    .meta({
      description: "SPIFFE trust domain of this cloud. Default: <cloud>.<trust.domain>.",
      examples: ["aws.example.org"],
    }),
  context: z
    .string()
    .min(1, { error: "write the name of a kubeconfig context" })
    .optional()
    .meta({
      description: "Name of this cluster's context in kubeconfigs. Default: <cloud>-cluster.",
      examples: ["aws-cluster"],
    }),
  roles: z
    .array(roleName)
    .min(1)
    .check(distinct((role) => role))
    .default(["agent"])
    .meta({
      description:
        "Roles of the agents in this cloud; each has pods and an identity of its own. Default: agent.",
      examples: [["agent", "worker"]],
    }),
  spire: cloudSpire,
  subnetRouter: z.enum(["userspace", "kernel"]).default("userspace").meta({
    description:
      "How this cloud's subnet routers forward, in mode tailscale. userspace: without any privilege; kernel: faster, where the cluster lets pods be privileged. Default: userspace.",
  }),
};

/** Name of the Kubernetes cluster, under the provider's own rule. */
export function clusterName(pattern: RegExp, rule: string) {
  return text(pattern, rule)
    .optional()
    .meta({
      description: `Name of the Kubernetes cluster: ${rule}. Default: agentweave-<cloud>.`,
      examples: ["agentweave-aws"],
    });
}

/** Size of a node pool, `size` being the provider's own word for the machine's kind. */
export function nodePool<S extends z.ZodRawShape>(size: S) {
  const bound = () => z.int().min(1).max(1000).optional();
  return z
    .strictObject({
      count: z.int().min(1).max(1000).default(3).meta({ description: "Number of nodes. Default: 3." }),
      minCount: bound().meta({
        description:
          "Fewest nodes an autoscaler may leave. Given together with maxCount. Default: no autoscaling.",
      }),
      maxCount: bound().meta({
        description:
          "Most nodes an autoscaler may start. Given together with minCount. Default: no autoscaling.",
      }),
      checkCapacity: z.boolean().default(true).meta({
        description:
          "Whether it is a mistake when the mesh's pods have no room on these nodes by the catalogue of machine types, some of whose figures are estimates. Default: true.",
      }),
      ...size,
    })
    .prefault({} as never);
}

/** An address range of a cloud, which must not overlap another one of it, nor one that the network routes to it. */
export interface AddressRange {
  /** From the cloud's own entry, for example `["network", "podCidr"]`. */
  readonly path: Path;
  /** Undefined when the field is missing or cannot be used, which is told elsewhere. */
  readonly cidr: string | undefined;
  /** Network modes that bring other clouds' packets to it, and so to nobody else who has it. Default: none. */
  readonly routed?: readonly NetworkMode[];
}

/** A value of which any part may be missing: absent when it was not written, undefined when it cannot be used. */
export type Draft<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [K in keyof T]?: Draft<T[K]> }
    : T;

/** Whether the field was written but cannot be used, so that nothing can be said of what goes with it. */
export function isUnusable<T extends object>(draft: T, key: keyof T): boolean {
  return key in draft && draft[key] === undefined;
}

/** A gateway that is there already. */
export interface Gateway {
  readonly asn: number;
  readonly addresses: readonly string[];
}

/** One provider. The checks take drafts, so that all mistakes can be told at once: a missing value is never their concern. */
export interface CloudSpec<S extends z.ZodObject> {
  readonly schema: S;
  /** Region of the cloud as the provider writes it. */
  region(cloud: z.output<S>): string;
  /** Its ranges as far as they are known. */
  ranges(cloud: Draft<z.output<S>>): AddressRange[];
  /** Whether these are those of a cluster that is there already. Default: the program makes it with them. */
  readonly rangesAreGiven?: boolean;
  /** Ranges of the public addresses from which its pods come on the internet; undefined for each that is known only once it is made. */
  egressCidrs(cloud: Draft<z.output<S>>): readonly (string | undefined)[];
  /** Ranges that the API server takes at most, by `access.endpoint`. Default: no limit is known, or the API server is not the program's. */
  readonly mostRanges?: Partial<Readonly<Record<"public" | "private", number>>>;
  /** Mistakes in how the entry's fields go together, with paths from the entry. */
  problems(cloud: Draft<z.output<S>>): Problem[];
  /** What the entry lacks for the network of mode `vpn`, with paths from the entry. Default: nothing. */
  vpnProblems?(cloud: Draft<z.output<S>>): Problem[];
  /** The gateway that is there already, as far as it can be used. Default: the program makes one. */
  gateway?(cloud: Draft<z.output<S>>): Gateway | undefined;
  /** Whether pods have addresses that mean nothing outside of their cluster. Default: false. */
  readonly podsInOverlay?: boolean;
  /** Why the provider would refuse this tag and what to write instead, or undefined. */
  refusesTag(key: string, value: string): string | undefined;
  /** What its nodes have room for, and the pools of them, undefined where they cannot be used. Default: the nodes are not the program's. */
  readonly capacity?: {
    readonly platform: Platform;
    pools(cloud: Draft<z.output<S>>): readonly (Pool | undefined)[];
  };
  /** The calendar of `kubernetesVersion`. Default: the version is not the configuration's. */
  readonly support?: SupportCalendar;
  /** Fields that no two clouds of this provider may have alike. Default: none. */
  readonly unique?: readonly (keyof z.output<S> & string)[];
}
