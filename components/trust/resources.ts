// The resources of the trust layer, whose create, read, update and delete are the providers of this folder.
import * as pulumi from "@pulumi/pulumi";
import { DynamicResource } from "../dynamic-resource";
import { serverSpiffeId } from "../../spiffe/spiffe-id";
import type { X509Authority } from "../../spiffe/bundle";
import type { ServedAt, ServerLocation, ServerTarget } from "./server-location";
import type { Partner } from "./partner";
import type { BundleState } from "./providers/federation-relationship";

/** Seconds that a server may take to become healthy, or its endpoint to answer: a new load balancer and its DNS name need minutes. */
const DEFAULT_TIMEOUT_SECONDS = 600;

/** Takes the kubeconfig apart, so that it alone is a secret in the state and the rest of the target stays readable. */
function split(server: ServerTarget): { server: ServerLocation; kubeconfig: pulumi.Output<string> } {
  const { kubeconfig, ...location } = server;
  return { server: location, kubeconfig: pulumi.secret(kubeconfig) };
}

export interface TrustBundleArgs {
  target: ServerTarget;
  /** Longest wait for the server to be healthy, in seconds. Default 600. */
  timeoutSeconds?: number;
  /** The bundle of another server of the same trust domain, with which this one must have an authority in common. Default: nothing is compared. */
  sharedWith?: { readonly cloud: string; readonly bundle: TrustBundle };
  /** The cloud whose server signs this one's CA, which stays so while it stands. Default: none of the mesh does. */
  above?: string;
  /** The trust domain that the server is to have, which the mesh accepts already. Default: it stays. */
  next?: string;
  /** The trust domain that it had, which the mesh still accepts. Default: none. */
  former?: string;
}

/** The bundle of a cloud's SPIRE server: there when the server is healthy and its bundle sound. Reads only; a rotation shows at the next refresh and changes no other resource. */
export class TrustBundle extends DynamicResource {
  declare readonly trustDomain: pulumi.Output<string>;
  /** The bundle in SPIFFE format (JWKS text). Public by nature. */
  declare readonly bundle: pulumi.Output<string>;
  /** SHA-256 (hex) over the sorted DER of its X.509 authorities. */
  declare readonly digest: pulumi.Output<string>;
  /** `spiffe_sequence`; 0 when there is none. */
  declare readonly sequence: pulumi.Output<number>;
  /** When the last of its X.509 authorities expires, ISO 8601. */
  declare readonly expiresAt: pulumi.Output<string>;
  /** Seconds; 0 when the bundle has none. */
  declare readonly refreshHintSeconds: pulumi.Output<number>;
  declare readonly authorities: pulumi.Output<X509Authority[]>;

  constructor(name: string, args: TrustBundleArgs, opts?: pulumi.CustomResourceOptions) {
    const { server, kubeconfig } = split(args.target);
    const props = {
      target: server,
      kubeconfig,
      timeoutSeconds: args.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS,
      ...(args.sharedWith && {
        shared: {
          cloud: args.sharedWith.cloud,
          sha256: args.sharedWith.bundle.authorities.apply((all) => all.map(({ sha256 }) => sha256)),
        },
      }),
      ...(args.above !== undefined && { above: args.above }),
      ...(args.next !== undefined && { next: args.next }),
      ...(args.former !== undefined && { former: args.former }),
      trustDomain: undefined,
      bundle: undefined,
      digest: undefined,
      sequence: undefined,
      expiresAt: undefined,
      refreshHintSeconds: undefined,
      authorities: undefined,
    };
    super("TrustBundle", name, props, ["kubeconfig"], opts);
  }
}

export interface FederationRelationshipArgs extends Pick<ServedAt, "bundleEndpointProfile"> {
  /** The server that shall trust. */
  target: ServerTarget;
  /** The server that shall be trusted. Its trust domain must be another one. */
  source: ServerTarget;
  /** Bundle endpoint of `source` as `target` reaches it: `https://host:port`, with a path where it is an object. */
  bundleEndpointUrl: pulumi.Input<string>;
  /** Longest wait for the servers and for the live endpoint, in seconds. Default 600. */
  timeoutSeconds?: number;
}

/** That `target` trusts the identities of `source`: it has the first bundle from the source's own server, and was seen to fetch from the live endpoint. Adopts what is in place. */
export class FederationRelationship extends DynamicResource {
  /** The source's trust domain. */
  declare readonly trustDomain: pulumi.Output<string>;
  declare readonly bundleEndpointUrl: pulumi.Output<string>;
  declare readonly bundleState: pulumi.Output<BundleState>;
  /** Digest of the bundle stored at the target, as in TrustBundle. */
  declare readonly storedDigest: pulumi.Output<string>;
  /** When a live, authenticated fetch was last proved by an up, ISO 8601. A refresh leaves it as it is. */
  declare readonly verifiedAt: pulumi.Output<string>;

  constructor(name: string, args: FederationRelationshipArgs, opts?: pulumi.CustomResourceOptions) {
    const target = split(args.target);
    const source = split(args.source);
    const props = {
      target: target.server,
      targetKubeconfig: target.kubeconfig,
      source: source.server,
      sourceKubeconfig: source.kubeconfig,
      bundleEndpointUrl: args.bundleEndpointUrl,
      endpointSpiffeId:
        args.bundleEndpointProfile === "https_web" ? "" : serverSpiffeId(args.source.trustDomain),
      timeoutSeconds: args.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS,
      trustDomain: undefined,
      bundleState: undefined,
      storedDigest: undefined,
      verifiedAt: undefined,
    };
    super("FederationRelationship", name, props, ["targetKubeconfig", "sourceKubeconfig"], opts);
  }
}

/** A trust domain that servers accept without an endpoint that would tell of its next authorities. */
export interface AcceptedDomain {
  readonly trustDomain: string;
  /** In SPIFFE format, or certificates as PEM. */
  readonly bundle: pulumi.Input<string>;
}

export interface AcceptedBundleArgs {
  /** The server that shall trust. */
  target: ServerTarget;
  accepted: AcceptedDomain;
  /** Longest wait for the server, in seconds. Default 600. */
  timeoutSeconds?: number;
}

/** That `target` trusts the identities of a trust domain by a bundle that stays as it is given: while the mesh changes its trust domains. */
export class AcceptedBundle extends DynamicResource {
  declare readonly trustDomain: pulumi.Output<string>;
  /** Digest of the bundle stored at the target, as in TrustBundle. */
  declare readonly storedDigest: pulumi.Output<string>;

  constructor(name: string, args: AcceptedBundleArgs, opts?: pulumi.CustomResourceOptions) {
    const { server, kubeconfig } = split(args.target);
    const props = {
      target: server,
      kubeconfig,
      ...args.accepted,
      timeoutSeconds: args.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS,
      storedDigest: undefined,
    };
    super("AcceptedBundle", name, props, ["kubeconfig"], opts);
  }
}

export interface PartnerRelationshipArgs {
  /** The server that shall trust. */
  target: ServerTarget;
  /** Whom it shall trust. */
  partner: Omit<Partner, "name" | "identities">;
  /** Longest wait for the server, and for the partner's endpoint, in seconds. Default 600. */
  timeoutSeconds?: number;
}

/** That `target` trusts the identities of a trust domain outside of the mesh, and was seen to fetch its bundle from the live endpoint. Adopts what is in place. */
export class PartnerRelationship extends DynamicResource {
  declare readonly trustDomain: pulumi.Output<string>;
  /** Digest of the bundle stored at the target, as in TrustBundle. */
  declare readonly storedDigest: pulumi.Output<string>;
  /** When a live, authenticated fetch was last proved by an up, ISO 8601. */
  declare readonly verifiedAt: pulumi.Output<string>;

  constructor(name: string, args: PartnerRelationshipArgs, opts?: pulumi.CustomResourceOptions) {
    const { server, kubeconfig } = split(args.target);
    const { trustDomain, bundleEndpointUrl, endpointSpiffeId = "", bundle = "" } = args.partner;
    const props = {
      target: server,
      kubeconfig,
      trustDomain,
      bundleEndpointUrl,
      endpointSpiffeId,
      bundle,
      timeoutSeconds: args.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS,
      storedDigest: undefined,
      verifiedAt: undefined,
    };
    super("PartnerRelationship", name, props, ["kubeconfig"], opts);
  }
}

/** What makes a server know the bundle of another trust domain: entries name that only after it. */
export type BundleSource = FederationRelationship | PartnerRelationship | AcceptedBundle;

export interface RegistrationEntryArgs {
  /** The server that issues the identity. */
  target: ServerTarget;
  /** `spiffe://<trust domain>/<path>`, in the server's own trust domain. */
  spiffeId: pulumi.Input<string>;
  /** SPIFFE id of the agent or node alias under which the workload runs; the server's own id for a node alias. */
  parentId: pulumi.Input<string>;
  /** `type:value`, for example `k8s:ns:default`; a workload must have all of them. */
  selectors: pulumi.Input<string>[];
  /** Relationships of the same server: the workload receives the bundles of their sources. Default none. */
  federatesWith?: BundleSource[];
  /** Lifetime of X.509-SVIDs in seconds. Default 0, the server's own default. */
  x509SvidTtlSeconds?: pulumi.Input<number>;
  /** Whether it is a SPIRE server, whose CA `target` signs. Default: false. */
  downstream?: boolean;
  /** Longest wait for the server, in seconds. Default 600. */
  timeoutSeconds?: number;
}

/** A registration entry. It names a peer only after that peer's bundle is in place, and leaves before it. Adopts a similar entry. */
export class RegistrationEntry extends DynamicResource {
  /** Id that the server gave the entry. */
  declare readonly entryId: pulumi.Output<string>;
  declare readonly spiffeId: pulumi.Output<string>;

  constructor(name: string, args: RegistrationEntryArgs, opts?: pulumi.CustomResourceOptions) {
    const { server, kubeconfig } = split(args.target);
    const relationships = args.federatesWith ?? [];
    const props = {
      target: server,
      kubeconfig,
      spiffeId: args.spiffeId,
      parentId: args.parentId,
      selectors: args.selectors,
      federatesWith: relationships.map(({ trustDomain }) => trustDomain),
      x509SvidTtlSeconds: args.x509SvidTtlSeconds ?? 0,
      // Not there, rather than false: entries that stand have none.
      ...(args.downstream && { downstream: true }),
      timeoutSeconds: args.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS,
      entryId: undefined,
    };
    const dependent = pulumi.mergeOptions(opts, { dependsOn: relationships });
    super("RegistrationEntry", name, props, ["kubeconfig"], dependent);
  }
}

export interface NodeEntriesArgs {
  /** The server of the nodes' own cluster. */
  target: ServerTarget;
  /** The cluster's name in k8s_psat attestation. */
  clusterName: string;
  /** Longest wait for the server, in seconds. Default 600. */
  timeoutSeconds?: number;
}

/**
 * An entry for each node that a cluster has when it is made: what is registered for the cluster's nodes reaches a SPIRE agent with its first answer. Without, a server
 * learns only afterwards which agents it has attested, and gives a new one nothing for some seconds.
 */
export class NodeEntries extends DynamicResource {
  constructor(name: string, args: NodeEntriesArgs, opts?: pulumi.CustomResourceOptions) {
    const { server, kubeconfig } = split(args.target);
    const { clusterName, timeoutSeconds = DEFAULT_TIMEOUT_SECONDS } = args;
    super(
      "NodeEntries",
      name,
      { target: server, kubeconfig, clusterName, timeoutSeconds },
      ["kubeconfig"],
      opts,
    );
  }
}
