// Mistakes in how a SPIRE server's replicas, its database and its keys go together.
import { CONTROLLER_MANAGER } from "../../../components/well-known";
import type { Datastore } from "../../../components/spire/datastore";
import { isNotPublic } from "../clouds/access";
import { type Draft, isUnusable } from "../clouds/spec";
import type { CloudDrafts, ConfigDraft } from "../draft";
import type { Problem } from "../problem";
import { ENCRYPTED } from "../settings";

/** What a connection string has to have. */
const WANTED = {
  postgres: {
    pattern: /^postgres(ql)?:\/\/\S+$|(^|\s)host\s*=/,
    instead: "write host=… user=… password=… dbname=… or postgres://user:password@host/name",
  },
  mysql: {
    pattern: /^[^\s]*\/[^\s/]+\?(.*&)?parseTime=true(&|$)/,
    instead: "write user:password@tcp(host:port)/name?parseTime=true",
  },
  // SPIRE puts its token at the end of the one and between user and host of the other (pkg/server/datastore/sqldriver/awsrds).
  aws_postgres: {
    pattern: /^(?!.*(^|\s)password\s*=)(?=.*(^|\s)host\s*=)(?=.*(^|\s)sslmode\s*=\s*(require|verify-))/,
    instead: "write host=… user=… dbname=… sslmode=verify-full, without a password",
  },
  aws_mysql: {
    pattern:
      /^[^\s:]+:?@tcp\(.*\/[^\s/]+\?(?=(.*&)?parseTime=true(&|$))(?=(.*&)?allowCleartextPasswords=(1|true)(&|$))(?=(.*&)?tls=)/,
    instead:
      "write user@tcp(host:port)/name?parseTime=true&allowCleartextPasswords=1&tls=true, without a password",
  },
} as const;

/** Objects that two servers would overwrite by turns. */
export function bundlePublisherProblems(clouds: CloudDrafts): Problem[] {
  const objects = new Map<string, string>();
  return clouds.flatMap(([cloud, entry]): Problem[] => {
    const publisher: Readonly<Record<string, unknown>> | undefined = entry.spire?.bundlePublisher;
    if (publisher === undefined || Object.values(publisher).includes(undefined)) return [];
    // Of whichever region: names of buckets are the world's.
    const { region: _, ...object } = publisher;
    const key = JSON.stringify(object, Object.keys(object).sort());
    const other = objects.get(key);
    objects.set(key, other ?? cloud);
    const message = `is cloud ${other}'s object already; write another: each trust domain has a bundle of its own`;
    return other === undefined ? [] : [{ path: ["clouds", cloud, "spire", "bundlePublisher"], message }];
  });
}

/** Problems of the clouds' OIDC discovery providers. */
export function oidcProblems(clouds: CloudDrafts): Problem[] {
  const issuers = new Map<string, string>();
  return clouds.flatMap(([cloud, entry]): Problem[] => {
    const { oidc } = entry.spire ?? {};
    if (oidc === undefined) return [];
    const at = (key: string, message: string) => ({ path: ["clouds", cloud, "spire", "oidc", key], message });
    const { domain } = oidc;
    const other = domain === undefined ? undefined : issuers.get(domain);
    if (domain !== undefined) issuers.set(domain, other ?? cloud);
    return [
      ...(other === undefined
        ? []
        : [
            at(
              "domain",
              `is cloud ${other}'s already; write another: each serves the keys of its own cloud's server`,
            ),
          ]),
      ...(oidc.exposure === "public" && !("tlsSecret" in oidc)
        ? [
            at(
              "tlsSecret",
              "is missing, and no verifier takes keys from the internet in the clear; write the name of a Secret with a certificate, or exposure: cluster",
            ),
          ]
        : []),
    ];
  });
}

/** Problems of the ways by which machines outside of Kubernetes attest. */
export function nodeAttestorProblems(
  clouds: CloudDrafts,
  { network }: Pick<ConfigDraft, "network">,
): Problem[] {
  return clouds.flatMap(([cloud, { spire }]): Problem[] => {
    const { nodeAttestors } = spire ?? {};
    if (nodeAttestors === undefined) return [];
    const path = ["clouds", cloud, "spire", "nodeAttestors"];
    if (network?.mode === "vpn") {
      const message =
        "lets machines outside of the mesh's networks attest, but with network.mode vpn SPIRE servers and agents are reached from within these alone; remove it, or write network.mode: direct, or tailscale";
      return [{ path, message }];
    }
    return (nodeAttestors.sources ?? []).flatMap((range, index) => {
      // What could not be used has left a hole.
      if (range === undefined || !isNotPublic(range)) return [];
      const message = `${range} is no range of the internet, from which the load balancer is reached; write the public addresses by which the machines go out`;
      return [{ path: [...path, "sources", index], message }];
    });
  });
}

/** Paths of workloads that somebody else may take in the cluster. */
export function controllerManagerProblems(
  clouds: CloudDrafts,
  { workloads, trust }: Pick<ConfigDraft, "workloads" | "trust">,
): Problem[] {
  const managed = clouds.flatMap(([cloud, { spire }]) => (spire?.controllerManager ? [cloud] : []));
  return Object.entries(workloads ?? {}).flatMap(([name, { path, cloud } = {}]): Problem[] => {
    const where = managed.find((each) => each === cloud || trust?.mode === "single");
    if (where === undefined || path?.split("/")[1] !== CONTROLLER_MANAGER.pathBegin) return [];
    const message = `begins with /${CONTROLLER_MANAGER.pathBegin}, under which ClusterSPIFFEIDs register pods in ${where} (clouds.${where}.spire.controllerManager); write another path`;
    return [{ path: ["workloads", name, "path"], message }];
  });
}

/** Problems of the clouds' SPIRE servers. No text of a connection string is quoted. */
export function spireProblems(clouds: CloudDrafts, { spire }: Pick<ConfigDraft, "spire">): Problem[] {
  const used = new Map<string, string>();
  return clouds.flatMap(([cloud, entry]): Problem[] => {
    const own = entry.spire ?? {};
    const at = (...path: string[]) => ["clouds", cloud, "spire", ...path];
    if (isUnusable(entry, "spire") || isUnusable(own, "datastore")) return [];
    const { datastore, replicas: written } = own;
    const replicas = written ?? spire?.replicas ?? 1;
    if ("managedDatastore" in own) {
      const message =
        "is beside datastore, a database that you have, and a server keeps its records in one; remove either";
      return datastore === undefined ? [] : [{ path: at("managedDatastore"), message }];
    }
    if (datastore === undefined) {
      const [path, one] =
        written === undefined
          ? [["spire", "replicas"], `clouds.${cloud}.spire.replicas: 1`]
          : [at("replicas"), "1"];
      const message = `is ${replicas}, but the SPIRE server of cloud ${cloud} keeps its records in SQLite, on a volume that only one pod has; write clouds.${cloud}.spire.${entry.provider === "existing" ? "datastore" : "managedDatastore: {} or datastore"}, or ${one}`;
      return replicas > 1 ? [{ path, message }] : [];
    }
    return [
      ...connectionProblems(cloud, datastore, used).map((message) => ({
        path: at("datastore", "connectionString"),
        message,
      })),
      ...(datastore.region !== undefined && datastore.type !== undefined && !datastore.type.startsWith("aws_")
        ? [
            {
              path: at("datastore", "region"),
              message: `has no effect on type ${datastore.type}; leave it out, or write type aws_${datastore.type}`,
            },
          ]
        : []),
      ...(["clientCertificate", "clientKey"] as const).flatMap((key, index, keys) =>
        !(key in datastore) && datastore[keys[1 - index]!] !== undefined
          ? [{ path: at("datastore", key), message: `is missing; write it beside ${keys[1 - index]}` }]
          : [],
      ),
    ];
  });
}

function connectionProblems(
  cloud: string,
  { type, connectionString: given }: Draft<Datastore>,
  used: Map<string, string>,
): string[] {
  // What only Pulumi can decrypt is looked at by preview and up.
  if (given === undefined || type === undefined || given === ENCRYPTED) return [];
  if (!WANTED[type].pattern.test(given)) return [`is none of type ${type}; ${WANTED[type].instead}`];
  const other = used.get(given);
  used.set(given, other ?? cloud);
  return other === undefined
    ? []
    : [`is cloud ${other}'s already; write another database: each trust domain has records of its own`];
}
