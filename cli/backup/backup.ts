// `mesh backup`: a copy of all that a cloud's SPIRE server is, while it runs, encrypted for who may restore it.
import { existsSync, writeFileSync } from "node:fs";
import { parseSpiffeBundle } from "../../spiffe/bundle";
import type { Connect } from "../cluster";
import { CliError, EXIT } from "../errors";
import { within } from "../limits";
import { cloudNamed, type Mesh } from "../mesh-outputs";
import { serverOf } from "../spire";
import { type Counts, FORMAT, mustHaveRecipients, readSchema, seal } from "./sealed";
import type { ServerVolume, VolumeOf } from "./volume";

export interface BackupOptions {
  /** Public keys of age, of which any one's private key opens the file. */
  readonly recipients: readonly string[];
  /** The file, which must not be there. Default `<cloud>-<time>.backup.age`. */
  readonly file?: string;
  /** Longest time of each step, in milliseconds. */
  readonly limitMs: number;
  readonly connect: Connect;
  readonly volumeOf: VolumeOf;
}

export interface BackupReport {
  readonly cloud: string;
  readonly file: string;
  /** ISO 8601. */
  readonly made: string;
  readonly bytes: number;
  /** SHA-256 over the authorities of the server's bundle. */
  readonly bundleDigest: string;
  readonly counts: Counts;
}

const TOOLS: Readonly<Record<string, string>> = {
  postgres: "`pg_dump --format=custom`",
  mysql: "`mysqldump --single-transaction`",
};

/**
 * @throws CliError where the server's records are not on its volume: a database has tools of its own, and can be backed up without this program.
 */
export async function mustBeOnVolume(cloud: string, volume: ServerVolume): Promise<void> {
  const { database } = await volume.look();
  if (database === "sqlite3") return;
  throw new CliError(
    `${cloud}: its SPIRE server keeps its records in ${database}, not on its volume. Back that database up by its own means, ${TOOLS[database.replace(/^aws_/, "")] ?? "as its provider has them"}; of one that this program made (managedDatastore) its cloud has backups: docs/spire.md#back-up-and-restore.`,
    EXIT.usage,
  );
}

/**
 * Writes an encrypted file with the server's database, as SQLite's own online backup copies it, and keys. The server runs on.
 *
 * @throws CliError when the server is not healthy or nobody could open the file; nothing is written then.
 */
export async function backup(mesh: Mesh, name: string, options: BackupOptions): Promise<BackupReport> {
  const { recipients, limitMs, connect, volumeOf } = options;
  const cloud = cloudNamed(mesh, name);
  await mustHaveRecipients(recipients);
  const made = new Date().toISOString();
  const file = options.file ?? `${name}-${made.replace(/\.\d+Z$/, "Z").replaceAll(":", "")}.backup.age`;
  if (existsSync(file))
    throw new CliError(`${file} is there already; write another with --file.`, EXIT.usage);

  const volume = volumeOf(cloud, mesh.nodeImage);
  await mustBeOnVolume(name, volume);
  const server = serverOf(cloud, connect(cloud), limitMs);
  const shown = await within(limitMs, `${name}: reading its bundle`, () => server.bundleShow());
  const { digest: bundleDigest } = parseSpiffeBundle(shown, cloud.trustDomain, new Date());
  const { counts, files } = readSchema.parse(JSON.parse(await volume.run("read", undefined, limitMs)));
  const { trustDomain } = cloud;
  const content = { format: FORMAT, cloud: name, trustDomain, made, bundleDigest, counts, files } as const;
  const sealed = await seal(content, recipients);
  writeFileSync(file, sealed, { mode: 0o600, flag: "wx", flush: true });
  return { cloud: name, file, made, bytes: sealed.length, bundleDigest, counts };
}

/** What a database holds, in words. */
export const countsText = ({ entries, agents, relationships }: Counts) =>
  `${entries} registration entries, ${agents} SPIRE agents, ${relationships} federation relationships`;

/** The report for people. */
export function backupText({ cloud, file, bytes, counts }: BackupReport): string {
  return `${cloud}: ${file} (${(bytes / 1024).toFixed(0)} KiB, encrypted) has its CA's keys and its database, which is whole: ${countsText(counts)}.
It is good for as long as the CA in it: restored after that, or after a rotation, peers need \`pulumi up --refresh\`.`;
}
