// The network between the clouds, in the configuration.
import { z } from "zod";
import { NETWORK_MODES, type NetworkSettings } from "../../components/network/mode";
import { PRIVATE_ASNS } from "../../components/network/vpn/allocation";
import { ROUTER_SIZE } from "../../components/network/tailscale/sizes";
import type { Draft } from "./clouds/spec";
import { distinct, secret, text } from "./fields";
import type { Problem } from "./problem";
import { resources } from "./resources";

/** A DNS name of two labels or more, lower case (RFC 1035). */
const DOMAIN = /^(?=.{1,200}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;

const tailscale = z
  .strictObject({
    tailnet: text(DOMAIN, "the tailnet's MagicDNS domain such as tail1a2b3c.ts.net")
      .optional()
      .meta({
        description:
          "MagicDNS domain of the tailnet, from the DNS page of its admin console. Required in mode tailscale.",
        examples: ["tail1a2b3c.ts.net"],
      }),
    loginServer: text(
      /^https?:\/\/[^\s/?#@]+\/?$/,
      "a URL without a path such as https://headscale.example.org",
    )
      .optional()
      .meta({
        description:
          "URL of a control server of your own, such as Headscale; with manageTailnet: false. Default: Tailscale's.",
        examples: ["https://headscale.example.org"],
      }),
    manageTailnet: z.boolean().default(true).meta({
      description:
        "Whether the program makes the tailnet's keys, policy, DNS settings and global name, with the credentials of Pulumi's Tailscale provider. Default: true.",
    }),
    authKey: secret().optional().meta({
      description:
        "Auth key of the agents, reusable and ephemeral, where manageTailnet is false. A secret: pulumi config set --secret --path. Default: none.",
    }),
    routerAuthKey: secret().optional().meta({
      description:
        "Auth key of the subnet routers, where manageTailnet is false. A secret. Default: authKey.",
    }),
    observabilityAuthKey: secret().optional().meta({
      description: "Auth key of observability, where manageTailnet is false. A secret. Default: authKey.",
    }),
    keys: z
      .strictObject({
        kind: z.enum(["authKey", "oauthClient"]).default("oauthClient").meta({
          description:
            "What devices log in with. oauthClient: OAuth clients that may make keys for one tag, and do not expire; authKey: keys that expire. Default: oauthClient.",
        }),
        expiryDays: z.int().min(1).max(90).default(90).meta({
          description:
            "Days until an auth key expires, 1 to 90, with kind authKey. The first pulumi up in each half of that time makes new ones: run it as often, or new pods cannot join. Default: 90.",
        }),
      })
      .prefault({})
      .meta({ description: "How devices of a managed tailnet log in." }),
    policy: z.enum(["own", "merge", "leave"]).default("own").meta({
      description:
        "The policy of a managed tailnet. own: it is this program's, and one that is not the default is never overwritten; merge: what the mesh needs is added to it; leave: not touched. Default: own.",
    }),
    callers: z
      .array(
        text(
          /^(group:|autogroup:|tag:)[a-z][a-z0-9-]*$|^[^\s@]+@[^\s@]+$/,
          "a group, tag or user such as group:platform",
        ),
      )
      .check(distinct((caller) => caller))
      .default([])
      .meta({
        description:
          "Who beside the agents may reach the agents' port over the tailnet (mutual TLS still asks for an identity). Default: nobody.",
        examples: [["group:platform"]],
      }),
    global: z.boolean().optional().meta({
      description:
        "Whether agentweave-global.<tailnet> answers from whichever cloud is up, by a Tailscale Service. Default: that of manageTailnet.",
    }),
    router: z
      .strictObject({
        replicas: z.int().min(1).max(5).default(2).meta({
          description: "Subnet routers of each cloud, on nodes of their own, 1 to 5. Default: 2.",
        }),
        resources: resources(ROUTER_SIZE).meta({ description: "Resources of a subnet router." }),
      })
      .prefault({})
      .meta({ description: "Subnet routers." }),
  })
  .prefault({})
  .meta({ description: "The tailnet, in mode tailscale." });

const vpn = z
  .strictObject({
    domain: text(DOMAIN, "a DNS domain such as mesh.internal").default("mesh.internal").meta({
      description:
        "Private DNS domain of the agents' names <cloud>-<role>.<domain>, served in each cloud's network. Default: mesh.internal.",
    }),
    firstAsn: z.int().min(PRIVATE_ASNS.first).max(PRIVATE_ASNS.last).default(64800).meta({
      description:
        "ASN of the first cloud's gateway; those of the others follow in the order of their names. Give it with the first up: a change replaces gateways. Default: 64800.",
    }),
  })
  .prefault({})
  .meta({ description: "The tunnels between the clouds, in mode vpn." });

/** How agents of different clouds reach each other. */
export const network = z
  .strictObject({
    mode: z.enum(NETWORK_MODES).default("tailscale").meta({
      description:
        "How agents of different clouds reach each other. tailscale: every agent is on a tailnet; vpn: IPsec tunnels between the clouds; direct: through a public load balancer for each role. In all of them only mutual TLS is served. Default: tailscale.",
    }),
    tailscale,
    vpn,
  })
  .prefault({})
  .meta({ description: "The network between the clouds." });

/** The network as written. */
export type NetworkEntry = z.output<typeof network>;

/** Mistakes in how the network's values go together. What is written for another mode is not looked at. */
export function networkSettingsProblems({ mode, tailscale }: Draft<NetworkEntry>): Problem[] {
  if (mode !== "tailscale" || tailscale === undefined) return [];
  const { loginServer, manageTailnet } = tailscale;
  const at = (key: string, message: string): Problem => ({ path: ["network", "tailscale", key], message });
  return [
    ...(tailscale.tailnet === undefined && !("tailnet" in tailscale)
      ? [
          at(
            "tailnet",
            "is missing; write the tailnet's MagicDNS domain such as tail1a2b3c.ts.net, or choose another network.mode",
          ),
        ]
      : []),
    ...(loginServer !== undefined && manageTailnet === true
      ? [at("manageTailnet", "is true, but only Tailscale's own control server can be managed; write false")]
      : []),
    ...(manageTailnet === false && tailscale.authKey === undefined && !("authKey" in tailscale)
      ? [
          at(
            "authKey",
            "is missing, which manageTailnet: false needs; set it with pulumi config set --secret --path agentweave-mesh:network.tailscale.authKey",
          ),
        ]
      : []),
  ];
}

/** The network with nothing left open. */
export function settleNetwork({ mode, tailscale, vpn }: NetworkEntry): NetworkSettings {
  switch (mode) {
    case "direct":
      return { mode };
    case "vpn":
      return { mode, vpn };
    case "tailscale": {
      const { tailnet, global = tailscale.manageTailnet, ...rest } = tailscale;
      if (tailnet === undefined) throw new Error("network.tailscale.tailnet was not checked");
      return { mode, tailscale: { ...rest, tailnet, global } };
    }
  }
}
