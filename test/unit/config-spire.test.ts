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
const parse = (aws: object, spire: object = {}, others: object = {}) =>
  parseConfig(
    { clouds: { aws: cloud(aws), ...others }, spire, network: { mode: "direct" } },
    { stack: "test", projectDir: "/srv" },
  );
const postgres = { type: "postgres", connectionString: "host=db password=hidden" };
const mysql = { type: "mysql", connectionString: "spire:hidden@tcp(db)/spire?parseTime=true&tls=true" };
const CA = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";
const STORE = { type: "gcp_cloudstorage", bucket: "mesh-bundles", objectName: "bundle.json" };
const gcp = (spire?: object) => ({ gcp: cloud(spire ?? {}, { provider: "gcp", project: "mesh-project" }) });

test.each<[string, Parameters<typeof parse>, RegExp[]]>([
  [
    "replicas on SQLite",
    [{}, { replicas: 2 }],
    [/^spire\.replicas: is 2, .*write clouds\.aws\.spire\.datastore, or/],
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
