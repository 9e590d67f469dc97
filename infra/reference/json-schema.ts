// JSON Schema of Pulumi.<stack>.yaml files, with which editors complete and check them.
import { z } from "zod";
import { NAMESPACE } from "../config/namespace";
import { configSchema } from "../config/schema";

/** What a part of a JSON Schema is made of. */
type Node = Record<string, unknown>;

/** JSON Schema of the program's own settings, without the namespace. A secret has `secret: true`. */
export function settingsSchema(): Node {
  return z.toJSONSchema(configSchema, { io: "input" });
}

/** What Pulumi leaves of a value that it has encrypted. */
const ENCRYPTED = {
  type: "object",
  description: "Encrypted by pulumi config set --secret.",
  properties: { secure: { type: "string" } },
  required: ["secure"],
  additionalProperties: false,
};
const encrypted = { $ref: "#/$defs/encrypted" };

/** A whole setting: a map, the same as JSON text, or either of them encrypted. */
const whole = (setting: Node): Node => ({
  description: setting["description"],
  anyOf: [setting, { type: "string", pattern: "^\\s*\\{" }, encrypted],
});

/** The schema with secrets as they stand in a file: never in plain text. */
function encryptedSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(encryptedSecrets);
  if (typeof value !== "object" || value === null) return value;
  const node = value as Node;
  if (node["secret"] === true) return { description: node["description"], ...encrypted };
  return Object.fromEntries(Object.entries(node).map(([key, part]) => [key, encryptedSecrets(part)]));
}

/** JSON Schema (draft 2020-12) of a whole stack file: keys of other namespaces are let be, and clouds may come from an environment of Pulumi ESC. */
export function stackFileSchema(): Node {
  const { properties, required, $schema } = settingsSchema();
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
          Object.entries(encryptedSecrets(properties) as Record<string, Node>).map(([key, value]) => [
            inNamespace(key),
            whole(value),
          ]),
        ),
        patternProperties: { [`^(?!${NAMESPACE}:)[^:]+:`]: {} },
        additionalProperties: false,
      },
    },
    anyOf: [
      {
        type: "object",
        required: ["environment"],
        properties: {
          environment: { type: ["array", "object"], description: "Environments of Pulumi ESC." },
        },
      },
      {
        type: "object",
        required: ["config"],
        properties: { config: { type: "object", required: (required as string[]).map(inNamespace) } },
      },
    ],
    $defs: { encrypted: ENCRYPTED },
  };
}

/** The schema as the text of its file. */
export function stackFileSchemaText(): string {
  return `${JSON.stringify(stackFileSchema(), null, 2)}\n`;
}
