// A SPIRE server's database on Google Cloud: PostgreSQL of Cloud SQL, behind an address of the cluster's subnetwork.
import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import type { PrivateNetworkOf } from "../../clouds/private-network";
import type { AnyDatastore } from "../datastore";
import {
  type Database,
  DATABASE_NAME,
  type DatabaseArgs,
  databasePassword,
  libpqString,
  POSTGRES,
} from "./database";

/** Longest that Cloud SQL's edition Enterprise keeps the log by which a database is restored as it was at any time, in days. */
const LOG_DAYS = 7;

/** Five servers open 150; by default a machine of less than 6 GB takes 100 (Cloud SQL, "Quotas and limits", maximum concurrent connections). */
const MOST_CONNECTIONS = "200";

/**
 * An instance without a public address, which is reached through Private Service Connect: an endpoint in the nodes' subnetwork takes one address, where a peering of networks
 * takes a range that nobody of the mesh may have. Disks are encrypted by Google in any case.
 */
export class CloudSqlDatabase extends pulumi.ComponentResource implements Database {
  readonly datastore: AnyDatastore;
  readonly ready: readonly pulumi.Resource[];

  constructor(
    name: string,
    { settings, protect }: DatabaseArgs,
    network: PrivateNetworkOf<"gcp">,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("agentweave:spire:CloudSqlDatabase", name, {}, opts);
    const self = { parent: this, provider: network.sdk };
    const { region } = network;
    const { size, storageGb, standby, backupDays } = settings;
    const instance = new gcp.sql.DatabaseInstance(
      name,
      {
        region,
        databaseVersion: `POSTGRES_${POSTGRES}`,
        // The first is Pulumi's provider's, the second Google's.
        deletionProtection: protect,
        settings: {
          deletionProtectionEnabled: protect,
          edition: "ENTERPRISE",
          tier: size,
          availabilityType: standby ? "REGIONAL" : "ZONAL",
          diskType: "PD_SSD",
          diskSize: storageGb,
          // Where it grew by itself, the next `up --refresh` would find it too large, and replace the instance.
          diskAutoresize: false,
          backupConfiguration: {
            enabled: true,
            backupRetentionSettings: { retainedBackups: backupDays },
            pointInTimeRecoveryEnabled: true,
            transactionLogRetentionDays: LOG_DAYS,
          },
          ipConfiguration: {
            ipv4Enabled: false,
            pscConfigs: [{ pscEnabled: true, allowedConsumerProjects: [network.project] }],
            sslMode: "ENCRYPTED_ONLY",
            serverCaMode: "GOOGLE_MANAGED_INTERNAL_CA",
          },
          databaseFlags: [{ name: "max_connections", value: MOST_CONNECTIONS }],
        },
      },
      { ...self, protect, dependsOn: [...network.apis] },
    );
    const address = new gcp.compute.Address(
      `${name}-endpoint`,
      { region, addressType: "INTERNAL", subnetwork: network.subnetworkId },
      self,
    );
    const endpoint = new gcp.compute.ForwardingRule(
      `${name}-endpoint`,
      {
        region,
        network: network.networkId,
        ipAddress: address.selfLink,
        target: instance.pscServiceAttachmentLink,
        // That of Private Service Connect has none.
        loadBalancingScheme: "",
      },
      self,
    );
    const password = databasePassword(name, this);
    // They leave with the instance: PostgreSQL deletes no database that somebody uses, and nobody who owns tables.
    const leaves = { instance: instance.name, deletionPolicy: "ABANDON" };
    const user = new gcp.sql.User(name, { ...leaves, name: DATABASE_NAME, password }, self);
    const database = new gcp.sql.Database(name, { ...leaves, name: DATABASE_NAME }, self);
    this.datastore = {
      type: "postgres",
      connectionString: libpqString({
        host: address.address,
        user: user.name,
        dbname: database.name,
        password,
        // The CA is of this instance alone, so that its certificate proves the instance. It has no name of a host in it (Cloud SQL, "About server certificates").
        sslmode: "verify-ca",
      }),
      ca: instance.serverCaCerts.apply((certificates) => certificates.map(({ cert }) => cert).join("\n")),
    };
    this.ready = [instance, endpoint, user, database];
    this.registerOutputs({});
  }
}
