import type * as pulumi from "@pulumi/pulumi";
import type { BundleProfile } from "./fetch-failure";
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

/** From where the servers of other trust domains fetch a server's bundle. */
export interface ServedAt {
  /** `https://host:port`, as they reach it, with a path where it is an object. None is needed within one trust domain. */
  readonly bundleEndpointUrl?: pulumi.Input<string>;
  /** How what answers there proves itself. Default: https_spiffe, with the id of the server. */
  readonly bundleEndpointProfile?: BundleProfile;
}
