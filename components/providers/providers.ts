// The providers of all dynamic resources. States name them, so that a provider must take what any earlier version of it has left in a state.
import { makeGeneratedConfigMapProvider } from "../kubernetes/generated-config-map-provider";
import { makeVolumeCleanupProvider } from "../kubernetes/volume-cleanup-provider";
import { scrapeTokenProvider } from "../observability/scrape/token-provider";
import { randomTextProvider } from "../random-text-provider";
import { federationRelationshipProvider } from "../trust/providers/federation-relationship";
import { partnerRelationshipProvider } from "../trust/providers/partner-relationship";
import { acceptedBundleProvider } from "../trust/providers/accepted-bundle";
import { intermediateAuthorityProvider } from "../trust/providers/intermediate-authority";
import { nodeEntriesProvider } from "../trust/providers/node-entries";
import { registrationEntryProvider } from "../trust/providers/registration-entry";
import { rootAuthorityProvider } from "../trust/providers/root-authority";
import { trustBundleProvider } from "../trust/providers/trust-bundle";

import type { DynamicKind } from "../dynamic-resource";
import { recipes } from "./recipes";

export const providers = {
  TrustBundle: trustBundleProvider,
  FederationRelationship: federationRelationshipProvider,
  PartnerRelationship: partnerRelationshipProvider,
  AcceptedBundle: acceptedBundleProvider,
  RegistrationEntry: registrationEntryProvider,
  NodeEntries: nodeEntriesProvider,
  RootAuthority: rootAuthorityProvider,
  IntermediateAuthority: intermediateAuthorityProvider,
  ScrapeToken: scrapeTokenProvider,
  GeneratedConfigMap: makeGeneratedConfigMapProvider(recipes),
  VolumeCleanup: makeVolumeCleanupProvider(),
  RandomText: randomTextProvider,
} satisfies Record<DynamicKind, object>;
