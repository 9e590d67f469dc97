// The one list of providers that a cloud of the configuration can have.
import type { KubeconfigSource } from "../../../components/clouds/kubeconfig-source";
import { z } from "zod";
import { aws } from "./aws";
import { azure } from "./azure";
import { existing } from "./existing";
import { gcp } from "./gcp";

/** Every provider by the word that `provider` is in a cloud's entry. */
export const PROVIDERS = { aws, gcp, azure, existing } as const;

/** A cloud's entry as it is written. */
export const cloudSchema = z.discriminatedUnion("provider", [
  PROVIDERS.aws.schema,
  PROVIDERS.gcp.schema,
  PROVIDERS.azure.schema,
  PROVIDERS.existing.schema,
]);

/** A cloud's entry with its defaults filled in. */
export type CloudEntry = z.output<typeof cloudSchema>;

/** What is settled for every cloud once the whole configuration is read. */
export interface CloudIdentity {
  /** The cloud's key in the `clouds` map. */
  readonly name: string;
  /** Region as the cloud writes it, for example `us-east-1`, `us-central1`, `eastus`. */
  readonly region: string;
  /** Name of the Kubernetes cluster. */
  readonly clusterName: string;
  /** Name of the cluster's context in kubeconfigs. */
  readonly context: string;
  /** SPIFFE trust domain of the cloud. Unique in the mesh. */
  readonly trustDomain: string;
  /** Its trust domain by `trust.next` or `trust.former`, where that is another one. */
  readonly otherTrustDomain?: string;
}

type Settled<Entry> = Entry extends CloudEntry
  ? Readonly<Omit<Entry, keyof CloudIdentity | "kubeconfig">> &
      CloudIdentity &
      (Entry extends { provider: "existing" } ? { readonly kubeconfig: KubeconfigSource } : unknown)
  : never;

/** One cloud, ready for use: a union on `provider`. The kubeconfig of an existing cluster is an absolute path, or another stack's output. */
export type CloudConfig = Settled<CloudEntry>;

/** The cloud of one provider, for example `CloudConfigOf<"aws">`. */
export type CloudConfigOf<P extends CloudConfig["provider"]> = Extract<CloudConfig, { provider: P }>;
