// JSON Schema of Pulumi.<stack>.yaml files, with which editors complete and check them.
import { z } from "zod";
import { NAMESPACE } from "./namespace";
import { configSchema } from "./schema";

/** JSON Schema (draft 2020-12) of a whole stack file: keys of other namespaces are let be. */
export function stackFileSchema(): Record<string, unknown> {
  const { properties, required, $schema } = z.toJSONSchema(configSchema, { io: "input" });
  const inNamespace = (key: string) => `${NAMESPACE}:${key}`;
  return {
    $schema,
    title: "Stack of agentweave-mesh",
    type: "object",
    properties: {
      config: {
        type: "object",
        description: "Configuration of the stack.",
        properties: Object.fromEntries(
          Object.entries(properties ?? {}).map(([key, value]) => [inNamespace(key), value]),
        ),
        required: (required ?? []).map(inNamespace),
        patternProperties: { [`^(?!${NAMESPACE}:)[^:]+:`]: {} },
        additionalProperties: false,
      },
    },
    required: ["config"],
  };
}

/** The schema as the text of its file. */
export function stackFileSchemaText(): string {
  return `${JSON.stringify(stackFileSchema(), null, 2)}\n`;
}
