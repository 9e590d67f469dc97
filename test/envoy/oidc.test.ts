// JWT-SVIDs of a real SPIRE server and agent, verified as a cloud verifies them: by what the real OIDC discovery provider serves.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { promisify } from "node:util";
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from "jose";
import { OIDC_PATHS, oidcIssuer, type OidcSettings, renderOidcConf } from "../../components/spire/oidc-conf";
import { WORKLOAD_API } from "../../components/spire/workload-api";
import { pemOf } from "../../spiffe/pem";
import { issue } from "../support/certificate";
import { Daemon, until } from "../support/daemon";
import { freePort } from "../support/port";
import { programPath } from "../support/programs";
import { spireServerBinary, TestSpireServer } from "../support/spire";
import { TestSpireAgent } from "../support/spire-agent";

jest.setTimeout(180_000);

const TRUST_DOMAIN = "aws.example.org";
const DOMAIN = "oidc.aws.example.org";
const AUDIENCE = "sts.amazonaws.com";
const WORKLOAD = `spiffe://${TRUST_DOMAIN}/workload/aws/billing`;

let dir = "";
let server: TestSpireServer;
let agent: TestSpireAgent;
const providers: Daemon[] = [];

/** A JWT-SVID from the Workload API, as a program gets it. */
async function token(audience = AUDIENCE): Promise<string> {
  const args = ["api", "fetch", "jwt", "-audience", audience, "-socketPath", agent.socket];
  const { stdout } = await promisify(execFile)(await programPath("spire-agent"), [
    ...args,
    "-output",
    "json",
  ]);
  const [{ svids }] = JSON.parse(stdout) as [{ svids: { svid: string }[] }];
  return svids[0]!.svid;
}

type Answer = { readonly status: number; readonly body: string };

/** Asks as a verifier does that came by the name `host`. */
function ask(port: number, place: string, host: string, ca?: string): Promise<Answer> {
  return new Promise((done, fail) => {
    const options = { host: "127.0.0.1", port, path: place, headers: { host }, agent: false } as const;
    const read = (response: http.IncomingMessage) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => (body += text));
      response.on("end", () => done({ status: response.statusCode!, body }));
    };
    const request =
      ca === undefined ? http.get(options, read) : https.get({ ...options, ca, servername: host }, read);
    request.on("error", fail);
  });
}

/** Starts a provider with the program's own configuration, but for its places, and without the health checks, which listen at every address. */
async function startProvider(settings: Pick<OidcSettings, "domain" | "tlsSecret">, ca?: string) {
  const port = await freePort();
  const file = path.join(dir, `oidc-${port}.conf`);
  const conf = renderOidcConf(settings, TRUST_DOMAIN)
    .replace(/":(80|443)"/, `"127.0.0.1:${port}"`)
    .replace(WORKLOAD_API.socket, agent.socket)
    .replaceAll(OIDC_PATHS.tlsDir, dir)
    .replace(/health_checks \{[^}]*\}/, "");
  writeFileSync(file, conf);
  const daemon = new Daemon(await programPath("oidc-discovery-provider"), ["-config", file]);
  providers.push(daemon);
  const get = (place: string, host = DOMAIN) => ask(port, place, host, ca);
  await daemon.becomes("the provider has keys", async () =>
    get("/keys").then(
      ({ status }) => status === 200,
      () => false,
    ),
  );
  const keys = async () => JSON.parse((await get("/keys")).body) as JSONWebKeySet;
  return { get, keys };
}

const verify = (jwt: string, keys: JSONWebKeySet) =>
  jwtVerify(jwt, createLocalJWKSet(keys), {
    issuer: oidcIssuer(DOMAIN),
    audience: AUDIENCE,
    algorithms: ["RS256"],
  });

beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "oidc-"));
  server = await TestSpireServer.make(await spireServerBinary(), TRUST_DOMAIN, {
    jwtIssuer: oidcIssuer(DOMAIN),
  });
  await server.start();
  const user = `unix:uid:${process.getuid!()}`;
  agent = await TestSpireAgent.start(
    await programPath("spire-agent"),
    server,
    path.join(dir, "agent"),
    (parent) =>
      server.print(["entry", "create", "-spiffeID", WORKLOAD, "-parentID", parent, "-selector", user]),
  );
  await until("the workload has an identity", () =>
    token().then(
      () => true,
      () => false,
    ),
  );
});

afterAll(async () => {
  await Promise.all(providers.map((provider) => provider.stop()));
  await agent?.daemon.stop();
  await server?.remove();
  rmSync(dir, { recursive: true, force: true });
});

test("a JWT-SVID is verified by the issuer's document and keys, as OIDC has it", async () => {
  const provider = await startProvider({ domain: DOMAIN });
  const { body } = await provider.get("/.well-known/openid-configuration");
  expect(JSON.parse(body)).toMatchObject({
    issuer: oidcIssuer(DOMAIN),
    jwks_uri: `${oidcIssuer(DOMAIN)}/keys`,
  });
  const { payload } = await verify(await token(), await provider.keys());
  expect(payload).toMatchObject({ sub: WORKLOAD, aud: [AUDIENCE], iss: oidcIssuer(DOMAIN) });
  expect((await provider.keys()).keys).toEqual([
    expect.objectContaining({ kty: "RSA", use: "sig", alg: "RS256" }),
  ]);
});

test("a token for another audience, and one whose signature was changed, are refused", async () => {
  const keys = await (await startProvider({ domain: DOMAIN })).keys();
  await expect(verify(await token("vault"), keys)).rejects.toThrow('unexpected "aud" claim value');
  const [header, payload, signature] = (await token()).split(".");
  const other = Buffer.from(signature!, "base64url").reverse().toString("base64url");
  await expect(verify([header, payload, other].join("."), keys)).rejects.toThrow("signature");
});

test("no other name than the issuer's is answered with a document", async () => {
  const provider = await startProvider({ domain: DOMAIN });
  const { status } = await provider.get("/.well-known/openid-configuration", "attacker.example");
  expect(status).toBe(400);
});

test("after a rotation of the server's JWT key, tokens of the old one and the new one are verified", async () => {
  const provider = await startProvider({ domain: DOMAIN });
  const before = await token();
  const { prepared_authority: prepared } = JSON.parse(
    await server.print(["localauthority", "jwt", "prepare", "-output", "json"]),
  ) as { prepared_authority: { authority_id: string } };
  await server.print(["localauthority", "jwt", "activate", "-authorityID", prepared.authority_id]);
  const kid = (jwt: string) => decodeProtectedHeader(jwt).kid;
  // The agent gives out a token that it has for half of its life; one for another audience is new.
  const after = await token(`${AUDIENCE}.cn`);
  expect(kid(after)).not.toBe(kid(before));
  await until("the provider has the new key", async () =>
    (await provider.keys()).keys.some((key) => key.kid === kid(after)),
  );
  const keys = await provider.keys();
  await expect(verify(before, keys)).resolves.toMatchObject({ payload: { sub: WORKLOAD } });
  await expect(
    jwtVerify(after, createLocalJWKSet(keys), { issuer: oidcIssuer(DOMAIN), audience: `${AUDIENCE}.cn` }),
  ).resolves.toMatchObject({ payload: { sub: WORKLOAD } });
});

test("with a certificate it serves TLS by it", async () => {
  const authority = issue();
  const leaf = issue({ dns: DOMAIN, ca: false, issuer: authority });
  writeFileSync(path.join(dir, "tls.crt"), pemOf("CERTIFICATE", leaf.der));
  writeFileSync(path.join(dir, "tls.key"), leaf.key.export({ format: "pem", type: "pkcs8" }));
  const provider = await startProvider(
    { domain: DOMAIN, tlsSecret: "oidc-tls" },
    pemOf("CERTIFICATE", authority.der),
  );
  await expect(verify(await token(), await provider.keys())).resolves.toMatchObject({
    payload: { sub: WORKLOAD },
  });
});
