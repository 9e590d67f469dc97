// The agents' names in a network of Google Cloud: a private zone of Cloud DNS.
import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import type { PrivateNetworkOf } from "../../clouds/private-network";
import { type AgentZoneArgs, RECORD_TTL } from "./zone";

/** A private managed zone. Cloud DNS wants absolute names, with a dot at the end. */
export class GcpZone extends pulumi.ComponentResource {
  constructor(
    name: string,
    { domain, records }: AgentZoneArgs,
    network: PrivateNetworkOf<"gcp">,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("agentweave:network:GcpZone", name, {}, opts);
    const self = { parent: this, provider: network.sdk };
    const zone = new gcp.dns.ManagedZone(
      name,
      {
        dnsName: `${domain}.`,
        description: "Agents of the mesh",
        visibility: "private",
        privateVisibilityConfig: { networks: [{ networkUrl: network.networkId }] },
      },
      self,
    );
    for (const { label, type, value } of records) {
      new gcp.dns.RecordSet(
        `${name}-${label}`,
        {
          managedZone: zone.name,
          name: `${label}.${domain}.`,
          type,
          ttl: RECORD_TTL,
          rrdatas: [
            pulumi.all([type, value]).apply(([kind, host]) => (kind === "CNAME" ? `${host}.` : host)),
          ],
        },
        self,
      );
    }
    this.registerOutputs({});
  }
}
