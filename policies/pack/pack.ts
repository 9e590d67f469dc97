// The rules as a policy pack of Pulumi's, which judges a whole stack at the end of each preview and update.
import { PolicyPack, type PolicyResource, type StackValidationPolicy } from "@pulumi/policy";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { explain } from "../../infra/config/explain";
import { ConfigError } from "../../infra/config/problem";
import { configSchema } from "../../infra/config/schema";
import { settingsOf } from "../../infra/config/settings";
import { judge, type Resource, settingsFrom, type Verdict } from "./judge";
import { RULE_NAMES, RULES } from "./rule-names";

const { agents, network, tags, policyPack } = configSchema.shape;
const schema = z.object({ agents, network, tags, policyPack });

/** By what the stack is judged, whose configuration the engine hands over. Throws a ConfigError. */
function loadSettings() {
  // Secrets are decrypted when they come here.
  const { raw } = settingsOf(pulumi.runtime.allConfig(), () => true);
  const { success, data, error } = schema.safeParse(raw);
  if (!success) throw new ConfigError(pulumi.getStack(), explain(schema, raw, error.issues));
  return settingsFrom(data);
}

const settings = loadSettings();

function resourceOf({ type, name, urn, props, parent, opts }: PolicyResource): Resource {
  return { type, name, urn, inputs: props, parent: parent?.urn ?? "", protect: opts.protect };
}

/** A policy that reports some of what the rules say. */
function report(
  policy: Omit<StackValidationPolicy, "validateStack">,
  find: (
    verdict: Verdict,
  ) => readonly { readonly resource?: string; readonly urn?: string; readonly message: string }[],
): StackValidationPolicy {
  return {
    ...policy,
    validateStack: ({ resources }, reportViolation) => {
      for (const { resource, urn, message } of find(judge(resources.map(resourceOf), settings))) {
        reportViolation(resource === undefined ? message : `${resource} ${message}`, urn);
      }
    },
  };
}

/** How many resources are named that cannot be judged for the same reason: at a first preview there are many. */
const NAMED = 3;

/** What cannot be judged, a line for each reason. */
function notYetKnown({ unknown }: Verdict): readonly { readonly message: string }[] {
  const names = new Map<string, string[]>();
  for (const { rule, resource, message } of unknown) {
    const reason = `${message} (${rule})`;
    names.set(reason, [...(names.get(reason) ?? []), resource]);
  }
  return [...names].map(([reason, all]) => {
    const more = all.length > NAMED ? ` and ${all.length - NAMED} more` : "";
    return { message: `${all.slice(0, NAMED).join(", ")}${more} ${reason}` };
  });
}

new PolicyPack("agentweave-mesh", {
  policies: [
    ...RULE_NAMES.map((name) =>
      report({ name, description: RULES[name], enforcementLevel: "mandatory" }, ({ violations }) =>
        violations.filter(({ rule }) => rule === name),
      ),
    ),
    report(
      {
        name: "relaxed",
        description: "What policyPack.relaxed lets be, and why.",
        enforcementLevel: "advisory",
      },
      ({ relaxed, unused }) => [
        ...relaxed.map(({ rule, reason, ...found }) => ({
          ...found,
          message: `${found.message} (${rule} is relaxed: ${reason})`,
        })),
        ...unused.map(({ rule, resources = "all" }) => ({
          message: `${rule} is relaxed for ${resources}, of which nothing needs it`,
        })),
      ],
    ),
    report(
      {
        name: "not-yet-known",
        description: "What no rule can judge before it is made.",
        enforcementLevel: "advisory",
      },
      notYetKnown,
    ),
  ],
});
