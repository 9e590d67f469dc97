// Workloads that the program gives an identity, and whose pods or machines are somebody else's.
import * as pulumi from "@pulumi/pulumi";
import { machineSpiffeId, nodeAliasSpiffeId, serverSpiffeId } from "../../spiffe/spiffe-id";
import type { BundleSource } from "../trust/resources";
import { RegistrationEntry } from "../trust/resources";
import type { ServerTarget } from "../trust/server-location";

/** A workload that the program registers. */
export interface RegisteredWorkload {
  readonly name: string;
  /** Name of its cloud. */
  readonly cloud: string;
  /** Namespace of its pods; undefined where it is on a machine. */
  readonly namespace?: string;
  /** `type:value`; what a machine outside of Kubernetes has, all of it, that it is on. Default: it is in pods. */
  readonly node?: readonly string[];
  /** That of its cloud, without scheme. */
  readonly trustDomain: string;
  readonly spiffeId: string;
  /** `type:value`; its pods, or processes, have all of them. */
  readonly selectors: readonly string[];
}

/** Where a workload is registered. */
export interface WorkloadPlace {
  readonly target: ServerTarget;
  readonly clusterName: string;
  readonly federatesWith: readonly BundleSource[];
}

/** Registers a workload with its cloud's SPIRE server, and the machine that it is on. */
export function registerWorkload(
  { name, cloud, spiffeId, selectors, node }: RegisteredWorkload,
  { target, clusterName, federatesWith }: WorkloadPlace,
  opts: pulumi.CustomResourceOptions,
): RegistrationEntry {
  const { trustDomain } = target;
  const machine =
    node &&
    new RegistrationEntry(
      `${cloud}-workload-${name}-machine`,
      {
        target,
        spiffeId: machineSpiffeId(trustDomain, cloud, name),
        parentId: serverSpiffeId(trustDomain),
        selectors: [...node],
      },
      opts,
    );
  return new RegistrationEntry(
    `${cloud}-workload-${name}-entry`,
    {
      target,
      spiffeId,
      parentId: machine
        ? machineSpiffeId(trustDomain, cloud, name)
        : nodeAliasSpiffeId(trustDomain, clusterName),
      selectors: [...selectors],
      federatesWith: [...federatesWith],
    },
    machine ? pulumi.mergeOptions(opts, { dependsOn: machine }) : opts,
  );
}
