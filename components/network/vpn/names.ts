// The names of agents inside of the tunnels: in each cloud's network a private DNS zone with those of all clouds.
import { isIP } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../clouds/cluster";
import { agentName } from "../../well-known";
import type { VpnSettings } from "../mode";
import { createZone } from "./providers";
import { AgentRecord } from "./zone";

/** The load balancer of the agents of one role in one cloud. */
export interface NamedAgent {
  readonly cloud: string;
  readonly role: string;
  /** Host name or IP address. */
  readonly host: pulumi.Output<string>;
}

/** What a load balancer's host is in DNS. IPv6 addresses are none: the tunnels carry IPv4. */
export function recordType(host: string): "A" | "CNAME" {
  return isIP(host) === 4 ? "A" : "CNAME";
}

/** What `AgentNames` needs. */
export interface AgentNamesArgs {
  readonly clusters: readonly Cluster[];
  readonly agents: readonly NamedAgent[];
  readonly settings: VpnSettings;
}

/** Makes `<cloud>-<role>.<domain>` known in every cloud's network, but for networks of others, who have the records to do it. */
export class AgentNames extends pulumi.ComponentResource {
  readonly records: readonly AgentRecord[];

  constructor(name: string, args: AgentNamesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:network:AgentNames", name, {}, opts);
    this.records = args.agents.map(({ cloud, role, host }) => ({
      label: agentName(cloud, role),
      type: host.apply(recordType),
      value: host,
    }));
    const zone = { domain: args.settings.domain, records: this.records };
    for (const { name: cloud, privateNetwork } of args.clusters) {
      if (privateNetwork) createZone(`${cloud}-names`, zone, privateNetwork, { parent: this });
    }
    this.registerOutputs({});
  }
}
