// Foreign trust domains that the mesh federates with, in the configuration.
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { BUNDLE_PROFILES } from "../../components/trust/fetch-failure";
import { parseSpiffeBundle } from "../../spiffe/bundle";
import { isWorkloadId, parseSpiffeId } from "../../spiffe/spiffe-id";
import type { Draft } from "./clouds/spec";
import { cloudName, roleName, text, trustDomain } from "./fields";
import type { Problem } from "./problem";
import { absolutePath } from "./paths";

const partner = z.strictObject({
  trustDomain: trustDomain().meta({
    description: "Name of its trust domain. Required.",
    examples: ["acme.example"],
  }),
  bundleEndpoint: text(
    /^https:\/\/[^/@\s?#]+(\/[^\s?#]*)?$/,
    "an https:// URL such as https://spiffe.acme.example:8443",
  ).meta({
    description: "URL of its bundle endpoint, as the clusters of the mesh reach it. Required.",
    examples: ["https://spiffe.acme.example:8443"],
  }),
  profile: z.enum(BUNDLE_PROFILES).default("https_spiffe").meta({
    description:
      "How the endpoint is authenticated (SPIFFE Federation, section 5.2). https_spiffe: by a SPIFFE id of its own trust domain, for which bundle is needed; https_web: by a public certificate. Default: https_spiffe.",
  }),
  endpointSpiffeId: z
    .string()
    .refine(isWorkloadId, {
      error: "write a SPIFFE id with a path such as spiffe://acme.example/spire/server",
    })
    .optional()
    .meta({
      description:
        "SPIFFE id that the endpoint presents, with profile https_spiffe. Default: that of a SPIRE server, spiffe://<trustDomain>/spire/server.",
    }),
  bundle: z
    .string()
    .min(1, { error: "write the path of a file" })
    .optional()
    .meta({
      description:
        "File with its first bundle in SPIFFE format (`spire-server bundle show -format spiffe`), by its path from Pulumi.yaml, got from the partner by a way that you trust. Required with profile https_spiffe. Later bundles come from the endpoint, and this one counts no more.",
      examples: ["partners/acme.json"],
    }),
  identities: z
    .record(
      roleName,
      z
        .string()
        .refine(isWorkloadId, { error: "write a SPIFFE id with a path such as spiffe://acme.example/buyer" }),
    )
    .default({})
    .meta({
      description:
        "SPIFFE ids of the partner that may call agents, by names of yours: policy.calls says which agents <partner>/<name> may call. Nobody else of the partner gets in. Default: none.",
      examples: [{ buyer: "spiffe://acme.example/buyer" }],
    }),
});

/** Foreign trust domains by name. */
export const partners = z.record(cloudName, partner).default({}).meta({
  description:
    "Trust domains outside of the mesh whose identities every cloud of the mesh can verify, by name. Default: none.",
});

/** A partner as written. */
export type PartnerEntry = z.output<typeof partner>;

/** What cannot be of `partners` as a whole. Reads their bundles. */
export function partnerProblems(
  partners: Readonly<Record<string, Draft<PartnerEntry> | undefined>>,
  clouds: readonly { readonly name: string; readonly trustDomain: string }[],
  mode: string | undefined,
  projectDir: string,
): Problem[] {
  const domains = new Map(clouds.map(({ name, trustDomain }) => [trustDomain, `cloud ${name}`]));
  return Object.entries(partners).flatMap(([name, partner]): Problem[] => {
    if (partner === undefined) return [];
    const { trustDomain, profile, endpointSpiffeId, bundle, identities = {} } = partner;
    const problems: Problem[] = [];
    const at = (path: readonly string[], message: string) =>
      void problems.push({ path: ["partners", name, ...path], message });
    if (clouds.some((cloud) => cloud.name === name))
      at([], `has the name of a cloud, and policies would mean either by ${name}/…; write another name`);
    if (trustDomain !== undefined) {
      const other = domains.get(trustDomain);
      if (other !== undefined)
        at(["trustDomain"], `is ${trustDomain}, the trust domain of ${other}; write another`);
      domains.set(trustDomain, `partner ${name}`);
      const inDomain = (path: readonly string[], id: string | undefined) => {
        if (id !== undefined && parseSpiffeId(id)?.trustDomain !== trustDomain)
          at(path, `is ${id}, not of trust domain ${trustDomain}; write an id of that`);
      };
      inDomain(["endpointSpiffeId"], endpointSpiffeId);
      for (const [key, id] of Object.entries(identities)) inDomain(["identities", key], id);
    }
    if (profile === "https_web" && endpointSpiffeId !== undefined)
      at(["endpointSpiffeId"], "has no effect with profile https_web; remove it");
    if (profile === "https_web" && bundle !== undefined)
      at(
        ["bundle"],
        "has no effect with profile https_web, whose endpoint is authenticated without; remove it",
      );
    if (profile === "https_spiffe" && bundle === undefined)
      at(
        ["bundle"],
        "is missing: without a first bundle the endpoint cannot be authenticated; write the path of a file with it",
      );
    if (profile === "https_spiffe" && bundle !== undefined && trustDomain !== undefined) {
      const file = absolutePath(bundle, projectDir);
      if (!existsSync(file))
        at(["bundle"], `is ${JSON.stringify(bundle)}, where there is no file; write a path from Pulumi.yaml`);
      else {
        try {
          parseSpiffeBundle(readFileSync(file, "utf8"), trustDomain, new Date());
        } catch (error) {
          at(["bundle"], `cannot be used: ${(error as Error).message}`);
        }
      }
    }
    // Load balancers in tunnels, and devices of a tailnet, are reached by members alone.
    if (mode !== undefined && mode !== "direct" && Object.keys(identities).length > 0)
      at(
        ["identities"],
        `has no effect with network.mode ${mode}, in which nobody outside of the mesh reaches an agent; remove it, or write network.mode: direct`,
      );
    return problems;
  });
}
