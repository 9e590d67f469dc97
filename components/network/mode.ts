// How the clouds are connected, as plain values for all layers.
import type { ContainerSize } from "../kubernetes/container";

/**
 * How agents of different clouds reach each other. `tailscale`: every agent is on a tailnet. `vpn`: IPsec tunnels between the clouds'
 * networks, and load balancers inside of them. `direct`: a public load balancer for each role.
 */
export const NETWORK_MODES = ["tailscale", "vpn", "direct"] as const;
export type NetworkMode = (typeof NETWORK_MODES)[number];

/** A tailnet and who looks after it. */
export interface TailscaleSettings {
  /** MagicDNS domain of the tailnet, for example `tail1a2b3c.ts.net`. */
  readonly tailnet: string;
  /** URL of a control server of one's own, such as Headscale. Default: Tailscale's. */
  readonly loginServer?: string;
  /** Whether the program makes keys, policy, DNS settings and the global name of the tailnet. False leaves the tailnet alone. */
  readonly manageTailnet: boolean;
  /** Auth key of agents, where the tailnet is not managed. A secret. */
  readonly authKey?: string;
  /** Auth key of subnet routers, where the tailnet is not managed. A secret. Default: `authKey`. */
  readonly routerAuthKey?: string;
  /** Auth key of observability, where the tailnet is not managed. A secret. Default: `authKey`. */
  readonly observabilityAuthKey?: string;
  /** What devices of a managed tailnet log in with: auth keys that expire, or an OAuth client for each cloud. */
  readonly keys: { readonly kind: "authKey" | "oauthClient"; readonly expiryDays: number };
  /** What becomes of the policy of a managed tailnet: written as a whole, merged into the one that exists, or left alone. */
  readonly policy: "own" | "merge" | "leave";
  /** Who beside agents may call the agents: users, groups or tags of the tailnet's policy. */
  readonly callers: readonly string[];
  /** Whether there is a name under which any cloud's agents answer (a Tailscale Service). */
  readonly global: boolean;
  /** Subnet routers of each cloud. */
  readonly router: { readonly replicas: number; readonly resources?: ContainerSize };
}

/** Tunnels between the clouds' networks. */
export interface VpnSettings {
  /** Private DNS domain of the agents' names: `<cloud>-<role>.<domain>`, for example `mesh.internal`. */
  readonly domain: string;
  /** ASN of the first cloud's gateway, 64512 to 65534. Those of the others follow. */
  readonly firstAsn: number;
}

/** The network between the clouds: a union on `mode`. */
export type NetworkSettings =
  | { readonly mode: "tailscale"; readonly tailscale: TailscaleSettings }
  | { readonly mode: "vpn"; readonly vpn: VpnSettings }
  | { readonly mode: "direct" };
