// A cloud's SPIRE server: which settings go together.
import { serverPorts } from "../../components/spire";
import { parseConfig } from "../../infra/config";
import { settleServer } from "../../infra/config/settle";
import { problemsOf } from "../support/problems";

const cloud = (spire: object, more: object = {}) => ({
  provider: "aws",
  nodes: { checkCapacity: false },
  spire,
  ...more,
});
const parse = (aws: object, spire: object = {}, others: object = {}, more: object = {}) =>
  parseConfig(
    { clouds: { aws: cloud(aws), ...others }, spire, network: { mode: "direct" }, ...more },
    { stack: "test", projectDir: "/srv" },
  );
const postgres = { type: "postgres", connectionString: "host=db password=hidden" };
const mysql = { type: "mysql", connectionString: "spire:hidden@tcp(db)/spire?parseTime=true&tls=true" };
const CA = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";
const MACHINES = { sources: ["203.0.113.0/24"], x509pop: { ca: CA } };
const STORE = { type: "gcp_cloudstorage", bucket: "mesh-bundles", objectName: "bundle.json" };
const KIND = {
  provider: "existing",
  region: "here",
  podCidr: "10.50.0.0/16",
  serviceCidr: "10.51.0.0/16",
  spire: { managedDatastore: {} },
};
const APART = {
  clusterName: "apart",
  network: { vpcCidr: "10.40.0.0/16", serviceCidr: "10.41.0.0/16" },
};
const S3 = { type: "aws_s3", region: "us-east-1", bucket: "mesh-bundles", objectKey: "bundle.json" };
const lab = (n: number, spire?: object) => ({
  provider: "existing",
  kubeconfig: { stack: "a/b/c", output: "kubeconfig" },
  region: "us-east-1",
  podCidr: `10.${200 + n}.0.0/16`,
  serviceCidr: `10.${210 + n}.0.0/16`,
  ...(spire && { spire }),
});
const gcp = (spire?: object) => ({ gcp: cloud(spire ?? {}, { provider: "gcp", project: "mesh-project" }) });

test.each<[string, Parameters<typeof parse>, RegExp[]]>([
  [
    "replicas on SQLite",
    [{}, { replicas: 2 }],
    [/^spire\.replicas: is 2, .*write clouds\.aws\.spire\.managedDatastore: \{\} or datastore, or/],
  ],
  ["a cloud's own replicas on SQLite", [{ replicas: 3 }], [/^clouds\.aws\.spire\.replicas: is 3, .*, or 1$/]],
  [
    "too many replicas",
    [{ replicas: 9, datastore: postgres }],
    [/^clouds\.aws\.spire\.replicas: .*at most 5/],
  ],
  [
    "MySQL's times as texts",
    [{ datastore: { ...mysql, connectionString: "spire:hidden@tcp(db)/spire" } }],
    [/^clouds\.aws\.spire\.datastore\.connectionString: is none of type mysql; write .*parseTime=true$/],
  ],
  [
    "the other kind's connection string",
    [{ datastore: { ...mysql, type: "postgres" } }],
    [/connectionString: is none of type postgres; write host=/],
  ],
  [
    "a password where AWS gives tokens",
    [{ datastore: { ...postgres, type: "aws_postgres" } }],
    [/connectionString: is none of type aws_postgres; write .* without a password$/],
  ],
  [
    "a token of AWS in the clear",
    [
      {
        datastore: {
          type: "aws_postgres",
          connectionString: "host=db user=spire dbname=spire sslmode=prefer",
        },
      },
    ],
    [/connectionString: is none of type aws_postgres; write .*verify-full/],
  ],
  [
    "MySQL that refuses tokens",
    [{ datastore: { ...mysql, type: "aws_mysql" } }],
    [/connectionString: is none of type aws_mysql; write .*allowCleartextPasswords=1/],
  ],
  [
    "a region that nobody asks for",
    [{ datastore: { ...postgres, region: "us-east-1" } }],
    [/^clouds\.aws\.spire\.datastore\.region: has no effect on type postgres; .*aws_postgres$/],
  ],
  [
    "a database of the program's beside one's own",
    [{ datastore: postgres, managedDatastore: {} }],
    [/^clouds\.aws\.spire\.managedDatastore: is beside datastore, .* remove either$/],
  ],
  [
    "a database in a network that is not the program's",
    [{}, {}, { kind: KIND }],
    [
      /^clouds\.kind\.spire\.managedDatastore: is not a known key; .*datastore/,
      /^clouds\.kind\.kubeconfig: is missing/,
    ],
  ],
  [
    "sizes that Amazon RDS has not, and backups that are none",
    [{ managedDatastore: { size: "m6i.large", storageGb: 10, backupDays: 0 } }],
    [
      /managedDatastore\.size: .*an instance class of Amazon RDS such as db\.t4g\.small$/,
      /managedDatastore\.storageGb: is 10; write at least 20$/,
      /managedDatastore\.backupDays: is 0; write at least 7$/,
    ],
  ],
  [
    "a network on Azure without room for a database, and a standby and a disk that Azure has not",
    [
      {},
      {},
      {
        azure: cloud(
          { managedDatastore: { size: "Standard_B2s", storageGb: 48 } },
          { provider: "azure", network: { vnetCidr: "10.30.0.0/26", nodeCidr: "10.30.0.0/27" } },
        ),
      },
    ],
    [
      /managedDatastore\.storageGb: is 48; write 32, 64, 128/,
      /^clouds\.azure\.network\.nodeCidr: 10\.30\.0\.0\/27 leaves no \/28 of vnetCidr for the database/,
      /managedDatastore\.standby: is true, which Azure has not with Standard_B2s; /,
    ],
  ],
  [
    "a region whose CA nobody knows",
    [
      { managedDatastore: {} },
      {},
      { cn: cloud({ managedDatastore: {} }, { region: "cn-north-1", ...APART }) },
    ],
    [/^clouds\.cn\.spire\.managedDatastore\.ca: is missing, .* Amazon RDS in cn-north-1 /],
  ],
  [
    "one database for two clouds",
    [{ datastore: postgres }, {}, gcp({ datastore: postgres })],
    [/^clouds\.gcp\.spire\.datastore\.connectionString: is cloud aws's already/],
  ],
  [
    "a certificate without its key",
    [{ datastore: { ...postgres, clientCertificate: CA } }],
    [/^clouds\.aws\.spire\.datastore\.clientKey: is missing; write it beside clientCertificate$/],
  ],
  [
    "a CA that is none",
    [{ datastore: { ...postgres, ca: "/etc/ca.pem" } }],
    [/datastore\.ca: .*text of a PEM file/],
  ],
  [
    "a key service that there is not",
    [{ keyManager: { type: "kms" } }],
    [/keyManager\.type: .*write one of "disk"/],
  ],
  [
    "a key ring by its name",
    [{ keyManager: { type: "gcp_kms", keyRing: "spire" } }],
    [/keyManager\.keyRing: .*projects\/mesh\/locations/],
  ],
  [
    "a bucket by its URL",
    [{ bundlePublisher: { type: "aws_s3", bucket: "s3://mesh", objectKey: "bundle.json" } }],
    [/bundlePublisher\.bucket: .*the name of a bucket/],
  ],
  [
    "one object for two clouds",
    [{ bundlePublisher: STORE }, {}, gcp({ bundlePublisher: STORE })],
    [/^clouds\.gcp\.spire\.bundlePublisher: is cloud aws's object already/],
  ],
  [
    "a URL that nobody asks for",
    [{ bundlePublisher: S3, bundleUrl: "https://cdn.example.org/aws.json" }],
    [/^clouds\.aws\.spire\.bundleUrl: has no effect with trust\.endpoint server/],
  ],
  [
    "buckets that are not there, or not known",
    [
      { bundlePublisher: { ...S3, endpoint: "https://minio.example.org:9000" } },
      {},
      {
        ...gcp({ bundlePublisher: STORE, bundleUrl: "https://cdn.example.org/bundle.json" }),
        lab: lab(1),
        site: lab(2, { bundlePublisher: S3, bundleUrl: "https://cdn.example.org/bundle.json" }),
      },
      { trust: { endpoint: "bucket", caTtl: "5h", svidTtl: "30m", refreshHint: "5m" } },
    ],
    [
      /^clouds\.aws\.spire\.bundleUrl: is missing, .*write that of the object$/,
      /^clouds\.lab\.spire\.bundlePublisher: is missing, .*write it, or trust\.endpoint: server$/,
      /^clouds\.site\.spire\.bundleUrl: is cloud gcp's already/,
      /^trust\.caTtl: is 5h, .*cloud gcp be cached for an hour; write at least 6h$/,
    ],
  ],
  [
    "a bucket of the program's for an identity that is not",
    [
      { serviceAccountAnnotations: { "eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/spire" } },
      {},
      {},
      { trust: { endpoint: "bucket" } },
    ],
    [/^clouds\.aws\.spire\.bundlePublisher: is missing, .*role-arn .*write the bucket/],
  ],
  [
    "a bucket of the program's that would take the place of the server's identity",
    [{ keyManager: { type: "aws_kms" } }, {}, {}, { trust: { endpoint: "bucket" } }],
    [/^clouds\.aws\.spire\.bundlePublisher: is missing, .*known to aws_kms/],
  ],
  [
    "one that would take the place of that by which instances of AWS are looked at",
    [
      { nodeAttestors: { ...MACHINES, aws_iid: { accounts: ["111122223333"] } } },
      {},
      {},
      { trust: { endpoint: "bucket" } },
    ],
    [/^clouds\.aws\.spire\.bundlePublisher: is missing, .*known to aws_iid/],
  ],
  [
    "machines from everywhere",
    [{ nodeAttestors: { ...MACHINES, sources: ["0.0.0.0/0"] } }],
    [/^clouds\.aws\.spire\.nodeAttestors\.sources\[0\]: .*between \/8 and \/32$/],
  ],
  [
    "machines from nowhere",
    [{ nodeAttestors: { ...MACHINES, sources: [] } }],
    [/^clouds\.aws\.spire\.nodeAttestors\.sources: /],
  ],
  [
    "machines from addresses that the internet does not have",
    [{ nodeAttestors: { ...MACHINES, sources: ["203.0.113.0/24", "10.7.0.0/16"] } }],
    [/^clouds\.aws\.spire\.nodeAttestors\.sources\[1\]: 10\.7\.0\.0\/16 is no range of the internet/],
  ],
  [
    "machines that attest by nothing",
    [{ nodeAttestors: { sources: MACHINES.sources } }],
    [/^clouds\.aws\.spire\.nodeAttestors: .*write at least one of x509pop, /],
  ],
  [
    "machines of anybody's account, project, tenant or subscription",
    [
      {
        nodeAttestors: {
          sources: MACHINES.sources,
          aws_iid: {},
          gcp_iit: { projects: [] },
          azure_imds: { tenants: { "example.org": {} } },
        },
      },
    ],
    [/aws_iid\.accounts: is missing/, /gcp_iit\.projects: /, /subscriptions: is missing/],
  ],
  [
    "no tenant",
    [{ nodeAttestors: { ...MACHINES, azure_imds: { tenants: {} } } }],
    [/^clouds\.aws\.spire\.nodeAttestors\.azure_imds\.tenants: .*write at least one tenant by its domain$/],
  ],
  [
    "machines that would come through tunnels",
    [{ nodeAttestors: MACHINES }, {}, {}, { network: { mode: "vpn" } }],
    [
      /^clouds\.aws\.spire\.nodeAttestors: .* network\.mode vpn .*; remove it, or write network\.mode: direct/,
    ],
  ],
  [
    "a secret for a cloud",
    [{ nodeAttestors: { ...MACHINES, aws_iid: { accounts: ["111122223333"], secretAccessKey: "x" } } }],
    [/aws_iid\.secretAccessKey: is not a known key/],
  ],
  [
    "buckets for nobody, in one trust domain",
    [{}, {}, {}, { trust: { mode: "single", endpoint: "bucket" } }],
    [/^trust\.endpoint: is bucket, but .*without partners nobody/],
  ],
  [
    "buckets for nobody, with one server",
    [{}, { topology: "central", serverCloud: "aws" }, {}, { trust: { mode: "single", endpoint: "bucket" } }],
    [/^trust\.endpoint: is bucket, but with spire\.topology central/],
  ],
  [
    "an issuer with its scheme",
    [{ oidc: { domain: "https://oidc.example.org" } }],
    [/oidc\.domain: .*a DNS name such as .*without https/],
  ],
  [
    "keys from the internet in the clear",
    [{ oidc: { domain: "oidc.example.org", exposure: "public" } }],
    [/^clouds\.aws\.spire\.oidc\.tlsSecret: is missing, .*exposure: cluster$/],
  ],
  [
    "one issuer for two clouds",
    [{ oidc: { domain: "oidc.example.org" } }, {}, gcp({ oidc: { domain: "oidc.example.org" } })],
    [/^clouds\.gcp\.spire\.oidc\.domain: is cloud aws's already/],
  ],
  [
    "a kind that the controller manager would take federation away by",
    [{ controllerManager: { federation: true } }],
    [/^clouds\.aws\.spire\.controllerManager\.federation: is not a known key/],
  ],
])("refuses %s, and quotes no secret", (_name, args, expected) => {
  const problems = problemsOf(() => parse(...args));
  expect(problems).toEqual(expected.map((pattern) => expect.stringMatching(pattern) as string));
  expect(problems.join()).not.toContain("hidden");
});

test("takes replicas where there is a database, and one where a cloud says so", () => {
  const { clouds, spire } = parse(
    { datastore: mysql, keyManager: { type: "aws_kms" } },
    { replicas: 2 },
    gcp({ replicas: 1 }),
  );
  const [aws, other] = clouds.map((each) => settleServer(each, spire));
  expect(aws).toEqual({
    replicas: 2,
    datastore: mysql,
    keyManager: { type: "aws_kms", region: clouds[0]!.region },
  });
  expect(other).toMatchObject({ replicas: 1 });
});

test.each([
  { type: "aws_postgres", connectionString: "host=db user=spire dbname=spire sslmode=verify-full" },
  {
    type: "aws_mysql",
    connectionString: "spire@tcp(db:3306)/spire?parseTime=true&allowCleartextPasswords=1&tls=true",
  },
] as const)("has $type in the cloud's region, and asks AWS for its tokens", (datastore) => {
  const { clouds, spire } = parse({ datastore });
  const plan = settleServer(clouds[0]!, spire);
  expect(plan.datastore).toEqual({ ...datastore, region: clouds[0]!.region });
  expect(serverPorts(plan)).toEqual({
    datastore: [datastore.type === "aws_mysql" ? 3306 : 5432],
    keyService: [443],
    bundleStore: [],
  });
});

test("a bucket of S3 is in the cloud's region, where no other is written", () => {
  const bundlePublisher = { type: "aws_s3", bucket: "mesh-bundles", objectKey: "bundle.json" };
  const { clouds, spire } = parse({ bundlePublisher });
  expect(settleServer(clouds[0]!, spire).bundlePublisher).toEqual({
    ...bundlePublisher,
    region: clouds[0]!.region,
  });
});

test.each([
  [S3, "https://mesh-bundles.s3.us-east-1.amazonaws.com/bundle.json"],
  [{ ...S3, bucket: "mesh.bundles" }, "https://s3.us-east-1.amazonaws.com/mesh.bundles/bundle.json"],
  [
    { ...S3, region: "cn-north-1", objectKey: "ours/50%" },
    "https://mesh-bundles.s3.cn-north-1.amazonaws.com.cn/ours/50%25",
  ],
  [STORE, "https://storage.googleapis.com/mesh-bundles/bundle.json"],
  [
    { type: "azure_blob", storageAccount: "mesh", container: "bundles", blobName: "azure/bundle.json" },
    "https://mesh.blob.core.windows.net/bundles/azure/bundle.json",
  ],
])("%o is read at %s", (bundlePublisher, url) => {
  const { clouds, spire } = parse({ bundlePublisher });
  expect(settleServer(clouds[0]!, spire).bundleUrl).toBe(url);
  const own = { bundlePublisher, bundleUrl: "https://cdn.example.org/" };
  const others = parse(own, {}, {}, { trust: { endpoint: "bucket" } });
  expect(settleServer(others.clouds[0]!, others.spire).bundleUrl).toBe("https://cdn.example.org/");
});

test("a server with an issuer names it", () => {
  const { clouds, spire } = parse({ oidc: { domain: "oidc.example.org" } });
  expect(settleServer(clouds[0]!, spire)).toEqual({ replicas: 1, jwtIssuer: "https://oidc.example.org" });
});

test("says nothing of a connection string that only Pulumi can decrypt", () => {
  const encrypted = { type: "mysql", connectionString: "encrypted" };
  expect(
    problemsOf(() => parse({ datastore: encrypted }, { replicas: 2 }, gcp({ datastore: encrypted }))),
  ).toEqual([]);
});
