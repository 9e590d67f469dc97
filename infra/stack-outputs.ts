// Kubeconfigs that other stacks give, asked before the first resource: so they are checked like those of files, and known at preview.
import * as pulumi from "@pulumi/pulumi";
import type { MeshConfig } from "./config";
import type { StackOutputs } from "./config/context";

/**
 * Asks each stack that a cloud's kubeconfig comes from. Undefined where there is none. What comes back is to be kept secret, whether or not the other
 * stack does so. Pulumi itself fails where there is no such stack.
 */
export async function askStacks({ clouds }: Pick<MeshConfig, "clouds">): Promise<StackOutputs | undefined> {
  const sources = clouds.flatMap((cloud) =>
    cloud.provider === "existing" && typeof cloud.kubeconfig !== "string" ? [cloud.kubeconfig] : [],
  );
  if (sources.length === 0) return undefined;
  const names = [...new Set(sources.map(({ stack }) => stack))];
  const references = new Map(names.map((name) => [name, new pulumi.StackReference(name)]));
  const texts = new Map<string, string | undefined>();
  for (const { stack, output } of sources) {
    const [name, ...keys] = output.split(".");
    const { value, secretValue } = await references.get(stack)!.getOutputDetails(name!);
    texts.set(`${stack} ${output}`, textOf(keys.reduce(within, value ?? secretValue)));
  }
  return ({ stack, output }) => texts.get(`${stack} ${output}`);
}

function within(whole: unknown, key: string): unknown {
  return typeof whole === "object" && whole !== null && Object.hasOwn(whole, key)
    ? (whole as Record<string, unknown>)[key]
    : undefined;
}

/** EKS gives its kubeconfig as an object. */
const textOf = (value: unknown) =>
  value === undefined || value === null || typeof value === "string"
    ? (value ?? undefined)
    : JSON.stringify(value);
