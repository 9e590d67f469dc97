// The agents' names in a VPC: a private hosted zone of Route 53.
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { PrivateNetworkOf } from "../../clouds/private-network";
import { type AgentZoneArgs, RECORD_TTL } from "./zone";

/** A private hosted zone. The VPC has both DNS settings on, without which it would not be asked. */
export class AwsZone extends pulumi.ComponentResource {
  constructor(
    name: string,
    { domain, records }: AgentZoneArgs,
    network: PrivateNetworkOf<"aws">,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("agentweave:network:AwsZone", name, {}, opts);
    const self = { parent: this, provider: network.sdk };
    const zone = new aws.route53.Zone(
      name,
      {
        name: domain,
        comment: "Agents of the mesh",
        vpcs: [{ vpcId: network.vpcId, vpcRegion: network.region }],
      },
      self,
    );
    for (const { label, type, value } of records) {
      new aws.route53.Record(
        `${name}-${label}`,
        { zoneId: zone.zoneId, name: `${label}.${domain}`, type, ttl: RECORD_TTL, records: [value] },
        self,
      );
    }
    this.registerOutputs({});
  }
}
