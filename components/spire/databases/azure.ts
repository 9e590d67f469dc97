// A SPIRE server's database on Azure: a flexible server of PostgreSQL in a subnet of the cluster's virtual network.
import * as authorization from "@pulumi/azure-native/authorization";
import * as dbforpostgresql from "@pulumi/azure-native/dbforpostgresql";
import * as privatedns from "@pulumi/azure-native/privatedns";
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

/** Tiers of machines by how their names begin (Azure Database for PostgreSQL, "Compute options"). */
const TIERS = {
  Standard_B: "Burstable",
  Standard_D: "GeneralPurpose",
  Standard_E: "MemoryOptimized",
} as const;

const tierOf = (size: string) => TIERS[size.slice(0, "Standard_B".length) as keyof typeof TIERS];

/**
 * A flexible server that is part of the virtual network, and has no other address. It lets nobody in unencrypted (`require_secure_transport` is on), and its disks are encrypted by
 * Azure in any case.
 */
export class FlexibleServerDatabase extends pulumi.ComponentResource implements Database {
  readonly datastore: AnyDatastore;
  readonly ready: readonly pulumi.Resource[];

  constructor(
    name: string,
    { settings, protect }: DatabaseArgs,
    network: PrivateNetworkOf<"azure">,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("agentweave:spire:FlexibleServerDatabase", name, {}, opts);
    const self = { parent: this, provider: network.sdk };
    const { resourceGroupName, location, databaseSubnetId } = network;
    if (databaseSubnetId === undefined) throw new Error(`${name}: no range is left for its subnet`);
    const tags = { ...network.tags };
    const zone = new privatedns.PrivateZone(
      name,
      {
        resourceGroupName,
        location: "global",
        tags,
        // Of two labels before the suffix, of which none is the server's name (Azure Database for PostgreSQL, "Network with private access", private DNS).
        privateZoneName: `${name}.private.postgres.database.azure.com`,
      },
      self,
    );
    const link = new privatedns.VirtualNetworkLink(
      `${name}-link`,
      {
        resourceGroupName,
        location: "global",
        tags,
        privateZoneName: zone.name,
        virtualNetwork: { id: network.virtualNetworkId },
        registrationEnabled: false,
      },
      self,
    );
    // Azure asks for three kinds of characters.
    const password = pulumi.interpolate`${databasePassword(name, this)}1`;
    const { size, storageGb, standby, backupDays } = settings;
    const server = new dbforpostgresql.Server(
      name,
      {
        resourceGroupName,
        location,
        tags,
        version: POSTGRES,
        sku: { name: size, tier: tierOf(size) },
        storage: { storageSizeGB: storageGb },
        highAvailability: { mode: standby ? "ZoneRedundant" : "Disabled" },
        backup: { backupRetentionDays: backupDays, geoRedundantBackup: "Disabled" },
        network: {
          delegatedSubnetResourceId: databaseSubnetId,
          privateDnsZoneArmResourceId: zone.id,
        },
        authConfig: { passwordAuth: "Enabled", activeDirectoryAuth: "Disabled" },
        administratorLogin: DATABASE_NAME,
        administratorLoginPassword: password,
      },
      // Its name is found by the link, which Azure asks for at the start.
      { ...self, protect, dependsOn: link },
    );
    // Azure's own protection is no property of a server.
    if (protect)
      new authorization.ManagementLockByScope(
        `${name}-lock`,
        { scope: server.id, level: "CanNotDelete", notes: "agentweave-mesh:spire.protect" },
        self,
      );
    const database = new dbforpostgresql.Database(
      name,
      { resourceGroupName, serverName: server.name, databaseName: DATABASE_NAME },
      self,
    );
    this.datastore = {
      type: "postgres",
      // Under public CAs, which SPIRE's image has (Azure Database for PostgreSQL, "Transport Layer Security (TLS)", root certificates).
      connectionString: libpqString({
        host: server.fullyQualifiedDomainName,
        user: DATABASE_NAME,
        dbname: database.name,
        password,
        sslmode: "verify-full",
      }),
    };
    this.ready = [server, database];
    this.registerOutputs({});
  }
}
