// What databases of all clouds have in common: what is asked of one, and how a SPIRE server reaches it.
import * as pulumi from "@pulumi/pulumi";
import { LETTERS, RandomText } from "../../random-text";
import type { AnyDatastore } from "../datastore";

/** What an operator may choose of a database that the program makes. */
export interface DatabaseSettings {
  /** Of its machine, in the cloud's own word. */
  readonly size: string;
  /** Its disk in GB. */
  readonly storageGb: number;
  /** Whether there is a copy in another zone that takes over. */
  readonly standby: boolean;
  /** For how many days backups are kept. */
  readonly backupDays: number;
  /** PEM of the CA certificates under which its certificate must hold. Default: those that are known for the cloud. */
  readonly ca?: string;
}

/** What a database of any cloud needs. */
export interface DatabaseArgs {
  readonly settings: DatabaseSettings;
  /** Whether Pulumi and the cloud refuse to delete or replace it. */
  readonly protect: boolean;
}

/** A database that the program makes: private, encrypted, with backups from which it is restored as it was at any time. */
export interface Database {
  readonly datastore: AnyDatastore;
  /** What must be there before the server can use it. */
  readonly ready: readonly pulumi.Resource[];
}

/** Major version of PostgreSQL, which all three clouds have. They apply its minor ones. */
export const POSTGRES = "17";

/** TCP port, PostgreSQL's own. */
export const DATABASE_PORT = 5432;

/** Name of the database, and of who logs in. */
export const DATABASE_NAME = "spire";

/**
 * A password that nobody chooses: a secret of letters alone, which needs no quotes in a connection string. It stays as long as the resource
 * does.
 */
export const databasePassword = (name: string, parent: pulumi.Resource): pulumi.Output<string> =>
  pulumi.secret(new RandomText(`${name}-password`, { length: 40, alphabet: LETTERS }, { parent }).value);

/** How lib/pq reaches a database. `sslmode`: `verify-full` asks for the host's name in its certificate, `verify-ca` for the CA alone. */
export function libpqString(parameters: {
  readonly host: pulumi.Input<string>;
  readonly user: pulumi.Input<string>;
  readonly dbname: pulumi.Input<string>;
  readonly password: pulumi.Input<string>;
  readonly sslmode: "verify-full" | "verify-ca";
}): pulumi.Output<string> {
  return pulumi.output(parameters).apply((known) =>
    Object.entries(known)
      .map(([key, value]) => `${key}=${value}`)
      .join(" "),
  );
}
