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
 * Number of the half of a key's life that a time is in, counted from 1970. Each half has keys of its own, so that the first `up` in one makes new keys while those of the
 * last still have half of their life at least. A key is dead only where a whole half went by without an `up`.
 *
 * @param now in milliseconds since 1970.
 */
export function keyPeriod(expiryDays: number, now: number): number {
  return Math.floor(now / ((expiryDays * SECONDS_PER_DAY * 1000) / 2));
}

/** A life of the auth keys that the program makes, in seconds. */
export interface AuthKeyLife {
  /** When the keys of the present half end at the earliest, since 1970: those made in its first moment. The first `up` of the next half makes new ones. */
  readonly endSeconds: number;
  readonly lifeSeconds: number;
}

/** Undefined where devices log in with what does not end, or with keys of which the program knows no end. */
export function authKeyLife(
  { manageTailnet, keys }: Pick<TailscaleSettings, "manageTailnet" | "keys">,
  now: number = Date.now(),
): AuthKeyLife | undefined {
  if (!manageTailnet || keys.kind !== "authKey") return undefined;
  const lifeSeconds = keys.expiryDays * SECONDS_PER_DAY;
  return { endSeconds: (keyPeriod(keys.expiryDays, now) + 2) * (lifeSeconds / 2), lifeSeconds };
}

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
  const describe = (about: string) => `agentweave ${about}`.slice(0, DESCRIPTION_LENGTH);
  const tags = [deviceTag(cloud, kind)];
  const secret = { ...opts, additionalSecretOutputs: ["key"] };
  if (keys.kind === "oauthClient") {
    const description = describe(`${cloud} ${kind}`);
    const client = new OauthClient(name, { description, scopes: ["auth_keys"], tags }, secret);
    // The device makes its own key with the client's secret; what kind of key is said behind the question mark
    // (https://tailscale.com/kb/1215/oauth-clients).
    return pulumi.secret(pulumi.interpolate`${client.key}?ephemeral=true&preauthorized=true`);
  }
  const key = new TailnetKey(
    name,
    {
      // Nothing else of a key could tell Pulumi that it is time for a new one.
      description: describe(`${keyPeriod(keys.expiryDays, Date.now())} ${cloud} ${kind}`),
      tags,
      reusable: true,
      ephemeral: true,
      preauthorized: true,
      expiry: keys.expiryDays * SECONDS_PER_DAY,
      // And one that was revoked.
      recreateIfInvalid: "always",
    },
    // The new one is in its Secret before the old one is revoked.
    { ...secret, replaceOnChanges: ["description"] },
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
