import { proxyFromEnvironment } from "../../../components/clouds/proxy";

const SERVER = "https://api.k8s.example:6443";
const PROXY = "http://proxy.example:3128";
const proxyOf = (env: Record<string, string>, server = SERVER) => proxyFromEnvironment(server, env);

describe("the proxy of the environment", () => {
  test.each([
    ["none where none is named", {}, undefined],
    ["HTTPS_PROXY's", { HTTPS_PROXY: PROXY }, PROXY],
    ["https_proxy's", { https_proxy: PROXY }, PROXY],
    ["not HTTP_PROXY's or ALL_PROXY's", { HTTP_PROXY: PROXY, ALL_PROXY: PROXY }, undefined],
    ["that in capitals before the other", { HTTPS_PROXY: PROXY, https_proxy: "http://other" }, PROXY],
    ["the other where that in capitals is empty", { HTTPS_PROXY: "", https_proxy: PROXY }, PROXY],
    ["HTTP where no scheme is named", { HTTPS_PROXY: "proxy.example:3128" }, PROXY],
    ["SOCKS, too", { HTTPS_PROXY: "socks5://proxy.example" }, "socks5://proxy.example"],
  ] as const)("is %s", (_what, env, proxy) => {
    expect(proxyOf(env)).toBe(proxy);
  });

  test("is HTTP_PROXY's for a server without TLS", () => {
    expect(proxyOf({ HTTP_PROXY: PROXY, HTTPS_PROXY: "http://other" }, "http://api.example")).toBe(PROXY);
  });

  test.each(["https://localhost:6443", "https://127.0.0.1:6443", "https://[::1]:6443"])(
    "is none for %s, which is here",
    (server) => {
      expect(proxyOf({ HTTPS_PROXY: PROXY }, server)).toBeUndefined();
    },
  );

  test.each<[string, string, boolean]>([
    ["*", SERVER, true],
    ["api.k8s.example", SERVER, true],
    ["other.example, K8S.example", SERVER, true],
    [".k8s.example", SERVER, true],
    ["*.k8s.example", SERVER, true],
    ["s.example", SERVER, false],
    [".api.k8s.example", SERVER, false],
    ["k8s.example:6443", SERVER, true],
    ["k8s.example:443", SERVER, false],
    ["k8s.example:443", "https://api.k8s.example", true],
    ["10.0.0.0/8", "https://10.1.2.3", true],
    ["10.0.0.0/8", "https://11.1.2.3", false],
    ["10.0.0.0/8", SERVER, false],
    ["10.1.2.3", "https://10.1.2.3", true],
    ["10.1.2.3:6443", "https://10.1.2.3", false],
    ["fd00::/8", "https://[fd00::1]:6443", true],
    ["fd00::0:1", "https://[fd00::1]:6443", true],
    ["[fd00::1]:6443", "https://[fd00::1]:6443", true],
    [",, :80", SERVER, false],
  ])("with NO_PROXY %s for %s is none: %s", (exceptions, server, none) => {
    const env = { HTTPS_PROXY: PROXY, NO_PROXY: exceptions };
    expect(proxyOf(env, server)).toBe(none ? undefined : PROXY);
  });

  test.each(["ftp://hidden.example", "http://hidden:x"])("is refused where it is none, unquoted", (proxy) => {
    expect(() => proxyOf({ HTTPS_PROXY: proxy })).toThrow(
      /^the variable HTTPS_PROXY is no URL of a proxy; write one such as http:\/\/host:port$/,
    );
  });
});
