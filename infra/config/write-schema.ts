// Writes the JSON Schema of stack files: `npm run schema`.
import { writeFileSync } from "node:fs";
import * as path from "node:path";
import { stackFileSchemaText } from "./json-schema";

writeFileSync(path.resolve(__dirname, "../../schema/pulumi-stack.schema.json"), stackFileSchemaText());
