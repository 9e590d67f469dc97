// Where a SPIRE server keeps its records and keys: what is rendered, and what the real server says of it.
import fc from "fast-check";
import { renderServerConf, SPIRE_DEFAULTS } from "../../../components/spire/conf";
import {
  connectionString,
  type Datastore,
  datastoreChecksum,
  datastorePod,
  datastorePort,
} from "../../../components/spire/datastore";
import { hclString } from "../../../components/spire/hcl";
import { type KeyManager, keyManagerPod, keyManagerPorts } from "../../../components/spire/key-manager";
import { SERVER_PATHS } from "../../../components/spire/paths";
import { serverPod } from "../../../components/spire/server-pod";
import { restrictedViolations } from "./pod-security";
import { describeRealServer } from "./real-server";

const serverArgs = { trustDomain: "aws.agentweave.io", clusterName: "aws", settings: SPIRE_DEFAULTS };
const files = { ca: "the CA", clientCertificate: "the certificate", clientKey: "the key" };
const POSTGRES: Datastore = { type: "postgres", connectionString: "host=db user=spire password=p@ss$word" };
const MYSQL: Datastore = { type: "mysql", connectionString: "spire:p$w@tcp(db:3307)/spire?parseTime=true" };
const RDS: Datastore = {
  type: "aws_postgres",
  region: "us-east-1",
  connectionString: "host=db user=spire dbname=spire sslmode=verify-full",
};
const RDS_MYSQL: Datastore = {
  type: "aws_mysql",
  region: "us-east-1",
  connectionString: "spire:@tcp(db:3306)/spire?parseTime=true&allowCleartextPasswords=1&tls=true",
};
const VAULT: KeyManager = {
  type: "hashicorp_vault",
  address: "https://vault.example.org:8200",
  role: "spire-server",
  authPath: "kubernetes",
  transitPath: "transit",
};

describe("the database", () => {
  test.each<[string, Datastore, string, number]>([
    [
      "of PostgreSQL, by parameters",
      POSTGRES,
      "host=db user=spire password=p@ss$word sslrootcert=/run/spire/datastore/ca.pem sslcert=/run/spire/datastore/client.pem sslkey=/run/spire/datastore/client-key.pem",
      5432,
    ],
    ["of PostgreSQL, at a port", { ...POSTGRES, connectionString: "host=db port=6432" }, "", 6432],
    [
      "of PostgreSQL, by URL",
      { ...POSTGRES, connectionString: "postgres://spire:p:1@db:6432/spire?sslmode=verify-full" },
      "postgres://spire:p:1@db:6432/spire?sslmode=verify-full&sslrootcert=/run/spire/datastore/ca.pem&sslcert=/run/spire/datastore/client.pem&sslkey=/run/spire/datastore/client-key.pem",
      6432,
    ],
    ["by URL without a port", { ...POSTGRES, connectionString: "postgres://spire:1@db/spire" }, "", 5432],
    // SPIRE has settings of its own for MySQL's files.
    ["of MySQL", MYSQL, MYSQL.connectionString, 3307],
    ["of MySQL without a port", { ...MYSQL, connectionString: "s:1@tcp(db)/s?parseTime=true" }, "", 3306],
    ["of RDS", RDS, "", 5432],
    ["of MySQL in RDS", RDS_MYSQL, "", 3306],
    // What only Pulumi can decrypt.
    ["that cannot be read", { ...POSTGRES, connectionString: "encrypted" }, "", 5432],
  ])("%s is reached with its certificates, and at its port", (_name, datastore, text, port) => {
    if (text !== "") expect(connectionString({ ...datastore, ...files })).toBe(text);
    expect(datastorePort(datastore)).toBe(port);
    expect(connectionString(datastore)).toBe(datastore.connectionString);
  });

  test("leaves no part of its connection string or key in the configuration or the pod", () => {
    const datastore = { ...POSTGRES, ...files };
    const pod = serverPod({ image: "spire", configChecksum: datastoreChecksum(datastore), datastore });
    const shown = renderServerConf({ ...serverArgs, datastore }) + JSON.stringify(pod);
    for (const secret of ["p@ss", "password=", "the key"]) expect(shown).not.toContain(secret);
    expect(datastoreChecksum(datastore)).not.toBe(
      datastoreChecksum({ ...datastore, connectionString: "other" }),
    );
  });
});

describe("the pod", () => {
  test.each<[string, Datastore | undefined, KeyManager | undefined]>([
    ["of a database", { ...POSTGRES, ...files }, undefined],
    ["of Key Vault", undefined, { type: "azure_key_vault", vaultUri: "https://mesh.vault.azure.net/" }],
    ["of Vault", undefined, { ...VAULT, audience: "vault", ca: "the CA" }],
  ])("%s is restricted, and mounts what its configuration names", (_name, datastore, keyManager) => {
    const pod = serverPod({ image: "spire", configChecksum: "1", datastore, keyManager });
    expect(restrictedViolations(pod.spec as never)).toEqual([]);
    const { containers, volumes } = pod.spec as unknown as {
      containers: [{ volumeMounts: { name: string; mountPath: string }[] }];
      volumes: { name: string }[];
    };
    const mounts = containers[0].volumeMounts;
    const ofClaim = "spire-data";
    expect(mounts.map(({ name }) => name).sort()).toEqual(
      [...volumes.map(({ name }) => name), ofClaim].sort(),
    );
    const conf = renderServerConf({ ...serverArgs, datastore, keyManager });
    for (const [, path] of conf.matchAll(/"(\/run[^"]+)"/g))
      expect(mounts.some(({ mountPath }) => path!.startsWith(mountPath))).toBe(true);
  });

  test("of Key Vault has the label by which AKS gives it an identity, and of Vault a token for it", () => {
    const labels = { "azure.workload.identity/use": "true" };
    const vault = keyManagerPod({ ...VAULT, audience: "vault" }, "files");
    expect(keyManagerPod({ type: "azure_key_vault", vaultUri: "" }, "files")).toMatchObject({ labels });
    const serviceAccountToken = { path: "token", audience: "vault" };
    expect(vault.volumes).toMatchObject([{ projected: { sources: [{ serviceAccountToken }] } }]);
  });
});

const KEY_MANAGERS: readonly (readonly [KeyManager, readonly number[]])[] = [
  [{ type: "disk" }, []],
  [{ type: "aws_kms", region: "us-east-1" }, [443]],
  [{ type: "gcp_kms", keyRing: "projects/mesh/locations/us-central1/keyRings/spire" }, [443, 80, 988]],
  [{ type: "azure_key_vault", vaultUri: "https://mesh.vault.azure.net/" }, [443]],
  [VAULT, [8200]],
  [{ ...VAULT, address: "https://vault.example.org", namespace: "team", ca: "the CA" }, [443]],
];

describe("a key manager", () => {
  test.each(KEY_MANAGERS)(
    "%j is reached at ports %j, without a credential in the configuration",
    (keyManager, ports) => {
      expect(keyManagerPorts(keyManager)).toEqual(ports);
      const text = renderServerConf({ ...serverArgs, keyManager });
      expect(text).not.toMatch(/secret|access_key|app_id|credential|token_auth|approle/);
      // Servers that share a database must not share an id.
      const own = keyManager.type === "disk" ? "keys_path" : "key_identifier_file";
      expect(text).toContain(`${own} = "${SERVER_PATHS.dataDir}/`);
    },
  );
});

describeRealServer((ask) => {
  const validate = (conf: string, args: readonly string[] = [], env: Record<string, string> = {}) =>
    ask(conf, { args, env });

  test.each(KEY_MANAGERS)("finds key manager %j valid, and one with a key misspelt invalid", (keyManager) => {
    const conf = renderServerConf({ ...serverArgs, keyManager });
    expect(validate(conf)).toContain("is valid");
    expect(validate(conf.replace(/keys_path|key_identifier_file/, "misspelt"))).not.toContain("is valid");
  });

  test.each([
    { ...POSTGRES, ...files },
    POSTGRES,
    { ...MYSQL, ...files },
    { ...RDS, ca: "the CA" },
    RDS_MYSQL,
  ])("finds database %j valid", (datastore) => {
    const conf = renderServerConf({ ...serverArgs, datastore });
    const { args, env } = datastorePod(datastore);
    const variables = { [env[0]!.name]: hclString(connectionString(datastore)) };
    expect(validate(conf, args, variables)).toContain("is valid");
    expect(validate(conf, [], variables)).not.toContain("is valid");
  });

  test("reads any connection string from the variable as it is", () => {
    const { args, env } = datastorePod(POSTGRES);
    const conf = renderServerConf({ ...serverArgs, clusterName: "a$b${c}$$", datastore: POSTGRES });
    const anyText = fc.string({
      unit: fc.constantFrom('"', "\\", "$", "{", "}", "'", " ", "a", "é", "\n", "#"),
    });
    fc.assert(
      fc.property(anyText, (text) => {
        const variables = { [env[0]!.name]: hclString(`host=db ${text}`) };
        return validate(conf, args, variables).includes("is valid");
      }),
      { numRuns: 10 },
    );
  });
});
