// ProgramRoot: the roots that the program makes itself, and under them an authority for the SPIRE server of each cloud.
import * as pulumi from "@pulumi/pulumi";
import { DynamicResource } from "../dynamic-resource";

interface RootAuthorityArgs {
  /** Name of the trust domain, without `spiffe://`. */
  readonly trustDomain: string;
  /** Its life. A change takes effect on the next root alone. */
  readonly ttlSeconds: number;
}

/** The root of a trust domain: made once. Its key is a secret of the state and goes to no cluster. */
class RootAuthority extends DynamicResource {
  /** PEM. */
  declare readonly certificate: pulumi.Output<string>;
  /** PEM, a secret. */
  declare readonly key: pulumi.Output<string>;
  /** ISO 8601. */
  declare readonly notAfter: pulumi.Output<string>;

  constructor(name: string, args: RootAuthorityArgs, opts?: pulumi.CustomResourceOptions) {
    const props = { ...args, certificate: undefined, key: undefined, notAfter: undefined };
    super("RootAuthority", name, props, ["key"], opts);
  }
}

interface IntermediateAuthorityArgs extends RootAuthorityArgs {
  readonly cloud: string;
  readonly root: RootAuthority;
}

/** The CA with which a cloud's SPIRE server signs its own. The first `up` in the last third of its life signs it anew. */
class IntermediateAuthority extends DynamicResource {
  /** PEM. */
  declare readonly certificate: pulumi.Output<string>;
  /** PEM, a secret. */
  declare readonly key: pulumi.Output<string>;
  /** ISO 8601. */
  declare readonly notBefore: pulumi.Output<string>;
  declare readonly notAfter: pulumi.Output<string>;

  constructor(
    name: string,
    { root, ...args }: IntermediateAuthorityArgs,
    opts?: pulumi.CustomResourceOptions,
  ) {
    const props = {
      ...args,
      rootCertificate: root.certificate,
      rootKey: pulumi.secret(root.key),
      certificate: undefined,
      key: undefined,
      notBefore: undefined,
      notAfter: undefined,
    };
    super("IntermediateAuthority", name, props, ["rootKey", "key"], opts);
  }
}

/** What a SPIRE server gets to sign its CAs with, as PEM. */
export interface UpstreamFiles {
  readonly certificate: pulumi.Output<string>;
  /** A secret. */
  readonly key: pulumi.Output<string>;
  /** The root. */
  readonly bundle: pulumi.Output<string>;
}

/** The life of something that the program signed. Both in seconds. */
export interface SignedLife {
  readonly cloud: string;
  /** Since 1970. */
  readonly endSeconds: number;
  readonly lifeSeconds: number;
}

/** What `ProgramRoot` needs. */
export interface ProgramRootArgs {
  readonly members: readonly { readonly cloud: string; readonly trustDomain: string }[];
  /** Trust domains that have a root already, and no authority yet. Default: none. */
  readonly next?: readonly string[];
  /** Life of a root, in seconds. */
  readonly rootSeconds: number;
  /** Life of a cloud's authority, in seconds. */
  readonly intermediateSeconds: number;
  /** Whether Pulumi refuses to delete or replace them. */
  readonly protect: boolean;
}

/** A root for each trust domain, so that none vouches for another, and an authority for each cloud. */
export class ProgramRoot extends pulumi.ComponentResource {
  readonly #roots = new Map<string, RootAuthority>();
  readonly #authorities = new Map<string, { files: UpstreamFiles; made: IntermediateAuthority }>();

  constructor(name: string, args: ProgramRootArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:trust:ProgramRoot", name, {}, opts);
    const { members, next = [], rootSeconds, intermediateSeconds, protect } = args;
    const self = { parent: this, protect };
    const domains = new Set([...members.map(({ trustDomain }) => trustDomain), ...next]);
    for (const trustDomain of domains)
      this.#roots.set(
        trustDomain,
        new RootAuthority(`${name}-of-${trustDomain}`, { trustDomain, ttlSeconds: rootSeconds }, self),
      );
    for (const { cloud, trustDomain } of members) {
      const root = this.#roots.get(trustDomain)!;
      const made = new IntermediateAuthority(
        `${cloud}-intermediate-authority`,
        { cloud, trustDomain, ttlSeconds: intermediateSeconds, root },
        // Another one is signed at any time; the root is what must stay.
        { parent: this },
      );
      const files = { certificate: made.certificate, key: made.key, bundle: root.certificate };
      this.#authorities.set(cloud, { files, made });
    }
    this.registerOutputs({});
  }

  /** What the SPIRE server of a cloud gets; undefined where it is no member. */
  filesOf(cloud: string): UpstreamFiles | undefined {
    return this.#authorities.get(cloud)?.files;
  }

  /** The root of a trust domain, PEM. */
  certificateOf(trustDomain: string): pulumi.Output<string> {
    return this.#roots.get(trustDomain)!.certificate;
  }

  /** How long each cloud's authority lives, once it is known. */
  get lives(): pulumi.Output<SignedLife[]> {
    const lives = [...this.#authorities].map(([cloud, { made }]) =>
      pulumi.all([made.notBefore, made.notAfter]).apply(([begin, end]): SignedLife => {
        const endSeconds = Date.parse(end) / 1000;
        return { cloud, endSeconds, lifeSeconds: endSeconds - Date.parse(begin) / 1000 };
      }),
    );
    return pulumi.all(lives);
  }
}
