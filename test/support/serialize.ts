// Prints the providers' serialized text as JSON, as an `up` hands them to the engine. Run in plain Node with ts-node, because jest's transformed code is not what Pulumi serializes.
import { runtime } from "@pulumi/pulumi";
import { federationRelationshipProvider } from "../../components/trust/federation-relationship";
import { registrationEntryProvider } from "../../components/trust/registration-entry";
import { trustBundleProvider } from "../../components/trust/trust-bundle";

async function main(): Promise<void> {
  const providers = { trustBundleProvider, federationRelationshipProvider, registrationEntryProvider };
  const texts: Record<string, string> = {};
  for (const [name, provider] of Object.entries(providers)) {
    const serialized = await runtime.serializeFunction(() => provider);
    texts[name] = serialized.text;
  }
  process.stdout.write(JSON.stringify(texts));
}

void main();
