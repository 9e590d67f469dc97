// What the tailnet's policy is made from, and the sections of it that the mesh writes.
import type { ObservabilityPart } from "../part";

/** A cloud as far as the tailnet's policy knows it. */
export interface TailnetCloud {
  readonly name: string;
  /** Ranges of its pods and Services in CIDR notation. */
  readonly podCidr: string;
  readonly serviceCidr: string;
}

/** What decides the policy. */
export interface PolicyArgs {
  readonly clouds: readonly TailnetCloud[];
  /** Users, groups and tags who may call the agents. */
  readonly callers: readonly string[];
  /** Whether agents answer under a common name. */
  readonly global: boolean;
  /** By cloud, its part in observability. Default: there is none. */
  readonly parts?: ReadonlyMap<string, ObservabilityPart>;
}

/** Who may send what to whom. `ip` has entries `protocol:port` (https://tailscale.com/docs/reference/syntax/grants). */
export interface Grant {
  readonly src: readonly string[];
  readonly dst: readonly string[];
  readonly ip: readonly string[];
}

/** What Tailscale checks before it takes a policy: destinations are `selector:port`. */
export interface PolicyTest {
  readonly src: string;
  readonly proto: "tcp";
  readonly accept?: readonly string[];
  readonly deny?: readonly string[];
}

/** The sections that the mesh needs (https://tailscale.com/docs/reference/syntax/policy-file). */
export interface TailnetPolicy {
  readonly tagOwners: Readonly<Record<string, readonly string[]>>;
  readonly autoApprovers: {
    /** By range: who may route it without being asked. */
    readonly routes: Readonly<Record<string, readonly string[]>>;
    /** By name of a Tailscale Service: who may answer under it. */
    readonly services: Readonly<Record<string, readonly string[]>>;
  };
  readonly grants: readonly Grant[];
  readonly tests: readonly PolicyTest[];
}
