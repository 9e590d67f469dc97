// What every cloud's bucket for the bundle of a SPIRE server has in common. Types and words only: no cloud's SDK is loaded by it.
import type * as pulumi from "@pulumi/pulumi";
import type { BundlePublisher } from "../spire/bundle-publisher";
import { NAMESPACES, SPIRE_SERVER } from "../well-known";

/** A bucket with one object, that everybody reads and the pods of the cluster's SPIRE server alone write. */
export interface BundleStore {
  readonly publisher: BundlePublisher<pulumi.Input<string>>;
  /** Annotations of the server's ServiceAccount, by which its pods are known to the cloud. */
  readonly annotations: Readonly<Record<string, pulumi.Input<string>>>;
  /** What pods that write, and peers that read, wait for. */
  readonly ready: pulumi.Resource[];
}

/** Annotations of a ServiceAccount by which each cloud knows which identity of its own the pods have. */
export const POD_IDENTITY = {
  aws: "eks.amazonaws.com/role-arn",
  gcp: "iam.gke.io/gcp-service-account",
  azure: "azure.workload.identity/client-id",
} as const;

/** Makes it for the server of a trust domain. */
export type MakeBundleStore = (
  name: string,
  trustDomain: string,
  opts: pulumi.ComponentResourceOptions,
) => BundleStore;

/** Name of the object of a trust domain. */
export const bundleObject = (trustDomain: string) => `${trustDomain}/bundle.json`;

/** Who writes it, as subject of the cluster's tokens. */
export const WRITER = `system:serviceaccount:${NAMESPACES.spireServer}:${SPIRE_SERVER.serviceAccount}`;
