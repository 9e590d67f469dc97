// A backup as a file: encrypted by age (https://age-encryption.org/v1), so that the program `age` opens it, too.
import { z } from "zod";
import { CliError, EXIT, lineOf } from "../errors";

const countsSchema = z.object({ entries: z.int(), agents: z.int(), relationships: z.int() });

const backupSchema = z.object({
  format: z.literal("agentweave-mesh/spire-server/1"),
  cloud: z.string(),
  trustDomain: z.string(),
  /** When it was made, ISO 8601. */
  made: z.iso.datetime(),
  /** Digest of the bundle that the server served then. */
  bundleDigest: z.string(),
  counts: countsSchema,
  /** The files of the server's volume: JSON `{<name>: <base64>}`, compressed by gzip, in base64. */
  files: z.string().min(1),
});

/** What a database holds. */
export type Counts = z.infer<typeof countsSchema>;

/** What is kept of a SPIRE server. It has the keys of its CA. */
export type Backup = z.infer<typeof backupSchema>;

export const FORMAT = "agentweave-mesh/spire-server/1" satisfies Backup["format"];

/** What a pod prints of the volume, and what it has put back. */
export const readSchema = z.object({ counts: countsSchema, files: z.string().min(1) });
export const writtenSchema = z.object({ counts: countsSchema });

// It is an ES module, and only these two commands need it.
const library = () => import("age-encryption");

async function encrypterFor(recipients: readonly string[]) {
  const { Encrypter } = await library();
  const encrypter = new Encrypter();
  for (const recipient of recipients)
    try {
      encrypter.addRecipient(recipient);
    } catch {
      throw new CliError(
        `--recipient ${recipient} is no public key of age; write what \`age-keygen\` prints: age1….`,
        EXIT.usage,
      );
    }
  return encrypter;
}

/**
 * The encrypted file.
 *
 * @param recipients public keys, `age1…`; the private key of any of them opens it.
 * @throws CliError that names a recipient which is none.
 */
export async function seal(backup: Backup, recipients: readonly string[]): Promise<Uint8Array> {
  return (await encrypterFor(recipients)).encrypt(JSON.stringify(backup));
}

/** Whether somebody can open what is to be sealed: asked before anything is read. Throws as `seal` does. */
export async function mustHaveRecipients(recipients: readonly string[]): Promise<void> {
  if (recipients.length === 0)
    throw new CliError(
      "Name who may open the backup, which has the keys of the CA: --recipient age1…, as `age-keygen` prints it.",
      EXIT.usage,
    );
  await encrypterFor(recipients);
}

/** Private keys of a file as `age-keygen` writes it. */
const identitiesIn = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));

/**
 * The backup in an encrypted file.
 *
 * @param identities text of a file with private keys, `AGE-SECRET-KEY-1…`, one in a line.
 * @throws CliError that never quotes a key.
 */
export async function unseal(file: Uint8Array, identities: string): Promise<Backup> {
  const { Decrypter } = await library();
  const decrypter = new Decrypter();
  try {
    for (const identity of identitiesIn(identities)) decrypter.addIdentity(identity);
  } catch {
    throw new CliError("--identity is no file as `age-keygen` writes it: AGE-SECRET-KEY-1….", EXIT.usage);
  }
  let text: string;
  try {
    text = await decrypter.decrypt(file, "text");
  } catch (error) {
    throw new CliError(`The backup cannot be opened by these keys: ${lineOf(error)}.`, EXIT.usage);
  }
  const parsed = backupSchema.safeParse(jsonIn(text));
  if (!parsed.success)
    throw new CliError("The file is no backup of `npx mesh backup`, or of a newer version.", EXIT.usage);
  return parsed.data;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
