// Kubeconfigs as people have them, each with the verdict of client-go.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dump } from "js-yaml";
import { parseKubeconfig, partsOf } from "../../../components/clouds/kubeconfig";
import { readKubeconfig } from "../../../components/clouds/kubeconfig-file";
import { CA, CA_DATA, CA_KEY_DATA } from "../../support/kubeconfig";

const CLUSTER = { server: "https://hidden.example:6443", "certificate-authority-data": CA_DATA };
const V1 = "client.authentication.k8s.io/v1";

/** A kubeconfig of one context; what is undefined is left out. */
function kubeconfig(more: { cluster?: object; user?: unknown; top?: object } = {}): string {
  const cluster = { ...CLUSTER, ...more.cluster };
  const user = "user" in more ? more.user : { token: "hidden" };
  return dump(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster }],
      users: [{ name: "u", user }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      ...more.top,
    },
    { skipInvalid: true, lineWidth: -1 },
  );
}
const parts = (text: string | Uint8Array) => partsOf(parseKubeconfig(text), "x");
const refusal = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("it was not refused");
};

describe("a kubeconfig is read", () => {
  const plain = parts(kubeconfig());
  const bytes = (text: string, encoding: BufferEncoding, ...mark: number[]) =>
    Buffer.concat([Buffer.from(mark), Buffer.from(text, encoding)]);
  const windows = kubeconfig().replaceAll("\n", "\r\n");

  test.each<[string, string | Uint8Array]>([
    ["without kind and apiVersion", kubeconfig({ top: { kind: undefined, apiVersion: undefined } })],
    ["with an empty kind", kubeconfig({ top: { kind: "", apiVersion: null } })],
    ["as JSON", JSON.stringify(parseKubeconfig(kubeconfig()))],
    ["in UTF-16 with the small end first", bytes(windows, "utf16le", 0xff, 0xfe)],
    ["in UTF-16 with the large end first", bytes(windows, "utf16le", 0xff, 0xfe).swap16()],
    ["with a byte-order mark and Windows' line ends", bytes(windows, "utf8", 0xef, 0xbb, 0xbf)],
    [
      "with a context of nothing beside",
      kubeconfig().replace("contexts:", "contexts:\n  - { name: other, context: { cluster: '' } }"),
    ],
    [
      "with empty text for what is not there",
      kubeconfig({
        cluster: { "tls-server-name": "" },
        user: { token: "hidden", tokenFile: "", exec: null },
      }),
    ],
  ])("%s", (_how, text) => {
    expect(parts(text)).toEqual(plain);
  });

  test("with anchors and merge keys", () => {
    const text = kubeconfig({ top: { kind: undefined } })
      .replace("clusters:", `x-common: &ca { certificate-authority-data: ${CA_DATA} }\nclusters:`)
      .replace(/certificate-authority-data: \S+\n(?!clusters)/, "<<: *ca\n");
    expect(text).toContain("<<: *ca");
    expect(parts(text)).toEqual(plain);
  });

  test("with text that looks like a date or comes twice as what it is", () => {
    const text = kubeconfig().replace("token: hidden", "token: first\n      token: 2026-01-02");
    expect(parts(text).user.token).toBe("2026-01-02");
  });

  test("with what it says beside, for who knows more of it", () => {
    const user = {
      exec: { apiVersion: V1, command: "get-token", interactiveMode: "Never", provideClusterInfo: true },
    };
    expect(parts(kubeconfig({ user })).user).toEqual(user);
    expect(parts(kubeconfig({ cluster: { "disable-compression": true } })).cluster).toHaveProperty(
      "disable-compression",
    );
  });

  test.each([
    ["k8s.example:6443", "https://k8s.example:6443"],
    ["k8s.example", "https://k8s.example"],
    ["203.0.113.7/", "https://203.0.113.7/"],
    ["http://k8s.example", "http://k8s.example"],
    ["https://rancher.example/k8s/clusters/c-1", "https://rancher.example/k8s/clusters/c-1"],
  ])("with server %s as %s", (server, url) => {
    expect(parts(kubeconfig({ cluster: { server } })).cluster.server).toBe(url);
  });

  test.each<[string, object, object]>([
    [
      "without TLS checked",
      { "insecure-skip-tls-verify": true, "certificate-authority-data": "" },
      { token: "t" },
    ],
    ["with a client certificate", {}, { "client-certificate-data": CA_DATA, "client-key-data": CA_KEY_DATA }],
    ["with base64 of several lines", { "certificate-authority-data": CA_DATA.replace(/.{64}/g, "$&\n") }, {}],
    [
      "with an old plugin that says nothing of a terminal",
      {},
      { exec: { apiVersion: `${V1}beta1`, command: "aws" } },
    ],
    ["with OpenID Connect", {}, { "auth-provider": { name: "oidc", config: { "id-token": "t" } } }],
    ["with a proxy", { "proxy-url": "socks5://p.example:1080" }, {}],
  ])("%s", (_how, cluster, user) => {
    expect(() => parts(kubeconfig({ cluster, user }))).not.toThrow();
  });
});

describe("a kubeconfig is refused with what to write instead, and not quoted", () => {
  const ca = "certificate-authority-data";
  const twins = [1, 2].map(() => ({ name: "hidden", user: { token: "hidden" } }));

  test.each<[string, Parameters<typeof kubeconfig>[0], RegExp]>([
    ["of another kind", { top: { kind: "hidden" } }, /^not a kubeconfig: kind is not Config; write it/],
    ["of another version", { top: { apiVersion: "v2" } }, /^not a kubeconfig: apiVersion is not v1/],
    [
      "with a number for text",
      { user: { token: 12345 } },
      /users\[0\]\.user\.token is no text; put it in quotes$/,
    ],
    [
      "with two users of one name",
      { top: { users: twins } },
      /users\[1\]\.name is that of another one; rename/,
    ],
    ["with lists that are none", { top: { clusters: "hidden" } }, /^not a kubeconfig: clusters /],
    [
      "with a CA as it stands in its file",
      { cluster: { [ca]: CA } },
      /-data"\] is no base64; write what `base64`/,
    ],
    [
      "with a placeholder for a CA",
      { cluster: { [ca]: "DATA+OMITTED" } },
      /^context "x": its certificate-authority-data has no/,
    ],
    [
      "with a CA that is DER",
      { cluster: { [ca]: CA.split("\n").slice(1, -2).join("") } },
      /-data has no certificate/,
    ],
    [
      "with a CA and none asked for",
      { cluster: { "insecure-skip-tls-verify": true } },
      /remove insecure-skip-tls-verify/,
    ],
    ["with yes for true", { cluster: { "insecure-skip-tls-verify": "yes" } }, /is neither true nor false/],
    [
      "with a CA and a file of it",
      { cluster: { "certificate-authority": "hidden" } },
      /has both certificate-authority and .*keep one/,
    ],
    ["without a server", { cluster: { server: "" } }, /its server is no URL; write one/],
    ["with a path for a server", { cluster: { server: "hidden/path" } }, /its server is no URL; write one/],
    [
      "with a server of another scheme",
      { cluster: { server: "ftp://hidden" } },
      /its server is no URL; write one/,
    ],
    [
      "with a proxy that is no URL",
      { cluster: { "proxy-url": "hidden:3128" } },
      /its proxy-url is no http:\/\/, .*; write one/,
    ],
    ["with an empty user", { user: null }, /^context "x" refers to user "u", which is missing/],
    [
      "with a certificate without a key",
      { user: { "client-certificate-data": CA_DATA } },
      /without a key; write client-key/,
    ],
    [
      "with a key that is none",
      { user: { "client-certificate-data": CA_DATA, "client-key-data": CA_DATA } },
      /client-key-data has no key/,
    ],
    [
      "with two ways to prove who it is",
      { user: { token: "hidden", username: "hidden" } },
      /a token beside .*; keep one/,
    ],
    ["with groups of nobody", { user: { "as-groups": ["hidden"] } }, /has as-groups without `as`/],
    [
      "with a plugin of v1alpha1",
      { user: { exec: { apiVersion: `${V1}alpha1`, command: "hidden" } } },
      /apiVersion of its exec plugin is no longer .* write client\.authentication\.k8s\.io\/v1 or /,
    ],
    [
      "with a plugin without a command",
      { user: { exec: { apiVersion: `${V1}beta1` } } },
      /exec plugin has no command/,
    ],
    [
      "with a plugin of v1 that says nothing of a terminal",
      { user: { exec: { apiVersion: V1, command: "hidden" } } },
      /interactiveMode of .* Never, IfAvailable, Always/,
    ],
    [
      "of Google's old kind",
      { user: { "auth-provider": { name: "gcp" } } },
      /auth-provider gcp is no more; .*gke-gcloud-auth-plugin/,
    ],
    [
      "of Azure's old kind",
      { user: { "auth-provider": { name: "azure" } } },
      /auth-provider azure is no more; .*kubelogin/,
    ],
    [
      "of a kind that never was",
      { user: { "auth-provider": { name: "hidden" } } },
      /auth-provider is none that there is/,
    ],
  ])("%s", (_what, more, words) => {
    const message = refusal(() => parts(kubeconfig(more)));
    expect(message).toMatch(words);
    expect(message).not.toMatch(/hidden|12345|ftp|yes|v2|OMITTED/);
  });

  test.each([
    ["two documents", "kind: Config\n---\nkind: hidden\n"],
    ["what contains itself", "users: &hidden [*hidden]"],
  ])("where it is %s", (_what, text) => {
    expect(refusal(() => parts(text))).toBe("not a kubeconfig: neither YAML nor JSON");
  });

  test("where it is no YAML, with the line alone", () => {
    expect(refusal(() => parts("users:\n\t- hidden: "))).toBe(
      "not a kubeconfig: neither YAML nor JSON (line 2)",
    );
  });

  test("for all that is wrong at once", () => {
    const cluster = { server: "", "insecure-skip-tls-verify": true };
    expect(refusal(() => parts(kubeconfig({ cluster, user: { exec: {} } })))).toMatch(
      /server is no URL; .*beside a CA; .*no command; /,
    );
  });
});

describe("a kubeconfig's file", () => {
  let dir: string;
  beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), "kubeconfig-rules-"))));
  afterAll(() => rmSync(dir, { recursive: true }));
  const read = (cluster: object) => {
    writeFileSync(join(dir, "config"), kubeconfig({ cluster }));
    return JSON.parse(readKubeconfig(join(dir, "config"), "x")).clusters[0].cluster;
  };

  test("is taken where its data is empty", () => {
    writeFileSync(join(dir, "ca.crt"), CA);
    expect(read({ "certificate-authority-data": "", "certificate-authority": "ca.crt" })).toEqual(CLUSTER);
  });

  test("is judged as data is", () => {
    writeFileSync(join(dir, "ca.crt"), "hidden");
    const files = { "certificate-authority-data": undefined, "certificate-authority": "ca.crt" };
    expect(refusal(() => read(files))).toBe(
      `kubeconfig ${dir}/config: context "x": its certificate-authority-data has no certificate; write the CA's PEM in base64`,
    );
    expect(refusal(() => read({ ...files, "insecure-skip-tls-verify": true }))).toMatch(/beside a CA/);
  });
});
