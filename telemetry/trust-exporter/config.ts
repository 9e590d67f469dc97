// The configuration of the trust exporter, which is one JSON file.
import { z } from "zod";
import { BUNDLE_PROFILES } from "../../components/trust/fetch-failure";

const trustDomain = z.string().regex(/^[a-z0-9._-]{1,255}$/, {
  error: "write a trust domain's name, without spiffe:// and without a path",
});
const url = z.string().refine((text) => URL.canParse(text) && new URL(text).protocol === "https:", {
  error: "write a URL such as https://spire.gcp.example.org:8443",
});
const name = z.string().min(1);
const seconds = z.number().positive();

/** What the file may say. Keys that it does not know are refused. */
export const trustExporterConfig = z.strictObject({
  /** Where it runs: the `target` of its metrics. */
  cloud: name,
  region: name,
  trustDomain,
  /** Socket of the Workload API, `unix:///…`. */
  spiffeEndpoint: z.string().regex(/^unix:.+/, { error: "write the path of a socket, unix:///…" }),
  /** Where `/live`, `/ready` and `/metrics` are served; port 0 takes any that is free. */
  status: z.strictObject({ host: name, port: z.int().min(0).max(65535) }),
  /** From the end of one round of checks to the next, give or take a tenth. */
  intervalSeconds: seconds,
  /** Longest that a check may take. */
  limitSeconds: seconds,
  /** How often bundles are to be fetched where a source does not say. */
  refreshSeconds: seconds,
  /** The other clouds. An endpoint proves the id of the source's SPIRE server, or with https_web has a public certificate. */
  sources: z.array(
    z.strictObject({
      cloud: name,
      trustDomain,
      bundleEndpoint: url,
      profile: z.enum(BUNDLE_PROFILES).optional(),
    }),
  ),
});

/** A configuration. */
export type TrustExporterConfig = z.output<typeof trustExporterConfig>;

/** One of the other clouds. */
export type TrustSource = TrustExporterConfig["sources"][number];
