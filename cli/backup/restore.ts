// `mesh restore`: puts what `mesh backup` has kept of a cloud's SPIRE server in the place of what it has now. A run that was ended is begun anew by the same command.
import { parseSpiffeBundle } from "../../spiffe/bundle";
import { fetchLive } from "../../components/trust/federate";
import type { Connect } from "../cluster";
import { CliError, EXIT, lineOf } from "../errors";
import { eachOf, untilWell, within } from "../limits";
import { cloudNamed, endpointOf, type Mesh } from "../mesh-outputs";
import { serverOf } from "../spire";
import { columns } from "../table";
import { countsText, mustBeOnVolume } from "./backup";
import { type Counts, unseal, writtenSchema } from "./sealed";
import type { VolumeOf } from "./volume";

export interface RestoreOptions {
  /** The encrypted file. */
  readonly file: Uint8Array;
  /** Text of a file with private keys of age. */
  readonly identities: string;
  /** Longest time of each step, in milliseconds. */
  readonly limitMs: number;
  readonly connect: Connect;
  readonly volumeOf: VolumeOf;
  /** Asked once, before anything is changed; throws where the answer is no. */
  readonly confirm: (what: string) => Promise<void>;
  /** Takes what is done. */
  readonly say: (line: string) => void;
}

/** What another cloud makes of the restored server. */
export interface PeerView {
  readonly cloud: string;
  /** Whether it has fetched the bundle from the restored server, authenticated. */
  readonly trusts: boolean;
  /** Why not. */
  readonly cause?: string;
}

export interface RestoreReport {
  /** All peers trust it as it is now. */
  readonly ok: boolean;
  readonly cloud: string;
  /** When the backup was made, ISO 8601. */
  readonly made: string;
  readonly bundleDigest: string;
  /** Whether the bundle is the one that the server had then. */
  readonly unchanged: boolean;
  readonly counts: Counts;
  readonly peers: readonly PeerView[];
}

/** Longest time of one command on a server that answers, in milliseconds. */
const COMMAND_MS = 30_000;

/**
 * Restores one cloud's server. It is down from the confirmation until it has started again; SVIDs that agents and workloads have go on meanwhile.
 *
 * @throws CliError when the file cannot be opened or is of another cloud (before anything is changed), or with what is left to do.
 */
export async function restore(mesh: Mesh, name: string, options: RestoreOptions): Promise<RestoreReport> {
  const { limitMs, connect, volumeOf, confirm, say } = options;
  const cloud = cloudNamed(mesh, name);
  const { trustDomain } = cloud;
  const kept = await unseal(options.file, options.identities);
  if (kept.cloud !== name || kept.trustDomain !== trustDomain)
    throw new CliError(
      `The backup is of cloud ${kept.cloud} (${kept.trustDomain}), not of ${name} (${trustDomain}): SPIRE does not start with the identities of another trust domain.`,
      EXIT.usage,
    );
  const volume = volumeOf(cloud, mesh.nodeImage);
  await mustBeOnVolume(name, volume);
  const server = serverOf(cloud, connect(cloud), COMMAND_MS, COMMAND_MS);
  const now = await serverOf(cloud, connect(cloud), COMMAND_MS)
    .bundleShow()
    .then((shown) => parseSpiffeBundle(shown, trustDomain, new Date()).digest)
    .catch(() => undefined);
  const running =
    now === undefined
      ? `${name}'s SPIRE server does not answer.`
      : `${name}'s SPIRE server is up, ${now === kept.bundleDigest ? "with the bundle of the backup" : "with another bundle than the backup's"}, and is stopped.`;
  await confirm(
    `${running} All that it has is replaced by the backup of ${kept.made} (${countsText(kept.counts)}).`,
  );

  const again = (error: unknown): never => {
    throw new CliError(
      `${lineOf(error)}. The server of ${name} is stopped until it is restored: give the same command again.`,
    );
  };
  say(`${name}: stops the server`);
  await volume.stop(limitMs).catch(again);
  say(`${name}: writes the backup to its volume`);
  const written = await volume.run("write", kept.files, limitMs).catch(again);
  const { counts } = writtenSchema.parse(JSON.parse(written));
  say(`${name}: starts the server`);
  await volume.start().catch(again);
  await healthy(name, limitMs, () => server.healthcheck());

  const shown = await server.bundleShow();
  const { digest } = parseSpiffeBundle(shown, trustDomain, new Date());
  say(`${name}: has every peer fetch its bundle`);
  const peers = await eachOf(
    mesh.clouds.filter((each) => each.trustDomain !== trustDomain),
    async (peer): Promise<PeerView> => {
      const target = { cloud: peer.name, server: serverOf(peer, connect(peer), COMMAND_MS, limitMs) };
      const source = { cloud: name, server };
      try {
        await within(limitMs, `${peer.name}: fetching ${name}'s bundle`, () =>
          fetchLive(target, source, endpointOf(cloud), undefined, { limitMs }),
        );
        return { cloud: peer.name, trusts: true };
      } catch (error) {
        return { cloud: peer.name, trusts: false, cause: lineOf(error) };
      }
    },
  );
  return {
    ok: peers.every(({ trusts }) => trusts),
    cloud: name,
    made: kept.made,
    bundleDigest: digest,
    unchanged: digest === kept.bundleDigest,
    counts,
    peers,
  };
}

const healthy = (name: string, limitMs: number, look: () => Promise<void>) =>
  untilWell(
    limitMs,
    async () => void (await look()),
    (words) =>
      new CliError(
        `${name}: the backup is on its volume, but its SPIRE server did not get healthy within ${limitMs / 1000} s: ${words}. See its log: \`kubectl -n spire logs spire-server-0\`.`,
      ),
  );

/** The report for people, and what comes next. */
export function restoreText({
  cloud,
  made,
  bundleDigest,
  unchanged,
  counts,
  peers,
  ok,
}: RestoreReport): string {
  const bundle = unchanged
    ? `its bundle is the one of then (${bundleDigest.slice(0, 12)})`
    : `its bundle is another one than then (${bundleDigest.slice(0, 12)}), since a CA has ended or come`;
  const rows = peers.map(({ cloud: peer, trusts, cause }) => [
    peer,
    trusts ? "trusts it as it is now" : "DOES NOT",
    cause ?? "",
  ]);
  return [
    `${cloud}: its SPIRE server is that of ${made}: ${bundle}, ${countsText(counts)}.`,
    ...(peers.length > 0 ? [columns(rows)] : []),
    "",
    ...(ok
      ? []
      : ["A peer that has a newer or another bundle keeps it: `pulumi up --refresh` gives it this one."]),
    "What was made after the backup is not there: `pulumi up --refresh` makes anew what this program makes. SPIRE agents whose certificates it does not know are attested anew, by themselves.",
  ].join("\n");
}
