// What devices log in to a managed tailnet with: for each cloud and kind of device a key of its own, which gives the device its tag.
import * as pulumi from "@pulumi/pulumi";
import { routerTag, TAILNET } from "../../well-known";
import type { TailscaleSettings } from "../mode";
import { tailscaleSdk } from "./sdk";

/** Kinds of device. Each has a tag. */
export type DeviceKind = "agents" | "routers" | "observability";

/** Tag of a cloud's devices of one kind. */
function deviceTag(cloud: string, kind: DeviceKind): string {
  switch (kind) {
    case "agents":
      return TAILNET.agentTag;
    case "routers":
      return routerTag(cloud);
    case "observability":
      return TAILNET.observabilityTag;
  }
}

/** Longest description that Tailscale takes. */
const DESCRIPTION_LENGTH = 50;
const SECONDS_PER_DAY = 86_400;

/**
 * Makes the key of a cloud's devices of one kind. All devices are ephemeral: the tailnet forgets them some time after they were last seen
 * (https://tailscale.com/kb/1111/ephemeral-nodes).
 *
 * @returns what `TS_AUTHKEY` takes, a secret.
 */
export function deviceKey(
  cloud: string,
  kind: DeviceKind,
  keys: TailscaleSettings["keys"],
  opts: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  const { OauthClient, TailnetKey } = tailscaleSdk();
  const name = `${cloud}-${kind}-key`;
  const description = `agentweave ${cloud} ${kind}`.slice(0, DESCRIPTION_LENGTH);
  const tags = [deviceTag(cloud, kind)];
  const secret = { ...opts, additionalSecretOutputs: ["key"] };
  if (keys.kind === "oauthClient") {
    const client = new OauthClient(name, { description, scopes: ["auth_keys"], tags }, secret);
    // The device makes its own key with the client's secret; what kind of key is said behind the question mark
    // (https://tailscale.com/kb/1215/oauth-clients).
    return pulumi.secret(pulumi.interpolate`${client.key}?ephemeral=true&preauthorized=true`);
  }
  const key = new TailnetKey(
    name,
    {
      description,
      tags,
      reusable: true,
      ephemeral: true,
      preauthorized: true,
      expiry: keys.expiryDays * SECONDS_PER_DAY,
      // An update after the expiry makes a new one.
      recreateIfInvalid: "always",
    },
    secret,
  );
  return pulumi.secret(key.key);
}

/** Tags that devices have to ask for themselves: those that come with an OAuth client, whose keys have none of their own. */
export function advertisedTags(
  settings: Pick<TailscaleSettings, "manageTailnet" | "keys">,
  cloud: string,
  kind: DeviceKind,
): readonly string[] {
  return settings.manageTailnet && settings.keys.kind === "oauthClient" ? [deviceTag(cloud, kind)] : [];
}
