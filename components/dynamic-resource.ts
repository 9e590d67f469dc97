// Dynamic resources: those whose create, read, update and delete are in this repository. Their providers are loaded from the checkout when they are needed.
import * as pulumi from "@pulumi/pulumi";

/** The module of each kind, a part of its Pulumi type. */
const MODULES = {
  TrustBundle: "agentweave/trust",
  FederationRelationship: "agentweave/trust",
  PartnerRelationship: "agentweave/trust",
  AcceptedBundle: "agentweave/trust",
  RegistrationEntry: "agentweave/trust",
  NodeEntries: "agentweave/trust",
  RootAuthority: "agentweave/trust",
  IntermediateAuthority: "agentweave/trust",
  ScrapeToken: "agentweave/observability",
  GeneratedConfigMap: "agentweave/kubernetes",
  VolumeCleanup: "agentweave/kubernetes",
  RandomText: "agentweave",
} as const;

/** A kind of dynamic resource, by the name of its class. */
export type DynamicKind = keyof typeof MODULES;

/**
 * What Pulumi's plugin for dynamic resources evaluates to get a provider: text of a CommonJS module, which is kept in the state (see
 * cmd/dynamic-provider/index.js of @pulumi/pulumi). Pulumi's own `dynamic.Resource` puts all of the provider's code there. This is where to
 * find it instead: the package `agentweave-mesh` as seen from the directory in which the plugin runs, which is that of the Pulumi project.
 */
export function providerText(kind: DynamicKind): string {
  const providers = `require("node:module").createRequire(process.cwd() + "/")("agentweave-mesh/providers")`;
  return `exports.handler = () => ${providers}.${kind};`;
}

/** What every dynamic resource of this program is. `secrets` names the properties that are encrypted in the state. */
export abstract class DynamicResource extends pulumi.CustomResource {
  constructor(
    kind: DynamicKind,
    name: string,
    props: pulumi.Inputs,
    secrets: readonly string[],
    opts: pulumi.CustomResourceOptions | undefined,
  ) {
    super(
      `pulumi-nodejs:dynamic/${MODULES[kind]}:${kind}`,
      name,
      { ...props, __provider: providerText(kind) },
      // The plugin takes no secrets, and so returns none.
      pulumi.mergeOptions(opts, { additionalSecretOutputs: [...secrets] }),
    );
  }
}
