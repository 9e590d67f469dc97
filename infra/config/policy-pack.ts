// What the policy pack lets be in this stack, in the configuration.
import { z } from "zod";
import { RULE_NAMES } from "../../policies/pack/rule-names";
import { text } from "./fields";

const relaxation = z.strictObject({
  rule: z.enum(RULE_NAMES),
  resources: text(
    /^[\w.*-]+$/,
    "the name of a resource such as azure-network-nsg-all, or azure-*",
  ).optional(),
  reason: text(/\S+\s+\S+/, "in a few words why this stack need not keep to it"),
});

/** Rules of the policy pack that the stack does not keep to. */
export const policyPack = z
  .strictObject({
    relaxed: z
      .array(relaxation)
      .default([])
      .meta({
        description:
          "Rules of the policy pack that this stack need not keep to, each a map: rule, its name; resources, the name of the resource that need not, in which * stands for any text (default: all); reason, why, which a review shows. Default: none.",
        examples: [
          [{ rule: "image-digests", resources: "gcp-*", reason: "Its registry has copies of its own." }],
        ],
      }),
  })
  .prefault({})
  .meta({ description: "What a review of the stack lets be: docs/policy-pack.md." });
