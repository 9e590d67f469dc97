// The databases that a SPIRE server can have made: what makes one of each provider.
import type * as pulumi from "@pulumi/pulumi";
import type { PrivateNetwork } from "../../clouds/private-network";
import type { Database, DatabaseArgs } from "./database";

type DatabaseClass<N> = new (
  name: string,
  args: DatabaseArgs,
  network: N,
  opts?: pulumi.ComponentResourceOptions,
) => Database;

/* eslint-disable @typescript-eslint/no-require-imports -- As in components/clouds: an SDK is loaded only by the stacks that use it. */
const DATABASES = {
  aws: () => (require("./aws") as typeof import("./aws")).RdsDatabase,
  gcp: () => (require("./gcp") as typeof import("./gcp")).CloudSqlDatabase,
  azure: () => (require("./azure") as typeof import("./azure")).FlexibleServerDatabase,
  // Of its network nothing is known.
  existing: undefined,
} satisfies Record<PrivateNetwork["provider"], (() => DatabaseClass<never>) | undefined>;
/* eslint-enable @typescript-eslint/no-require-imports */

/** Makes the database of a cloud's SPIRE server, in the network of the cluster. */
export function createDatabase(
  name: string,
  args: DatabaseArgs,
  network: PrivateNetwork | undefined,
  opts?: pulumi.ComponentResourceOptions,
): Database {
  const DatabaseOfProvider: DatabaseClass<never> | undefined = network && DATABASES[network.provider]?.();
  if (DatabaseOfProvider === undefined) throw new Error(`${name}: there is no network to make it in`);
  // The table pairs each provider with the class that takes its network, which the compiler cannot follow.
  return new DatabaseOfProvider(name, args, network as never, opts);
}

export { DATABASE_PORT, type DatabaseSettings } from "./database";
