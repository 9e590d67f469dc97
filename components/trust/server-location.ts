import type * as pulumi from "@pulumi/pulumi";
import type { PodLocation } from "./pod-location";

/** Where a SPIRE server is, and whose identities it issues. */
export interface ServerLocation extends PodLocation {
  /** Name of its trust domain, without `spiffe://`. */
  trustDomain: string;
}

/** A SPIRE server, and the credentials to reach it. */
export interface ServerTarget extends ServerLocation {
  /** Kubeconfig text of the server's cluster. Kept as a Pulumi secret. */
  kubeconfig: pulumi.Input<string>;
}
