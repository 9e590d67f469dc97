// The configuration of the token renewer, which is one JSON file. The tokens and authorities are files beside it, which change.
import { z } from "zod";

const name = z.string().min(1);
const url = z.string().refine((text) => URL.canParse(text) && new URL(text).protocol === "https:", {
  error: "write a URL such as https://kubernetes.default.svc",
});

/** What the file may say. Keys that it does not know are refused. */
export const tokenRenewerConfig = z.strictObject({
  /** Where it runs: the home cloud, whose Secrets it writes. */
  cloud: name,
  region: name,
  /** Where `/live`, `/ready` and `/metrics` are served; port 0 takes any that is free. */
  status: z.strictObject({ host: name, port: z.int().min(0).max(65535) }),
  /** API server of the home cloud. */
  server: url,
  /** Of the account that the tokens are for in each of the clusters, and of the Secrets. */
  namespace: name,
  account: name,
  /** For how long a token is asked to be good. */
  lifetimeSeconds: z.int().min(600),
  /** The other clouds, each with its API server, the name in its certificate where that is not the URL's, and the HTTP proxy on the way, where there is one. */
  clusters: z.array(
    z.strictObject({
      cloud: name,
      server: url,
      tlsServerName: name.optional(),
      proxyUrl: z.url({ protocol: /^http$/ }).optional(),
    }),
  ),
});

/** A configuration. */
export type TokenRenewerConfig = z.output<typeof tokenRenewerConfig>;
