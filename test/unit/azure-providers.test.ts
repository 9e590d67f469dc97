import { readFileSync } from "node:fs";
import * as path from "node:path";
import { planOf } from "../../infra/plan/plan";

/** Registered in every subscription (https://learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types). */
const ALWAYS = ["authorization", "resources"];
/** Modules of Pulumi's provider that have a part of a resource provider under a name of their own. */
const WITHIN: Readonly<Record<string, string>> = { privatedns: "network" };

test("docs/configuration.md names every resource provider of Azure that the program calls", async () => {
  const document = readFileSync(path.resolve(__dirname, "../../docs/configuration.md"), "utf8");
  const [, listed = ""] = /^for provider in (.*); do az provider register/m.exec(document)!;
  const named = listed.split(" ").map((provider) => provider.replace("Microsoft.", "").toLowerCase());
  // Mode vpn has all that the others have, and more.
  const changed = {
    trust: { endpoint: "bucket" },
    clouds: { aws: { provider: "aws" }, azure: { provider: "azure", spire: { managedDatastore: {} } } },
    policy: {},
  };
  const modules = (await planOf("dev", { mode: "vpn", changed })).resources.flatMap(
    ({ type }) => /^azure-native:([a-z]+):/.exec(type)?.[1] ?? [],
  );
  const called = new Set(modules.map((module) => WITHIN[module] ?? module));
  expect([...called].filter((provider) => !ALWAYS.includes(provider)).sort()).toEqual(
    // AKS itself makes the nodes.
    named.filter((provider) => provider !== "compute").sort(),
  );
});
