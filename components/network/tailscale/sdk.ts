// Tailscale's SDK, loaded only by the stacks that manage a tailnet.

/* eslint-disable @typescript-eslint/no-require-imports -- Loading takes time and memory, and components are constructed
   synchronously. */
/**
 * The SDK. Its credentials are those of Pulumi's Tailscale provider: `TAILSCALE_OAUTH_CLIENT_ID` and `TAILSCALE_OAUTH_CLIENT_SECRET`, or
 * `TAILSCALE_API_KEY`, in the environment, or `tailscale:oauthClientId` and so on in the stack's configuration
 * (https://www.pulumi.com/registry/packages/tailscale/installation-configuration/). They belong to one tailnet, which is the one that is managed.
 */
export function tailscaleSdk(): typeof import("@pulumi/tailscale") {
  return require("@pulumi/tailscale") as typeof import("@pulumi/tailscale");
}
/* eslint-enable @typescript-eslint/no-require-imports */
