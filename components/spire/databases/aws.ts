// A SPIRE server's database on AWS: PostgreSQL of Amazon RDS in the private subnets of the cluster's VPC.
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { PrivateNetworkOf } from "../../clouds/private-network";
import type { AnyDatastore } from "../datastore";
import {
  type Database,
  DATABASE_NAME,
  DATABASE_PORT,
  type DatabaseArgs,
  databasePassword,
  libpqString,
  POSTGRES,
} from "./database";
import { RDS_CA, rdsRoot } from "./rds-root";

/**
 * An instance that only the cluster's nodes and pods reach. From version 15 on RDS' own parameters let nobody in unencrypted (`rds.force_ssl`; Amazon RDS user guide,
 * "Using SSL with a PostgreSQL DB instance").
 */
export class RdsDatabase extends pulumi.ComponentResource implements Database {
  readonly datastore: AnyDatastore;
  readonly ready: readonly pulumi.Resource[];

  constructor(
    name: string,
    { settings, protect }: DatabaseArgs,
    network: PrivateNetworkOf<"aws">,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("agentweave:spire:RdsDatabase", name, {}, opts);
    const self = { parent: this, provider: network.sdk };
    const tags = { Name: name };
    const subnets = new aws.rds.SubnetGroup(
      name,
      { description: `Of ${name}`, subnetIds: [...network.privateSubnetIds], tags },
      self,
    );
    const group = new aws.ec2.SecurityGroup(
      name,
      { vpcId: network.vpcId, description: `Clients of ${name}`, tags },
      self,
    );
    const rule = new aws.vpc.SecurityGroupIngressRule(
      `${name}-cluster`,
      {
        securityGroupId: group.id,
        description: "Nodes and pods of the cluster",
        referencedSecurityGroupId: network.securityGroupId,
        ipProtocol: "tcp",
        fromPort: DATABASE_PORT,
        toPort: DATABASE_PORT,
      },
      self,
    );
    const password = databasePassword(name, this);
    const { size, storageGb, standby, backupDays, ca = rdsRoot(network.region) } = settings;
    const instance = new aws.rds.Instance(
      name,
      {
        engine: "postgres",
        engineVersion: POSTGRES,
        autoMinorVersionUpgrade: true,
        instanceClass: size,
        storageType: "gp3",
        allocatedStorage: storageGb,
        storageEncrypted: true,
        multiAz: standby,
        backupRetentionPeriod: backupDays,
        copyTagsToSnapshot: true,
        dbName: DATABASE_NAME,
        username: DATABASE_NAME,
        password,
        port: DATABASE_PORT,
        dbSubnetGroupName: subnets.name,
        vpcSecurityGroupIds: [group.id],
        publiclyAccessible: false,
        caCertIdentifier: RDS_CA,
        deletionProtection: protect,
        // It leaves with the server, whose keys leave with their volume: nothing could use the copy.
        skipFinalSnapshot: true,
        // Else a change waits for the next window of maintenance, and Pulumi tells of it as made.
        applyImmediately: true,
        tags,
      },
      { ...self, protect },
    );
    this.datastore = {
      type: "postgres",
      connectionString: libpqString({
        host: instance.address,
        user: instance.username,
        dbname: instance.dbName,
        password,
        sslmode: "verify-full",
      }),
      ca,
    };
    this.ready = [instance, rule];
    this.registerOutputs({});
  }
}
