import { apiServerOf, apiServerProblems } from "../../../components/clouds/kubeconfig-server";
import { CA, CA_DATA } from "../../support/kubeconfig";

/** A kubeconfig whose cluster has this beside, or instead of, what it needs. */
const kubeconfig = (cluster: object = {}) =>
  JSON.stringify({
    kind: "Config",
    clusters: [
      {
        name: "c",
        cluster: { server: "https://a.example:6443", "certificate-authority-data": CA_DATA, ...cluster },
      },
    ],
    users: [{ name: "u", user: { token: "hunter2" } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
  });
const problems = (cluster: object) => apiServerProblems(kubeconfig(cluster), "x");

describe("the API server of a kubeconfig", () => {
  test("is known by its authorities", () => {
    expect(apiServerOf(kubeconfig(), "x")).toEqual({ server: "https://a.example:6443", ca: CA });
  });

  test("may have another name in its certificate, and be behind a proxy", () => {
    const more = { "tls-server-name": "api.internal", "proxy-url": "http://proxy.example:3128" };
    expect(apiServerOf(kubeconfig(more), "x")).toMatchObject({
      tlsServerName: "api.internal",
      proxyUrl: "http://proxy.example:3128",
    });
    expect(problems(more)).toEqual([]);
  });

  test("is as it would be without them, where they are empty", () => {
    expect(apiServerOf(kubeconfig({ "tls-server-name": "", "proxy-url": "" }), "x")).toEqual(
      apiServerOf(kubeconfig(), "x"),
    );
  });

  test.each([
    ["a server without TLS", { server: "http://hidden.example" }, /^its server is no https:/],
    ["no authorities", { "certificate-authority-data": undefined }, /^it has no certificate-authority-data/],
    ["a proxy of another kind", { "proxy-url": "socks5://hidden.example" }, /^its proxy-url is no http:/],
    ["a proxy by TLS", { "proxy-url": "https://hidden.example" }, /^its proxy-url is no http:/],
    ...[
      "localhost",
      "kind.localhost",
      "localhost.",
      "127.0.0.1",
      "127.1",
      "0.0.0.0",
      "[::1]",
      "[::]",
      "[::ffff:127.0.0.1]",
      "kubernetes.docker.internal",
    ].map(
      (host) =>
        [`a server at ${host}`, { server: `https://${host}:6443` }, /^its server is on the machine/] as const,
    ),
    ...["localhost", "127.0.0.1", "[::1]"].map(
      (host) =>
        [
          `a proxy at ${host}`,
          { "proxy-url": `http://${host}:8080` },
          /^its proxy-url is on the machine/,
        ] as const,
    ),
    ["a proxy with a password", { "proxy-url": "http://me:hidden@p.example" }, /^its proxy-url has a user/],
  ] as const)(
    "cannot be reached by others with %s, and nothing of the text is quoted",
    (_what, cluster, words) => {
      const found = problems(cluster);
      expect(found).toEqual([expect.stringMatching(words)]);
      expect(found[0]).toMatch(/; write/);
      expect(found[0]).not.toContain("hidden");
      expect(() => apiServerOf(kubeconfig(cluster), "x")).toThrow(
        `the kubeconfig of x cannot be used: ${found[0]}`,
      );
    },
  );

  test("has all that is wrong told at once", () => {
    expect(problems({ server: "http://a", "proxy-url": "http://me@localhost" })).toHaveLength(3);
  });
});
