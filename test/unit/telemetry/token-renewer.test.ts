// The token renewer against stand-ins for the API servers of two clouds, on loopback.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { startTokenRenewer, type TokenRenewer, tokenRenewer } from "../../../telemetry/token-renewer";
import type { TokenRenewerConfig } from "../../../telemetry/token-renewer/config";
import { parseToken, renewalTime } from "../../../telemetry/token-renewer/token";
import { programLog } from "../../../telemetry/log";
import { TOKEN_METRICS } from "../../../telemetry/metrics";
import { connectProxy } from "../../support/agent/connect-proxy";
import { accountToken, KubernetesApi } from "../../support/kubernetes-api";

const SECRET = "prometheus-cluster-gcp";
const HOME_TOKEN = "token-of-the-renewer";
let gcp: KubernetesApi;
let aws: KubernetesApi;
let dir: string;
let logged: string[];
let renewer: TokenRenewer | undefined;

const now = () => Math.floor(Date.now() / 1000);
const write = (name: string, text: string) => {
  mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
  writeFileSync(path.join(dir, name), text);
};
/** Past half of its life, by the clock of this machine. */
const oldToken = () => accountToken(now() - 100, now() + 50);
const youngToken = () => accountToken(now() - 10, now() + 3600);
function haveToken(token: string): void {
  gcp.tokens.add(token);
  write("clusters/gcp/token", token);
}

beforeEach(async () => {
  gcp = await KubernetesApi.start();
  aws = await KubernetesApi.start();
  dir = mkdtempSync(path.join(tmpdir(), "token-renewer-"));
  logged = [];
  renewer = undefined;
  aws.tokens.add(HOME_TOKEN);
  aws.secrets.set(SECRET, { token: "b2xk", other: "a2VwdA==" });
  write("home/token", HOME_TOKEN);
  write("home/ca.crt", aws.ca);
  write("clusters/gcp/ca.crt", gcp.ca);
});
afterEach(async () => {
  await renewer?.close();
  await gcp.stop();
  await aws.stop();
  rmSync(dir, { recursive: true });
});

const config = (): TokenRenewerConfig => ({
  cloud: "aws",
  region: "us-east-1",
  status: { host: "127.0.0.1", port: 0 },
  server: aws.url,
  namespace: "observability",
  account: "prometheus",
  lifetimeSeconds: 86_400,
  clusters: [{ cloud: "gcp", server: gcp.url }],
});
async function start(way: Partial<TokenRenewerConfig["clusters"][number]> = {}): Promise<TokenRenewer> {
  const place = { cloud: "aws", region: "us-east-1", program: "token-renewer" };
  const log = programLog(place, { write: (line) => void logged.push(line) });
  const clusters = config().clusters.map((cluster) => ({ ...cluster, ...way }));
  return (renewer = await startTokenRenewer({ ...config(), clusters }, dir, log, 50));
}
const page = (name: string) => fetch(`http://127.0.0.1:${renewer!.port}${name}`);
/** The token that the Secret has, when it is one of its own making. */
const written = () => {
  const token = aws.secret(SECRET, "token");
  return token !== undefined && gcp.tokens.has(token) ? token : undefined;
};
const requests = (api: KubernetesApi, method: string) => api.asked.filter((asked) => asked.method === method);

/** Waits until so many renewals came out so. */
async function renewed(count = 1, outcome = "ok"): Promise<void> {
  while ((await metric(`${TOKEN_METRICS.renewals}{cluster="gcp",outcome="${outcome}"}`)) < count);
}

/** Value of a series of `/metrics`. */
async function metric(series: string): Promise<number> {
  const text = await (await page("/metrics")).text();
  const line = text.split("\n").find((candidate) => candidate.startsWith(series));
  return Number(line?.split(" ").at(-1));
}

describe("the token renewer", () => {
  test("renews a token that is past half of its life with itself, and writes it down in the home cloud", async () => {
    const old = oldToken();
    haveToken(old);
    await start();
    const token = await aws.until(written);
    expect(requests(gcp, "POST")[0]).toMatchObject({
      path: "/api/v1/namespaces/observability/serviceaccounts/prometheus/token",
      token: old,
      body: { kind: "TokenRequest", spec: { audiences: [], expirationSeconds: 86_400 } },
    });
    expect(requests(aws, "PATCH")).toMatchObject([
      {
        path: `/api/v1/namespaces/observability/secrets/${SECRET}`,
        token: HOME_TOKEN,
        type: "application/merge-patch+json",
      },
    ]);
    expect(aws.secrets.get(SECRET)).toEqual({
      token: Buffer.from(token).toString("base64"),
      other: "a2VwdA==",
    });
  });

  test("renews the token that it made, while the file still has the one before", async () => {
    haveToken(oldToken());
    gcp.lifetime = 1;
    await start();
    const first = await aws.until(written);
    await aws.until(() => (written() === first ? undefined : true));
    expect(requests(gcp, "POST")[1]!.token).toBe(first);
  });

  test("tries again after a refusal, which it counts and tells of", async () => {
    haveToken(oldToken());
    gcp.refusals.push(503);
    await start();
    await aws.until(written);
    expect(await metric(`${TOKEN_METRICS.renewals}{cluster="gcp",outcome="failed"}`)).toBe(1);
    const lines = logged.map((line) => JSON.parse(line) as object);
    expect(lines).toContainEqual(
      expect.objectContaining({
        cloud: "aws",
        cluster: "gcp",
        msg: "token not renewed",
        error: expect.stringMatching(/answered HTTP 503$/) as string,
      }),
    );
  });

  test("takes a token that somebody else wrote into the file, when its own is refused", async () => {
    write("clusters/gcp/token", oldToken());
    await start();
    await gcp.until(() => (requests(gcp, "POST").length > 0 ? true : undefined));
    const fresh = youngToken();
    haveToken(fresh);
    expect((await page("/ready")).status).toBe(200);
    expect(await metric(`${TOKEN_METRICS.expiry}{cluster="gcp"}`)).toBe(parseToken(fresh).expires / 1000);
    expect(await metric(`${TOKEN_METRICS.renewals}{cluster="gcp",outcome="ok"}`)).toBe(0);
  });

  test("is not ready without a token that is good, and says for which cloud", async () => {
    await start();
    const ready = await page("/ready");
    expect(ready.status).toBe(503);
    expect(await ready.text()).toContain("no token that is good for gcp");
    expect((await page("/live")).status).toBe(200);
    expect(await metric(`${TOKEN_METRICS.expiry}{cluster="gcp"}`)).toBe(0);
    haveToken(accountToken(now() - 100, now() - 50));
    expect((await page("/ready")).status).toBe(503);
  });

  test("tells nobody a token", async () => {
    haveToken(oldToken());
    gcp.refusals.push(400);
    aws.refusals.push(422);
    await start();
    await aws.until(written);
    await renewer!.close();
    const text = logged.join("");
    expect(text).toContain("HTTP 400");
    expect(text).toContain("HTTP 422");
    for (const token of [HOME_TOKEN, ...gcp.tokens]) {
      expect(text).not.toContain(token);
      expect(text).not.toContain(Buffer.from(token).toString("base64"));
    }
  });

  test("sends a token to nobody who cannot prove to be the API server", async () => {
    haveToken(oldToken());
    write("clusters/gcp/ca.crt", aws.ca);
    await start();
    expect(gcp.asked).toEqual([]);
    // What proves it is read again at the next try.
    write("clusters/gcp/ca.crt", gcp.ca);
    await aws.until(written);
    expect(gcp.asked.length).toBe(1);
    expect(logged.join("")).toMatch(/certificate/);
  });

  test("makes a Secret that somebody deleted again, with a new token", async () => {
    haveToken(youngToken());
    await start();
    expect(await metric(`${TOKEN_METRICS.expiry}{cluster="gcp"}`)).toBeGreaterThan(now());
    // As the kubelet does.
    aws.secrets.delete(SECRET);
    rmSync(path.join(dir, "clusters/gcp/token"));
    expect((await page("/ready")).status).toBe(503);
    expect(await metric(`${TOKEN_METRICS.expiry}{cluster="gcp"}`)).toBe(0);
    const token = await aws.until(written);
    expect(requests(aws, "PATCH").at(-1)).toMatchObject({
      path: `/api/v1/namespaces/observability/secrets/${SECRET}`,
      token: HOME_TOKEN,
      type: "application/apply-patch+yaml",
      body: { kind: "Secret", metadata: { namespace: "observability", name: SECRET }, type: "Opaque" },
    });
    // Until the kubelet has brought the file, it is not missed, and no more tokens are made.
    await renewed();
    expect((await page("/ready")).status).toBe(200);
    expect(await metric(`${TOKEN_METRICS.expiry}{cluster="gcp"}`)).toBe(parseToken(token).expires / 1000);
    expect(requests(gcp, "POST").length).toBe(1);
  });

  test("gives a Secret its token again when somebody took it out, or put something else there", async () => {
    haveToken(youngToken());
    await start();
    expect((await page("/ready")).status).toBe(200);
    write("clusters/gcp/token", "hunter2");
    aws.secrets.set(SECRET, { token: "aHVudGVyMg==", other: "a2VwdA==" });
    await aws.until(written);
    expect(aws.secret(SECRET, "other")).toBe("kept");
  });

  test("tells that there is no token while the Secret can neither be found nor made", async () => {
    haveToken(youngToken());
    await start();
    expect((await page("/ready")).status).toBe(200);
    rmSync(path.join(dir, "clusters/gcp/token"));
    aws.secrets.delete(SECRET);
    aws.forbidden = /secrets/;
    await gcp.until(() => (requests(gcp, "POST").length > 0 ? true : undefined));
    await aws.until(() => (requests(aws, "PATCH").length > 0 ? true : undefined));
    expect((await page("/ready")).status).toBe(503);
    expect(await metric(`${TOKEN_METRICS.expiry}{cluster="gcp"}`)).toBe(0);
  });

  test("knows an API server by another name, when it is told one", async () => {
    const named = await KubernetesApi.start({ dns: "api.internal" });
    try {
      const old = oldToken();
      named.tokens.add(old);
      write("clusters/gcp/token", old);
      write("clusters/gcp/ca.crt", named.ca);
      await start({ server: named.url, tlsServerName: "api.internal" });
      await renewed();
      expect(requests(named, "POST")[0]!.name).toBe("api.internal");
      await renewer!.close();
      // By the address alone it would be nobody that the certificate names.
      await start({ server: named.url });
      await renewed(1, "failed");
      expect(requests(named, "POST").length).toBe(1);
    } finally {
      await named.stop();
    }
  });

  test("goes through the proxy that it is told, which is not told anything", async () => {
    const { host, port } = new URL(gcp.url);
    const proxy = await connectProxy({ [host]: Number(port) });
    try {
      haveToken(oldToken());
      await start({ proxyUrl: proxy.url });
      await aws.until(written);
      // The home cloud's own API server is nearer than that.
      expect(proxy.asked).toEqual([host]);
    } finally {
      await proxy.close();
    }
  });

  test("says which proxy does not answer", async () => {
    const proxy = await connectProxy({});
    await proxy.close();
    haveToken(oldToken());
    await start({ proxyUrl: proxy.url });
    await renewed(1, "failed");
    expect(logged.join("")).toContain(`the proxy ${proxy.url} does not answer: connect ECONNREFUSED`);
    expect(gcp.asked).toEqual([]);
  });

  test("asks nobody anything as long as a token is young", async () => {
    haveToken(youngToken());
    await start();
    expect((await page("/ready")).status).toBe(200);
    await renewer!.close();
    expect([...gcp.asked, ...aws.asked]).toEqual([]);
  });

  test("reads its configuration and the files beside it", async () => {
    haveToken(oldToken());
    write("config.json", JSON.stringify(config()));
    renewer = await tokenRenewer(["--config", path.join(dir, "config.json")]);
    expect(await aws.until(written)).toBeDefined();
  });

  test("names what is wrong in its configuration", () => {
    const { server, ...rest } = config();
    write("config.json", JSON.stringify({ ...rest, home: server }));
    expect(() => tokenRenewer(["--config", path.join(dir, "config.json")])).toThrow(
      /server[^]*home|home[^]*server/,
    );
  });
});

describe("a token", () => {
  test("is renewed at half of its life", () => {
    expect(renewalTime(parseToken(accountToken(1000, 3000)))).toBe(2_000_000);
  });

  test.each([
    ["nothing", ""],
    ["no JWT", "hunter2.hunter2.hunter2"],
    ["without an end", `x.${Buffer.from('{"iat":1}').toString("base64url")}.hunter2`],
    ["that ends before it begins", accountToken(2, 1, 12345)],
  ])("is refused without being quoted: %s", (_what, text) => {
    const attempt = () => parseToken(text);
    expect(attempt).toThrow(/^the token (is no JWT|does not say from when until when it is good)$/);
  });
});
