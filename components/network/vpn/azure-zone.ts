// The agents' names in a virtual network: a zone of Azure Private DNS that is linked to it.
import * as privatedns from "@pulumi/azure-native/privatedns";
import * as pulumi from "@pulumi/pulumi";
import type { PrivateNetworkOf } from "../../clouds/private-network";
import { type AgentZoneArgs, RECORD_TTL } from "./zone";

/** A private zone. Zones are of no region: their location is `global`. */
export class AzureZone extends pulumi.ComponentResource {
  constructor(
    name: string,
    { domain, records }: AgentZoneArgs,
    network: PrivateNetworkOf<"azure">,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("agentweave:network:AzureZone", name, {}, opts);
    const self = { parent: this, provider: network.sdk };
    const { resourceGroupName, virtualNetworkId } = network;
    const common = { resourceGroupName, location: "global", tags: { ...network.tags } };
    const zone = new privatedns.PrivateZone(name, { ...common, privateZoneName: domain }, self);
    new privatedns.VirtualNetworkLink(
      `${name}-link`,
      {
        ...common,
        privateZoneName: zone.name,
        virtualNetwork: { id: virtualNetworkId },
        // Machines have no names in it.
        registrationEnabled: false,
      },
      self,
    );
    for (const { label, type, value } of records) {
      const data = pulumi.all([type, value]);
      new privatedns.PrivateRecordSet(
        `${name}-${label}`,
        {
          resourceGroupName,
          privateZoneName: zone.name,
          relativeRecordSetName: label,
          recordType: type,
          ttl: RECORD_TTL,
          aRecords: data.apply(([kind, host]) => (kind === "A" ? [{ ipv4Address: host }] : [])),
          cnameRecord: data.apply(([kind, host]) =>
            kind === "CNAME" ? { cname: host } : (undefined as unknown as { cname: string }),
          ),
        },
        self,
      );
    }
    this.registerOutputs({});
  }
}
