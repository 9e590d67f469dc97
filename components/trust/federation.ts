// TrustFederation: every SPIRE server's bundle, and a relationship for each ordered pair of them whose trust domains differ.
import * as pulumi from "@pulumi/pulumi";
import { orderedPairs, type Pair } from "./pairs";
import type { Partner } from "./partner";
import {
  AcceptedBundle,
  type AcceptedDomain,
  type BundleSource,
  FederationRelationship,
  PartnerRelationship,
  TrustBundle,
} from "./resources";
import type { ServedAt, ServerTarget } from "./server-location";

/** One cloud's SPIRE server as a member of the federation. */
export interface FederationMember extends ServedAt {
  /** The cloud's key in the stack's config. */
  name: string;
  target: ServerTarget;
  /** The cloud whose server signs this one's CA. Default: none of the mesh does. */
  above?: string;
  /** The trust domain that it is to have, or had, as in TrustBundle. */
  next?: string;
  former?: string;
  /** What must be there before the server is spoken to, and go after it: its StatefulSet and the Service of its bundle endpoint. */
  dependsOn?: pulumi.Resource[];
}

export interface TrustFederationArgs {
  members: FederationMember[];
  /** Foreign trust domains that every member shall trust. Default: none. */
  partners?: readonly Partner[];
  /** Trust domains that every member accepts besides, while the mesh changes its own. Default: none. */
  accepted?: readonly AcceptedDomain[];
  /** Longest wait of each resource, in seconds. Default 600. */
  timeoutSeconds?: number;
}

/** Federates every member with every other. Those of one trust domain are proven to have a root in common instead. */
export class TrustFederation extends pulumi.ComponentResource {
  /** By the member's name. */
  readonly bundles: Readonly<Record<string, TrustBundle>>;
  /** In the order of `orderedPairs`. */
  readonly relationships: readonly (Pair<string> & { relationship: FederationRelationship })[];

  /** By the member's name: its relationships with partners. */
  readonly #partners: ReadonlyMap<string, readonly PartnerRelationship[]>;
  readonly #accepted: ReadonlyMap<string, readonly AcceptedBundle[]>;
  readonly #members: readonly FederationMember[];

  constructor(name: string, args: TrustFederationArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:trust:TrustFederation", name, {}, opts);
    const { timeoutSeconds } = args;
    this.#members = args.members;
    const bundles: Record<string, TrustBundle> = {};
    const firsts = new Map<string, { cloud: string; bundle: TrustBundle }>();
    for (const { name: member, target, above, next, former, dependsOn } of args.members) {
      const sharedWith = firsts.get(target.trustDomain);
      const bundle = new TrustBundle(
        `${member}-bundle`,
        { target, timeoutSeconds, sharedWith, above, next, former },
        { parent: this, dependsOn },
      );
      bundles[member] = bundle;
      if (sharedWith === undefined) firsts.set(target.trustDomain, { cloud: member, bundle });
    }
    this.bundles = bundles;
    const strangers = orderedPairs(args.members).filter(
      ({ target, source }) => target.target.trustDomain !== source.target.trustDomain,
    );
    this.relationships = strangers.map(({ target, source }) => ({
      target: target.name,
      source: source.name,
      relationship: new FederationRelationship(
        `${target.name}-trusts-${source.name}`,
        {
          target: target.target,
          source: source.target,
          bundleEndpointUrl: source.bundleEndpointUrl!,
          bundleEndpointProfile: source.bundleEndpointProfile,
          timeoutSeconds,
        },
        {
          parent: this,
          dependsOn: [bundles[target.name], bundles[source.name]].filter((bundle) => bundle !== undefined),
        },
      ),
    }));
    const { partners = [], accepted = [] } = args;
    const ofEach = <T>(
      make: (member: string, target: ServerTarget, opts: pulumi.CustomResourceOptions) => T,
    ) =>
      new Map(
        args.members.map(({ name: member, target }) => [
          member,
          make(member, target, { parent: this, dependsOn: [bundles[member]!] }),
        ]),
      );
    this.#accepted = ofEach((member, target, self) =>
      accepted.map(
        (each) =>
          new AcceptedBundle(
            `${member}-accepts-${each.trustDomain}`,
            { target, accepted: each, timeoutSeconds },
            self,
          ),
      ),
    );
    this.#partners = ofEach((member, target, self) =>
      partners.map(
        (partner) =>
          new PartnerRelationship(
            `${member}-trusts-${partner.name}`,
            { target, partner, timeoutSeconds },
            self,
          ),
      ),
    );
    this.registerOutputs({});
  }

  /** The bundles of a member's trust domain, all of which are proven before its server registers anybody. */
  bundlesOf(member: string): TrustBundle[] {
    const domainOf = (name: string) => this.#members.find((each) => each.name === name)?.target.trustDomain;
    return this.#members.flatMap(({ name }) =>
      domainOf(name) === domainOf(member) ? [this.bundles[name]!] : [],
    );
  }

  /** The relationships in which the member `target` trusts others: what its entries may name in `federatesWith`. */
  relationshipsOf(target: string): BundleSource[] {
    return [
      ...this.relationships.filter((pair) => pair.target === target).map(({ relationship }) => relationship),
      ...(this.#accepted.get(target) ?? []),
    ];
  }

  /** The relationships in which the member `target` trusts partners. */
  partnersOf(target: string): readonly PartnerRelationship[] {
    return this.#partners.get(target) ?? [];
  }
}
