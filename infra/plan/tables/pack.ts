// What the policy pack says of a plan.
import type { Verdict } from "../../../policies/pack/judge";
import { sorted, type Table } from "../table";

/** Violations of the pack's rules, and those that the stack's configuration lets be. */
export function packTable({ violations, relaxed, unused }: Verdict): Table {
  return {
    key: "pack",
    title: "What the policy pack says",
    head: ["rule", "resource", "what", "relaxed, because"],
    rows: sorted([
      ...violations.map(({ rule, resource, message }) => [rule, resource, message, "no"]),
      ...relaxed.map(({ rule, resource, message, reason }) => [rule, resource, message, reason]),
      ...unused.map(({ rule, resources = "all" }) => [
        rule,
        resources,
        "nothing needs this to be relaxed",
        "no",
      ]),
    ]),
    none: "nothing is wrong, and nothing is relaxed",
  };
}
