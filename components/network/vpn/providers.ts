// The ends that a VPN can have: what makes a gateway and a private DNS zone of each provider.
import type * as pulumi from "@pulumi/pulumi";
import type { PrivateNetwork } from "../../clouds/private-network";
import type { VpnGateway, VpnGatewayArgs } from "./gateway";
import type { AgentZoneArgs } from "./zone";

type GatewayClass<N> = new (
  name: string,
  args: VpnGatewayArgs,
  network: N,
  opts?: pulumi.ComponentResourceOptions,
) => VpnGateway;

type ZoneClass<N> = new (
  name: string,
  args: AgentZoneArgs,
  network: N,
  opts?: pulumi.ComponentResourceOptions,
) => pulumi.ComponentResource;

/* eslint-disable @typescript-eslint/no-require-imports -- As in components/clouds: an SDK is loaded only by the stacks that use it. */
const GATEWAYS = {
  aws: () => (require("./aws") as typeof import("./aws")).AwsVpnGateway,
  gcp: () => (require("./gcp") as typeof import("./gcp")).GcpVpnGateway,
  azure: () => (require("./azure") as typeof import("./azure")).AzureVpnGateway,
  existing: () => (require("./existing") as typeof import("./existing")).ExistingVpnGateway,
} satisfies Record<PrivateNetwork["provider"], () => GatewayClass<never>>;

const ZONES = {
  aws: () => (require("./aws-zone") as typeof import("./aws-zone")).AwsZone,
  gcp: () => (require("./gcp-zone") as typeof import("./gcp-zone")).GcpZone,
  azure: () => (require("./azure-zone") as typeof import("./azure-zone")).AzureZone,
  // Its owner has the records from the stack's outputs.
  existing: undefined,
} satisfies Record<PrivateNetwork["provider"], (() => ZoneClass<never>) | undefined>;
/* eslint-enable @typescript-eslint/no-require-imports */

/** Makes the gateway of a cloud's network. */
export function createGateway(
  name: string,
  args: VpnGatewayArgs,
  network: PrivateNetwork,
  opts?: pulumi.ComponentResourceOptions,
): VpnGateway {
  const GatewayOfProvider: GatewayClass<never> = GATEWAYS[network.provider]();
  // The table pairs each provider with the class that takes its network, which the compiler cannot follow.
  return new GatewayOfProvider(name, args, network as never, opts);
}

/** Makes the private DNS zone of a cloud's network, where there can be one. */
export function createZone(
  name: string,
  args: AgentZoneArgs,
  network: PrivateNetwork,
  opts?: pulumi.ComponentResourceOptions,
): void {
  const ZoneOfProvider: ZoneClass<never> | undefined = ZONES[network.provider]?.();
  if (ZoneOfProvider !== undefined) new ZoneOfProvider(name, args, network as never, opts);
}
