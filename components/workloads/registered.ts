// Workloads that the program gives an identity, and whose pods are somebody else's.
import type * as pulumi from "@pulumi/pulumi";
import { nodeAliasSpiffeId } from "../../spiffe/spiffe-id";
import type { BundleSource } from "../trust/resources";
import { RegistrationEntry } from "../trust/resources";
import type { ServerTarget } from "../trust/server-location";

/** A workload that the program registers. */
export interface RegisteredWorkload {
  readonly name: string;
  /** Name of its cloud. */
  readonly cloud: string;
  /** Namespace of its pods. */
  readonly namespace: string;
  /** That of its cloud, without scheme. */
  readonly trustDomain: string;
  readonly spiffeId: string;
  /** `type:value`; its pods have all of them. */
  readonly selectors: readonly string[];
}

/** Where a workload is registered. */
export interface WorkloadPlace {
  readonly target: ServerTarget;
  readonly clusterName: string;
  readonly federatesWith: readonly BundleSource[];
}

/** Registers a workload with its cloud's SPIRE server. */
export function registerWorkload(
  { name, cloud, spiffeId, selectors }: RegisteredWorkload,
  { target, clusterName, federatesWith }: WorkloadPlace,
  opts: pulumi.CustomResourceOptions,
): RegistrationEntry {
  return new RegistrationEntry(
    `${cloud}-workload-${name}-entry`,
    {
      target,
      spiffeId,
      parentId: nodeAliasSpiffeId(target.trustDomain, clusterName),
      selectors: [...selectors],
      federatesWith: [...federatesWith],
    },
    opts,
  );
}
