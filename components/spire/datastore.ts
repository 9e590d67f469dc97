// Where a SPIRE server keeps its records: SQLite on its own volume, or a database that several servers share.
import { scryptSync } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { hclString } from "./hcl";
import { SERVER_PATHS } from "./paths";

/** A database of PostgreSQL or MySQL, as SPIRE's doc/plugin_server_datastore_sql.md has it. */
export interface Datastore<Text extends pulumi.Input<string> = string> {
  /** `aws_…`: Amazon RDS or Aurora, where the pod logs in by its own identity in AWS, for tokens of a quarter of an hour. */
  readonly type: "postgres" | "mysql" | "aws_postgres" | "aws_mysql";
  /** AWS region of the database, which the types `aws_…` need. */
  readonly region?: string;
  /**
   * A secret: `host=… user=… password=… dbname=…` or `postgres://…` of lib/pq; `user:password@tcp(host:port)/name?parseTime=true` of go-sql-driver. Without a password
   * for the types `aws_…`.
   */
  readonly connectionString: Text;
  /** PEM of the CA certificates under which the database's certificate must hold. Default: those of the image, and for PostgreSQL what `sslmode` says. */
  readonly ca?: Text;
  /** PEM of a client certificate, together with `clientKey`. Default: none. */
  readonly clientCertificate?: string;
  /** A secret. */
  readonly clientKey?: string;
}

/** One whose texts may be known only once it is there: the program may make it. */
export type AnyDatastore = Datastore<pulumi.Input<string>>;

/** The Secret with all of it, and the keys in it. */
const DATASTORE_SECRET = {
  name: "spire-server-datastore",
  connection: "connection-string",
  ca: "ca.pem",
  clientCertificate: "client.pem",
  clientKey: "client-key.pem",
} as const;

/** Variable that SPIRE puts into its configuration before it is parsed: the connection string as a literal of HCL. */
const VARIABLE = "SPIRE_DATASTORE";

/** PostgreSQL takes 100 connections by default, and SPIRE opens as many for each server: two servers would starve each other. */
const MOST_CONNECTIONS = 30;

const isMysql = ({ type }: Pick<AnyDatastore, "type">) => type.endsWith("mysql");

/** Whether AWS is asked for tokens, with which the server logs in. */
export const asksAws = ({ type }: Pick<AnyDatastore, "type">) => type.startsWith("aws_");

type File = "ca" | "clientCertificate" | "clientKey";

const filesOf = (datastore: AnyDatastore): readonly File[] =>
  (["ca", "clientCertificate", "clientKey"] as const).filter((file) => datastore[file] !== undefined);

const pathOf = (file: File) => `${SERVER_PATHS.datastoreDir}/${DATASTORE_SECRET[file]}`;

/** Block `DataStore` of `server.conf`. The connection string is not in it, but where SPIRE finds it. */
export function renderDatastore(datastore: AnyDatastore | undefined): string {
  if (datastore === undefined)
    return `\
  DataStore "sql" {
    plugin_data {
      database_type     = "sqlite3"
      connection_string = ${hclString(`${SERVER_PATHS.dataDir}/datastore.sqlite3`)}
    }
  }`;
  // PostgreSQL's are in the connection string.
  const files = isMysql(datastore) ? filesOf(datastore) : [];
  const type = asksAws(datastore)
    ? `database_type ${hclString(datastore.type)} { region = ${hclString(datastore.region ?? "")} }`
    : `database_type     = ${hclString(datastore.type)}`;
  const keys = { ca: "root_ca_path", clientCertificate: "client_cert_path", clientKey: "client_key_path" };
  return `\
  DataStore "sql" {
    plugin_data {
      ${type}
      connection_string = \${${VARIABLE}}
      max_open_conns    = ${MOST_CONNECTIONS}
${files.map((file) => `      ${keys[file].padEnd(17)} = ${hclString(pathOf(file))}\n`).join("")}    }
  }`;
}

/** The connection string with the paths of its files, which lib/pq knows as libpq's parameters do. */
export function connectionString(datastore: Datastore): string {
  const { connectionString: given } = datastore;
  const keys = { ca: "sslrootcert", clientCertificate: "sslcert", clientKey: "sslkey" };
  const files = isMysql(datastore) ? [] : filesOf(datastore).map((file) => `${keys[file]}=${pathOf(file)}`);
  const isUrl = /^postgres(ql)?:\/\//.test(given);
  return files.reduce(
    (text, file) => `${text}${isUrl ? (text.includes("?") ? "&" : "?") : " "}${file}`,
    given,
  );
}

/** TCP port of the database: what the connection string says, else the default of its kind. */
export function datastorePort(datastore: Datastore): number {
  const { connectionString: given } = datastore;
  const written = isMysql(datastore)
    ? /@tcp\([^)]*:(\d+)\)/.exec(given)
    : (/^postgres(?:ql)?:\/\/(?:.*@)?[^/@]*:(\d+)(?:[/?]|$)/.exec(given) ??
      /(?:^|\s)port\s*=\s*'?(\d+)/.exec(given));
  return Number(written?.[1] ?? (isMysql(datastore) ? 3306 : 5432));
}

/**
 * What rolls the pods when the database is reached otherwise. Who may read pods shall not find out a weak password by trying, so that it is slow to make.
 */
export function datastoreChecksum(datastore: Datastore): string {
  return scryptSync(JSON.stringify(datastore), DATASTORE_SECRET.name, 32).toString("hex");
}

/** The Secret. */
export function datastoreSecret(
  name: string,
  metadata: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  datastore: AnyDatastore,
  opts: pulumi.CustomResourceOptions,
): k8s.core.v1.Secret {
  return new k8s.core.v1.Secret(
    name,
    {
      metadata: { ...metadata, name: DATASTORE_SECRET.name },
      type: "Opaque",
      stringData: pulumi.secret({
        [DATASTORE_SECRET.connection]: pulumi
          .output(datastore)
          .apply((all) => hclString(connectionString(all))),
        ...Object.fromEntries(filesOf(datastore).map((file) => [DATASTORE_SECRET[file], datastore[file]!])),
      }),
    },
    opts,
  );
}

/** What the server's pod has for its database. */
export function datastorePod(datastore: AnyDatastore | undefined) {
  if (datastore === undefined) return { args: [], env: [], volumes: [], mounts: [] };
  const files = filesOf(datastore);
  return {
    args: ["-expandEnv"],
    env: [
      {
        name: VARIABLE,
        valueFrom: { secretKeyRef: { name: DATASTORE_SECRET.name, key: DATASTORE_SECRET.connection } },
      },
    ],
    volumes:
      files.length === 0
        ? []
        : [
            {
              name: "datastore",
              secret: {
                secretName: DATASTORE_SECRET.name,
                // lib/pq refuses a key that others may read.
                defaultMode: 0o440,
                items: files.map((file) => ({ key: DATASTORE_SECRET[file], path: DATASTORE_SECRET[file] })),
              },
            },
          ],
    mounts:
      files.length === 0 ? [] : [{ name: "datastore", mountPath: SERVER_PATHS.datastoreDir, readOnly: true }],
  };
}
