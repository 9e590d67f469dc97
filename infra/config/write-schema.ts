// Writes what is made from the configuration's schema: `npm run schema`.
import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { stackFileSchemaText } from "./json-schema";
import { withReference } from "./reference";

const root = path.resolve(__dirname, "../..");
writeFileSync(path.join(root, "schema/pulumi-stack.schema.json"), stackFileSchemaText());

const document = path.join(root, "docs/configuration.md");
writeFileSync(document, withReference(readFileSync(document, "utf8")));
