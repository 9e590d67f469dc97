// Puts a federation relationship in place and proves it: the work of FederationRelationship's create and update.
import {
  compareBundles,
  type Comparison,
  parseSpiffeBundle,
  storedBundle,
  type Bundle,
} from "../../spiffe/bundle";
import { factsOf, fault, wordsOf } from "./fault";
import { type Endpoint, explainFetchFailure } from "./fetch-failure";
import { type Patience, retry } from "./retry";
import type { SpireServer } from "./spire-cli";

/** A cloud's name, for words, and its server. */
export interface Side {
  cloud: string;
  server: SpireServer;
}

/** Has the target fetch from the live endpoint, until it has stored what the source serves. Returns what it has stored. */
export async function fetchLive(
  target: Side,
  source: Side,
  endpoint: Endpoint,
  comparison: Comparison | undefined,
  patience: Patience,
): Promise<Bundle> {
  const { trustDomain } = endpoint;
  let said = false;
  const attempt = async (): Promise<Bundle> => {
    try {
      await target.server.federationRefresh(trustDomain);
    } catch (error) {
      const { transient, distrusted, next, skewSeconds } = explainFetchFailure(wordsOf(error), endpoint);
      if (transient && skewSeconds !== undefined && !said) {
        said = true;
        // The engine shows what its plugins print.
        console.warn(`${target.cloud}: waits until the clocks agree. ${next}`);
      }
      const older = `The bundle that ${source.cloud} serves is older than the one stored, which was therefore kept: was its database restored? If so, take the stored bundle away in ${target.cloud} (spire-server bundle delete -id spiffe://${trustDomain} -mode dissociate) and run again.`;
      throw fault(`${wordsOf(error)}. ${distrusted && comparison === "newer" ? older : next}`, {
        ...factsOf(error),
        transient,
      });
    }
    const [document, stored] = await Promise.all([
      source.server.bundleShow(),
      target.server.bundleStored(trustDomain),
    ]);
    const served = parseSpiffeBundle(document, trustDomain, new Date());
    const found = stored ? storedBundle(stored) : undefined;
    if (found?.digest === served.digest) return found;
    const has = found ? found.digest : "none";
    const words = `${target.cloud}: fetched the bundle of ${trustDomain} from ${endpoint.bundleEndpointUrl}, but stored ${has} while ${source.cloud} serves ${served.digest}.`;
    // A rotation may have come between the two.
    throw fault(words, { transient: true });
  };
  return retry(`a live fetch by ${target.cloud} from ${endpoint.bundleEndpointUrl}`, patience, attempt);
}

/**
 * Gives `target` the endpoint and the first bundle of `source`, both read through authenticated exec, and proves that `target` fetches from the live endpoint.
 * It looks first: what an earlier run left half-made is finished, what is in place already is only proved. A stored bundle is overwritten
 * only if it is older than what `source` serves, or has nothing in common with it (then no fetch could ever be authenticated).
 */
export async function federate(
  target: Side,
  source: Side,
  endpoint: Endpoint,
  patience: Patience,
): Promise<Bundle> {
  const { trustDomain } = endpoint;
  const [document, relationships] = await Promise.all([
    source.server.healthcheck().then(() => source.server.bundleShow()),
    target.server.healthcheck().then(() => target.server.federationList()),
  ]);
  const served = parseSpiffeBundle(document, trustDomain, new Date());
  const existing = relationships.find(({ trust_domain }) => trust_domain === trustDomain);
  const stored = existing ? existing.trust_domain_bundle : await target.server.bundleStored(trustDomain);
  const comparison = stored ? compareBundles(storedBundle(stored), served) : undefined;
  const give = comparison === undefined || comparison === "older" || comparison === "unrelated";
  const relationship = { ...endpoint, bundle: give ? document : undefined };
  const sameEndpoint =
    existing?.bundle_endpoint_url === endpoint.bundleEndpointUrl &&
    existing.https_spiffe?.endpoint_spiffe_id === endpoint.endpointSpiffeId;
  if (!existing) await target.server.federationCreate(relationship);
  else if (give || !sameEndpoint) await target.server.federationUpdate(relationship);
  return fetchLive(target, source, endpoint, comparison, patience);
}
