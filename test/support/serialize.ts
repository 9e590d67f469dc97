// Prints the text of serialized providers as JSON, as an `up` hands them to the engine. Arguments are `<module>#<export>`, modules relative to the checkout. Run in plain Node with
// ts-node, because jest's transformed code is not what Pulumi serializes.
import { createRequire } from "node:module";
import * as path from "node:path";
import { runtime } from "@pulumi/pulumi";

const load = createRequire(__filename);

async function main(exports: readonly string[]): Promise<void> {
  const texts: Record<string, string> = {};
  for (const each of exports) {
    const [file, name] = each.split("#") as [string, string];
    const module = load(path.resolve(__dirname, "../..", file)) as Record<string, unknown>;
    const provider = module[name];
    const serialized = await runtime.serializeFunction(() => provider);
    texts[name] = serialized.text;
  }
  process.stdout.write(JSON.stringify(texts));
}

void main(process.argv.slice(2));
