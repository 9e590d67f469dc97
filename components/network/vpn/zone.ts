// What a private DNS zone of any provider holds.
import type * as pulumi from "@pulumi/pulumi";

/** A record of the zone. */
export interface AgentRecord {
  /** First label of the name, for example `aws-agent`. */
  readonly label: string;
  /** `CNAME` for the load balancers of AWS, whose public DNS names resolve to addresses of the VPC from everywhere. */
  readonly type: pulumi.Output<"A" | "CNAME">;
  readonly value: pulumi.Output<string>;
}

/** What a zone of any provider is made of. */
export interface AgentZoneArgs {
  /** The zone's name, for example `mesh.internal`. */
  readonly domain: string;
  readonly records: readonly AgentRecord[];
}

/**
 * Seconds that a record may be remembered: a load balancer that is made anew has another address. AWS's own records for load balancers
 * have 60, too.
 */
export const RECORD_TTL = 60;
