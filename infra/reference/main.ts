// Writes what is made from the configuration's schema and from the table of flows: `npm run schema`.
import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { withFlows } from "./flows";
import { stackFileSchemaText } from "./json-schema";
import { withReference } from "./settings";

const root = path.resolve(__dirname, "../..");
writeFileSync(path.join(root, "schema/pulumi-stack.schema.json"), stackFileSchemaText());

for (const [file, renew] of [
  ["docs/configuration.md", withReference],
  ["docs/network.md", withFlows],
] as const) {
  const document = path.join(root, file);
  writeFileSync(document, renew(readFileSync(document, "utf8")));
}
