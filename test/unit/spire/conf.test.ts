import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { SPIRE_AGENT, SPIRE_PORTS, SPIRE_SERVER } from "../../../components/well-known";
import {
  renderAgentConf,
  renderKubeconfig,
  renderServerConf,
  renderUpstreamAgentConf,
  SPIRE_DEFAULTS,
} from "../../../components/spire/conf";
import type { BundlePublisher } from "../../../components/spire/bundle-publisher";
import { hclString } from "../../../components/spire/hcl";
import {
  type UpstreamAuthority,
  upstreamServer,
  upstreamVolume,
} from "../../../components/spire/upstream-authority";
import { AGENT_PATHS, SERVER_PATHS } from "../../../components/spire/paths";
import { hclUnquote, parseHcl } from "./hcl";

const TRUST_DOMAIN = "aws.agentweave.io";
const CLUSTER = "agentweave-aws";
const serverArgs = { trustDomain: TRUST_DOMAIN, clusterName: CLUSTER, settings: SPIRE_DEFAULTS };
const agentArgs = { trustDomain: TRUST_DOMAIN, clusterName: CLUSTER, logLevel: "INFO" as const };

/** One server above another, and what that other has. */
const ABOVE = renderServerConf({
  ...serverArgs,
  others: [{ cloud: "gcp", clusterName: "agentweave-gcp", attests: "server" }],
});
const BELOW = renderServerConf({ ...serverArgs, upstream: upstreamServer("spire.example.org") });
const BESIDE = renderUpstreamAgentConf({ ...agentArgs, serverAddress: "spire.example.org" });

/** One signer of each kind. */
const SIGNERS: Readonly<Record<UpstreamAuthority["kind"], UpstreamAuthority>> = {
  disk: { kind: "disk" },
  aws_pca: {
    kind: "aws_pca",
    region: "us-east-1",
    certificateAuthorityArn: "arn:aws:acm-pca:us-east-1:123456789012:certificate-authority/a",
    caSigningTemplateArn: "arn:aws:acm-pca:::template/SubordinateCACertificate_PathLen0/V1",
    signingAlgorithm: "SHA256WITHECDSA",
    assumeRoleArn: "arn:aws:iam::123456789012:role/spire",
  },
  gcp_cas: {
    ...{ kind: "gcp_cas", projectName: "p", regionName: "us-central1", caPool: "pool" },
    ...{ labelKey: "mesh", labelValue: "true" },
  },
  vault: {
    ...{ kind: "vault", address: "https://vault.example.org:8200", namespace: "team", pkiMountPoint: "pki" },
    ...{
      caCertificate: "a PEM",
      authMountPoint: "kubernetes-aws",
      authRole: "spire-server",
      audience: "vault",
    },
  },
  "cert-manager": {
    ...{ kind: "cert-manager", namespace: "pki", issuerName: "root" },
    ...{ issuerKind: "ClusterIssuer", issuerGroup: "cert-manager.io" },
  },
  spire: {
    ...{ kind: "spire", serverAddress: "spire.example.org", serverPort: 8081 },
    ...{ csiDriver: "upstream.csi.spiffe.io", socketName: "spire-agent.sock" },
  },
};

/** The settings of each as SPIRE's documents name them. */
const EXPECTED: Readonly<Record<UpstreamAuthority["kind"], object>> = {
  disk: {
    cert_file_path: "/run/spire/upstream/tls.crt",
    key_file_path: "/run/spire/upstream/tls.key",
    bundle_file_path: "/run/spire/upstream/ca.crt",
  },
  aws_pca: {
    region: "us-east-1",
    certificate_authority_arn: "arn:aws:acm-pca:us-east-1:123456789012:certificate-authority/a",
    ca_signing_template_arn: "arn:aws:acm-pca:::template/SubordinateCACertificate_PathLen0/V1",
    signing_algorithm: "SHA256WITHECDSA",
    assume_role_arn: "arn:aws:iam::123456789012:role/spire",
  },
  gcp_cas: {
    root_cert_spec: {
      ...{ project_name: "p", region_name: "us-central1", ca_pool: "pool" },
      ...{ label_key: "mesh", label_value: "true" },
    },
  },
  vault: {
    vault_addr: "https://vault.example.org:8200",
    namespace: "team",
    pki_mount_point: "pki",
    ca_cert_path: "/run/spire/upstream/ca.crt",
    k8s_auth: {
      k8s_auth_mount_point: "kubernetes-aws",
      k8s_auth_role_name: "spire-server",
      token_path: "/run/spire/upstream/token",
    },
  },
  "cert-manager": {
    ...{ namespace: "pki", issuer_name: "root", issuer_kind: "ClusterIssuer" },
    ...{ issuer_group: "cert-manager.io", kube_config_file: SERVER_PATHS.kubeconfig },
  },
  spire: {
    ...{ server_address: "spire.example.org", server_port: "8081" },
    workload_api_socket: "/run/spire/upstream/spire-agent.sock",
  },
};

/** Any text a person could put into a name, and what an attacker would: quotes, interpolations, line ends. */
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc
    .array(fc.constantFrom('"', "\\", "${", "$", "{", "}", "\n", "\r", "\u2028", "a", "é", "😀"))
    .map((parts) => parts.join("")),
);

describe("a string in HCL", () => {
  test("reads back as what was written, whatever it is", () => {
    fc.assert(fc.property(anyText, (text) => hclUnquote(hclString(text)) === text));
  });

  test("never interpolates, is never expanded and never spans lines", () => {
    fc.assert(fc.property(anyText, (text) => !/[$\n\r]/.test(hclString(text))));
  });

  test("is refused if it is not Unicode", () => {
    expect(() => hclString("\ud800")).toThrow("surrogate");
  });
});

describe("server.conf", () => {
  const conf = parseHcl(renderServerConf(serverArgs));

  test("forgets the agents of nodes that are gone, which the database would keep for ever", () => {
    expect(conf.server).toMatchObject({ prune_attested_nodes_expired_for: "24h" });
  });

  test("says what the settings say", () => {
    expect(conf.server).toMatchObject({
      trust_domain: TRUST_DOMAIN,
      ca_ttl: "168h",
      default_x509_svid_ttl: "1h",
      log_level: "INFO",
      log_format: "json",
      ca_subject: { country: [], organization: ["AgentWeave"], common_name: TRUST_DOMAIN },
    });
    expect(
      parseHcl(
        renderServerConf({
          ...serverArgs,
          settings: {
            caTtl: "24h",
            svidTtl: "10m",
            refreshHint: "30s",
            logLevel: "DEBUG",
            caSubject: { country: ["NL"], organization: ["A", "B"], commonName: "root" },
          },
        }),
      ).server,
    ).toMatchObject({
      ca_ttl: "24h",
      default_x509_svid_ttl: "10m",
      log_level: "DEBUG",
      federation: { bundle_endpoint: { refresh_hint: "30s" } },
      ca_subject: { country: ["NL"], organization: ["A", "B"], common_name: "root" },
    });
  });

  test("serves the bundle on 8443 with the https_spiffe profile", () => {
    expect(conf.server).toMatchObject({
      federation: {
        bundle_endpoint: {
          address: "0.0.0.0",
          port: 8443,
          refresh_hint: "5m",
          profile: { https_spiffe: {} },
        },
      },
    });
  });

  test("uses no key that SPIRE has removed", () => {
    expect(conf.server).not.toHaveProperty("default_svid_ttl");
    expect(conf.plugins).not.toHaveProperty("Notifier");
    expect(conf.plugins).not.toHaveProperty(["NodeAttestor", "k8s_sat"]);
  });

  test("attests only the agents of the cluster, and publishes the bundle where they mount it", () => {
    expect(conf.plugins).toMatchObject({
      NodeAttestor: {
        k8s_psat: {
          plugin_data: {
            clusters: {
              [CLUSTER]: {
                service_account_allow_list: ["spire-system:spire-agent"],
                audience: [SPIRE_AGENT.tokenAudience],
              },
            },
          },
        },
      },
      BundlePublisher: {
        k8s_configmap: {
          plugin_data: {
            clusters: {
              [CLUSTER]: {
                namespace: "spire-system",
                configmap_name: SPIRE_SERVER.bundleConfigMap,
                configmap_key: SPIRE_SERVER.bundleKey,
                format: "spiffe",
              },
            },
          },
        },
      },
    });
  });

  test("names no path outside the mounted directories", () => {
    const mounts = [
      SERVER_PATHS.configDir,
      SERVER_PATHS.dataDir,
      SERVER_PATHS.kubernetesDir,
      SERVER_PATHS.socketDir,
    ];
    const paths = [...renderServerConf(serverArgs).matchAll(/"(\/[^"]+)"/g)].map(([, path]) => path ?? "");
    const urlPaths = ["/live", "/ready"];
    expect(paths.length).toBeGreaterThan(urlPaths.length);
    for (const path of paths.filter((path) => !urlPaths.includes(path))) {
      expect(mounts.some((mount) => path === mount || path.startsWith(`${mount}/`))).toBe(true);
    }
  });

  test("keeps the meaning of any text in it", () => {
    fc.assert(
      fc.property(anyText, anyText, (clusterName, commonName) => {
        const caSubject = { country: [], organization: [commonName], commonName };
        const parsed = parseHcl(
          renderServerConf({ ...serverArgs, clusterName, settings: { ...SPIRE_DEFAULTS, caSubject } }),
        );
        expect(parsed.server).toMatchObject({
          ca_subject: { organization: [commonName], common_name: commonName },
        });
        expect(
          Object.keys(
            (parsed.plugins as { NodeAttestor: { k8s_psat: { plugin_data: { clusters: object } } } })
              .NodeAttestor.k8s_psat.plugin_data.clusters,
          ),
        ).toEqual([clusterName]);
      }),
    );
  });
});

describe("server.conf with a CA that others sign", () => {
  const signed = (upstream: UpstreamAuthority) => renderServerConf({ ...serverArgs, upstream });

  test.each(Object.values(SIGNERS))(
    "has the settings of $kind by SPIRE's names, and no credential",
    (upstream) => {
      expect(parseHcl(signed(upstream)).plugins).toMatchObject({
        UpstreamAuthority: { [upstream.kind]: { plugin_data: EXPECTED[upstream.kind] } },
      });
      expect(signed(upstream)).not.toMatch(/token_auth|approle|secret|insecure/);
    },
  );

  test.each(Object.values(SIGNERS))("reads nothing for $kind outside of what is mounted", (upstream) => {
    const paths = [...signed(upstream).matchAll(new RegExp(`"(${SERVER_PATHS.upstreamDir}[^"]*)"`, "g"))];
    expect(paths.length > 0).toBe(upstreamVolume(upstream) !== undefined);
  });

  test("serves no bundle within one trust domain", () => {
    expect(parseHcl(renderServerConf({ ...serverArgs, bundleEndpoint: false })).server).not.toHaveProperty(
      "federation",
    );
  });
});

/** One object store of each kind, and its settings as SPIRE's documents name them. */
const STORES: Readonly<Record<BundlePublisher["type"], readonly [BundlePublisher, object]>> = {
  aws_s3: [
    { type: "aws_s3", region: "us-east-1", bucket: "mesh-bundles", objectKey: "aws/bundle.json" },
    { region: "us-east-1", bucket: "mesh-bundles", object_key: "aws/bundle.json" },
  ],
  gcp_cloudstorage: [
    { type: "gcp_cloudstorage", bucket: "mesh-bundles", objectName: "gcp/bundle.json" },
    { bucket_name: "mesh-bundles", object_name: "gcp/bundle.json" },
  ],
  azure_blob: [
    { type: "azure_blob", storageAccount: "mesh", container: "bundles", blobName: "azure/bundle.json" },
    { storage_account_name: "mesh", container_name: "bundles", blob_name: "azure/bundle.json" },
  ],
};

describe("server.conf with an object store for its bundle", () => {
  test.each(Object.values(STORES))(
    "publishes to %o in SPIFFE format, with no credential",
    (store, expected) => {
      const conf = renderServerConf({ ...serverArgs, bundlePublisher: store });
      expect(parseHcl(conf).plugins).toMatchObject({
        BundlePublisher: {
          k8s_configmap: {},
          [store.type]: { plugin_data: { ...expected, format: "spiffe", refresh_hint: "5m" } },
        },
      });
      expect(conf).not.toMatch(/access_key|account_key|secret|service_account_file/);
    },
  );
});

describe("server.conf with an issuer", () => {
  test("has RSA keys for JWT-SVIDs, and without one names neither", () => {
    const issuer = { jwt_issuer: "https://oidc.example.org", jwt_key_type: "rsa-2048" };
    const { server } = parseHcl(renderServerConf({ ...serverArgs, jwtIssuer: issuer.jwt_issuer }));
    expect(server).toMatchObject(issuer);
    for (const key of Object.keys(issuer))
      expect(parseHcl(renderServerConf(serverArgs)).server).not.toHaveProperty(key);
  });
});

describe("agent.conf", () => {
  const conf = parseHcl(renderAgentConf(agentArgs));

  test("finds the server by its Service, and trusts only the published bundle", () => {
    expect(conf.agent).toMatchObject({
      trust_domain: TRUST_DOMAIN,
      server_address: "spire-server.spire.svc",
      server_port: SPIRE_PORTS.api,
      trust_bundle_path: `${AGENT_PATHS.bundleDir}/${SPIRE_SERVER.bundleKey}`,
      trust_bundle_format: "spiffe",
    });
    expect(conf.agent).not.toHaveProperty("insecure_bootstrap");
  });

  test("agrees with the server on cluster name, trust domain and bundle format", () => {
    const server = parseHcl(renderServerConf(serverArgs));
    expect(conf).toMatchObject({
      agent: { trust_domain: (server.server as { trust_domain: string }).trust_domain },
      plugins: { NodeAttestor: { k8s_psat: { plugin_data: { cluster: CLUSTER } } } },
    });
  });

  test("serves the Workload API in the directory that workloads mount", () => {
    expect(conf.agent).toMatchObject({ socket_path: `${SPIRE_AGENT.socketDir}/${SPIRE_AGENT.socketName}` });
  });
});

describe("agent.conf beside a server below another", () => {
  const conf = parseHcl(BESIDE);

  test("attests to the server above, whose bundle is mounted, and serves the server beside it", () => {
    const { UpstreamAuthority } = parseHcl(BELOW).plugins as {
      UpstreamAuthority: { spire: { plugin_data: { workload_api_socket: string } } };
    };
    expect(conf.agent).toMatchObject({
      server_address: "spire.example.org",
      socket_path: UpstreamAuthority.spire.plugin_data.workload_api_socket,
      trust_bundle_path: `${AGENT_PATHS.bundleDir}/${SPIRE_SERVER.bundleKey}`,
    });
    expect(conf.agent).not.toHaveProperty("insecure_bootstrap");
  });

  test("takes none of the ports that are the server's, and asks no kubelet", () => {
    expect(Object.keys(conf).sort()).toEqual(["agent", "plugins"]);
    expect(Object.keys((conf.plugins as { WorkloadAttestor: object }).WorkloadAttestor)).toEqual(["unix"]);
  });
});

describe("health checks and metrics", () => {
  test.each([
    ["server.conf", renderServerConf(serverArgs)],
    ["agent.conf", renderAgentConf(agentArgs)],
  ])("of %s listen where probes and Prometheus look", (_file, text) => {
    expect(parseHcl(text)).toMatchObject({
      health_checks: {
        listener_enabled: true,
        bind_address: "0.0.0.0",
        bind_port: String(SPIRE_PORTS.health),
        live_path: "/live",
        ready_path: "/ready",
      },
      telemetry: { Prometheus: { host: "0.0.0.0", port: SPIRE_PORTS.metrics } },
    });
  });
});

describe("the server's kubeconfig", () => {
  test("refers to files beside it and holds no credential", () => {
    const { clusters, users } = JSON.parse(renderKubeconfig()) as {
      clusters: { cluster: Record<string, string> }[];
      users: { user: Record<string, string> }[];
    };
    expect(clusters.map(({ cluster }) => cluster)).toEqual([
      { server: "https://kubernetes.default.svc", "certificate-authority": "ca.crt" },
    ]);
    expect(users.map(({ user }) => user)).toEqual([{ tokenFile: "token" }]);
  });
});

/** Path of a real SPIRE binary: what the variable names, else what is on PATH, else undefined. */
function realBinary(variable: string, command: string): string | undefined {
  const named = process.env[variable];
  if (named !== undefined) return named;
  const found = spawnSync("sh", ["-c", `command -v ${command}`], { encoding: "utf8" });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

const organization = (text: string) => ({ country: [], organization: [text], commonName: text });

describe.each([
  {
    variable: "SPIRE_SERVER",
    command: "spire-server",
    text: renderServerConf(serverArgs),
    misspell: "log_format",
    withText: (text: string) =>
      renderServerConf({
        ...serverArgs,
        clusterName: text,
        settings: { ...SPIRE_DEFAULTS, caSubject: organization(text) },
      }),
  },
  {
    variable: "SPIRE_AGENT",
    command: "spire-agent",
    text: renderAgentConf(agentArgs),
    misspell: "log_format",
    withText: (text: string) => renderAgentConf({ ...agentArgs, clusterName: text }),
  },
])("the real $command", ({ variable, command, text, misspell, withText }) => {
  const binary = realBinary(variable, command);
  const withBinary = binary === undefined ? test.skip : test;
  const why = binary === undefined ? ` (skipped: ${command} is not on PATH and ${variable} is not set)` : "";
  const timeout = 60_000;
  let directory = "";
  beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), "spire-conf-"))));
  afterAll(() => rmSync(directory, { recursive: true }));

  const validate = (conf: string) => {
    const file = join(directory, "conf");
    writeFileSync(file, conf);
    return execFileSync(binary ?? "", ["validate", "-config", file], { encoding: "utf8", stdio: "pipe" });
  };

  withBinary(
    `finds the rendered file valid${why}`,
    () => expect(validate(text)).toContain("is valid"),
    timeout,
  );

  if (command === "spire-server") {
    // SPIRE's plugins say which of their own keys they lack or do not know.
    const signed = (kind: keyof typeof SIGNERS) =>
      renderServerConf({ ...serverArgs, upstream: SIGNERS[kind], bundleEndpoint: false });
    withBinary(
      `finds it valid with an issuer of JWT-SVIDs${why}`,
      () => {
        const conf = renderServerConf({ ...serverArgs, jwtIssuer: "https://oidc.example.org" });
        expect(validate(conf)).toContain("is valid");
      },
      timeout,
    );
    withBinary(
      `finds those above and below one another valid${why}`,
      () => {
        for (const conf of [ABOVE, BELOW]) expect(validate(conf)).toContain("is valid");
      },
      timeout,
    );
    for (const [bundlePublisher] of Object.values(STORES)) {
      withBinary(
        `finds it valid with its bundle published to ${bundlePublisher.type}${why}`,
        () => expect(validate(renderServerConf({ ...serverArgs, bundlePublisher }))).toContain("is valid"),
        timeout,
      );
    }
    for (const kind of Object.keys(SIGNERS) as (keyof typeof SIGNERS)[]) {
      withBinary(
        `finds it valid with a CA that ${kind} signs, and no bundle endpoint${why}`,
        () => expect(validate(signed(kind))).toContain("is valid"),
        timeout,
      );
    }
  } else {
    withBinary(
      `finds that beside a server valid${why}`,
      () => expect(validate(BESIDE)).toContain("is valid"),
      timeout,
    );
  }

  withBinary(
    `finds it invalid with a key misspelt, so that it does look${why}`,
    () =>
      expect(() => validate(text.replace(misspell, `${misspell}_misspelt`))).toThrow(
        "unknown configuration detected",
      ),
    timeout,
  );

  withBinary(
    `reads the file with any text in it${why}`,
    () => {
      // SPIRE wants a cluster to have a name.
      const nonEmpty = anyText.filter((name) => name !== "");
      fc.assert(
        fc.property(nonEmpty, (name) => validate(withText(name)).includes("is valid")),
        { numRuns: 20, examples: [["${"], ['"'], ["\\"], ["\n"], ["\0"]] },
      );
    },
    timeout,
  );
});
