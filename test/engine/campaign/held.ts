// What the campaign's servers and its cluster hold: all that an operation may have left there.
import type { CoreV1Api } from "@kubernetes/client-node";
import { serverCommand } from "../../../cli/spire";
import { connectByExec } from "../../../components/trust/connect";
import { execInPod } from "../../../components/trust/exec";
import type { ApiBundle } from "../../../spiffe/bundle";
import { parseSpiffeBundle, storedBundle } from "../../../spiffe/bundle";
import { target } from "../spire-pods";
import { CLOUDS, NAMESPACE, type Settings, trustDomainOf } from "./configurations";

const LIMIT_MS = 60_000;

const place = (cloud: string) => target(cloud, trustDomainOf(cloud));

/** Runs `spire-server` in a cloud's server, and returns what it prints. */
export async function inServer(
  { kubeconfig }: Settings,
  cloud: string,
  args: readonly string[],
  stdin?: string,
): Promise<string> {
  const done = await execInPod(place(cloud), kubeconfig, serverCommand(args), stdin, LIMIT_MS);
  if (done.exitCode !== 0) throw new Error(`${cloud}: ${args.join(" ")}: ${done.stderr || done.stdout}`);
  return done.stdout;
}

/** The client that the providers have. */
export const clientOf = ({ kubeconfig }: Settings, cloud: string) =>
  connectByExec(place(cloud), kubeconfig, { limitMs: LIMIT_MS });

/** Digest of a cloud's own bundle. */
export async function ownDigest(settings: Settings, cloud: string): Promise<string> {
  const text = await clientOf(settings, cloud).bundleShow();
  return parseSpiffeBundle(text, trustDomainOf(cloud), new Date()).digest;
}

async function heldByServer(settings: Settings, cloud: string) {
  const server = clientOf(settings, cloud);
  const [relationships, listed, entries] = await Promise.all([
    server.federationList(),
    inServer(settings, cloud, ["bundle", "list", "-output", "json"]),
    server.entryList(),
  ]);
  const { bundles = [] } = JSON.parse(listed) as { bundles?: ApiBundle[] };
  return {
    /** Whose identities it takes, by which authorities. */
    bundles: Object.fromEntries(
      bundles.map((bundle) => [bundle.trust_domain.replace("spiffe://", ""), storedBundle(bundle).digest]),
    ),
    relationships: relationships
      .map(
        (each) => `${each.trust_domain} ${each.bundle_endpoint_url} ${each.https_spiffe?.endpoint_spiffe_id}`,
      )
      .sort(),
    entries: entries
      .map(({ spiffe_id, parent_id, selectors, federates_with = [], x509_svid_ttl = 0 }) =>
        JSON.stringify([
          spiffe_id.path,
          parent_id.path,
          selectors.map(({ type, value }) => `${type}:${value}`).sort(),
          [...federates_with].sort(),
          x509_svid_ttl,
        ]),
      )
      .sort(),
  };
}

/** What a server holds. */
export type Held = Awaited<ReturnType<typeof heldByServer>>;

/** What each server holds, by its cloud. */
export async function heldByServers(settings: Settings): Promise<Record<string, Held>> {
  return Object.fromEntries(
    await Promise.all(CLOUDS.map(async (cloud) => [cloud, await heldByServer(settings, cloud)] as const)),
  );
}

/** The ConfigMaps of the campaign's namespace, by their names. */
export async function heldByCluster(core: CoreV1Api): Promise<Record<string, unknown>> {
  const { items } = await core.listNamespacedConfigMap({ namespace: NAMESPACE });
  return Object.fromEntries(
    items
      .filter(({ metadata }) => metadata!.name !== "kube-root-ca.crt")
      .map(({ metadata, data }) => [metadata!.name!, data]),
  );
}
