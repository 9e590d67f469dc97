// One trust domain over two clouds, with real SPIRE servers: their CAs are signed by authorities of one root, or that of one by the other, and identities of one hold at the other.
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as tls from "node:tls";
import { parseMinted } from "../../cli/operator";
import type { Connect } from "../../components/trust/connect";
import { makeTrustBundleProvider } from "../../components/trust/providers/trust-bundle";
import { spireServer } from "../../components/trust/spire-cli";
import { type Authority, issueIntermediate, issueRoot } from "../../components/trust/x509";
import { parseSpiffeBundle } from "../../spiffe/bundle";
import type { Identity } from "../../spiffe/source";
import { downstreamSpiffeId } from "../../spiffe/spiffe-id";
import { clientTls, verifyPeer } from "../../spiffe/verify";
import { freePort } from "../support/port";
import { opa } from "../support/opa";
import { programPath } from "../support/programs";
import { TestSpireAgent } from "../support/spire-agent";
import { spireServerBinary, TestSpireServer } from "../support/spire";

jest.setTimeout(120_000);

const TRUST_DOMAIN = "mesh.example.org";
const DAY = 86_400;
const ID = {
  aws: `spiffe://${TRUST_DOMAIN}/region/aws-r/agent`,
  gcp: `spiffe://${TRUST_DOMAIN}/region/gcp-r/agent`,
};
type Cloud = keyof typeof ID;

let root: Authority;
const servers = {} as Record<Cloud | "stranger", TestSpireServer>;

const filesOf = async (above: Authority, cloud: string) => {
  const terms = { trustDomain: TRUST_DOMAIN, commonName: `${TRUST_DOMAIN} ${cloud}`, ttlSeconds: 30 * DAY };
  return { ...(await issueIntermediate(terms, above)), bundle: above.certificate };
};

const newRoot = () => issueRoot({ trustDomain: TRUST_DOMAIN, commonName: "root", ttlSeconds: 90 * DAY });

beforeAll(async () => {
  const binary = await spireServerBinary();
  root = await newRoot();
  const roots = { aws: root, gcp: root, stranger: await newRoot() };
  for (const [cloud, above] of Object.entries(roots) as [keyof typeof servers, Authority][]) {
    servers[cloud] = await TestSpireServer.make(binary, TRUST_DOMAIN, {
      caTtl: "24h",
      upstream: await filesOf(above, cloud),
    });
    await servers[cloud].start();
  }
}, 300_000);

afterAll(() => Promise.all(Object.values(servers).map((server) => server.remove())));

async function mint(cloud: Cloud): Promise<Identity> {
  const { stdout } = await servers[cloud].run(["x509", "mint", "-spiffeID", ID[cloud], "-output", "json"]);
  return parseMinted(stdout, ID[cloud], TRUST_DOMAIN);
}

const chainOf = ({ certificates }: Identity) =>
  (certificates.match(/-----BEGIN[^]*?-----END CERTIFICATE-----/g) ?? []).map(
    (pem) => new X509Certificate(pem),
  );

/** Mutual TLS between two identities. Returns whom the server saw. */
async function handshake(client: Identity, server: Identity): Promise<string> {
  const { certificates: cert, key } = server;
  const listener = tls.createServer({
    ...{ cert, key, ca: [...server.bundles.get(TRUST_DOMAIN)!] },
    ...{ requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.3" },
  });
  const port = await freePort();
  listener.listen(port, "127.0.0.1");
  await once(listener, "listening");
  const seen = once(listener, "secureConnection") as Promise<[tls.TLSSocket]>;
  const socket = tls.connect({ ...clientTls(client, server.spiffeId), host: "127.0.0.1", port });
  try {
    const [[peer]] = await Promise.all([seen, once(socket, "secureConnect")]);
    return verifyPeer(peer, server, new Set([TRUST_DOMAIN]));
  } finally {
    socket.destroy();
    listener.close();
  }
}

test("both servers have the root in their bundles, and nothing else", async () => {
  const authorities = await Promise.all(
    [servers.aws, servers.gcp].map(async ({ run }) => {
      const { stdout } = await run(["bundle", "show", "-format", "spiffe"]);
      return parseSpiffeBundle(stdout, TRUST_DOMAIN, new Date()).authorities;
    }),
  );
  expect(authorities[0]).toHaveLength(1);
  expect(authorities[0]).toMatchObject([{ spiffeId: `spiffe://${TRUST_DOMAIN}` }]);
  expect(authorities[1]).toEqual(authorities[0]);
});

test("an identity of each holds at the other, in mutual TLS", async () => {
  const [aws, gcp] = [await mint("aws"), await mint("gcp")];
  expect(await handshake(aws, gcp)).toBe(ID.aws);
  expect(await handshake(gcp, aws)).toBe(ID.gcp);
});

test("every authority of a chain is of the trust domain by name, as the policy wants it", async () => {
  const aws = await mint("aws");
  expect(chainOf(aws)).toHaveLength(3);
  const verdict = async (chain: string) => {
    const data = {
      agentweave: {
        mesh: {
          identities: {
            [ID.aws]: { name: "aws/agent", trust_domain: TRUST_DOMAIN, region: "aws/r", protocol: "http" },
          },
          calls: {},
          relays: {},
        },
      },
    };
    const input = { caller: ID.aws, resource: ID.aws, method: "GET", path: "/", encoding: "identity", chain };
    const query =
      "data.agentweave.request.verdict with data.agentweave.mesh as input.data.agentweave.mesh with input as input.input";
    const args = [
      "eval",
      "--format",
      "raw",
      "--stdin-input",
      "-d",
      "authz.rego",
      "-d",
      "request.rego",
      query,
    ];
    return opa(args, JSON.stringify({ data, input }));
  };
  expect(await verdict(encodeURIComponent(aws.certificates))).toContain("allow");
  const withoutAuthorities = chainOf(aws)[0]!.toString();
  expect(await verdict(encodeURIComponent(withoutAuthorities))).toContain(
    "authority of another trust domain",
  );
});

test("what was signed anew is used from the next CA on, without a restart", async () => {
  const before = chainOf(await mint("aws"))[2]!;
  servers.aws.sign(await filesOf(root, "aws"));
  const local = async (command: string, ...more: string[]) => {
    const done = await servers.aws.run(["localauthority", "x509", command, ...more, "-output", "json"]);
    expect(done).toMatchObject({ exitCode: 0 });
    return JSON.parse(done.stdout) as { prepared_authority?: { authority_id: string } };
  };
  const { prepared_authority } = await local("prepare");
  await local("activate", "-authorityID", prepared_authority!.authority_id);
  const renewed = await mint("aws");
  expect(chainOf(renewed)[2]!.serialNumber).not.toBe(before.serialNumber);
  expect(await handshake(renewed, await mint("gcp"))).toBe(ID.aws);
});

describe("a server whose CA another one signs", () => {
  let dir: string;
  let agent: TestSpireAgent;
  let above: TestSpireServer;
  let below: TestSpireServer;
  const clientOf = (server: TestSpireServer) => spireServer("cloud", server.run, { limitMs: 5000 });
  const upstreamId = async () =>
    (await clientOf(below).authorities("x509")).active?.upstream_authority_subject_key_id;
  const mintAt = async (server: TestSpireServer) => {
    const { stdout } = await server.run(["x509", "mint", "-spiffeID", ID.gcp, "-output", "json"]);
    return parseMinted(stdout, ID.gcp, TRUST_DOMAIN);
  };
  const becomes = async (isSo: () => Promise<boolean>) => {
    for (const end = Date.now() + 30_000; !(await isSo()); await sleep(500))
      if (Date.now() > end) throw new Error("not within 30 s");
  };

  beforeAll(async () => {
    const binary = await spireServerBinary();
    dir = mkdtempSync(join(tmpdir(), "spire-agent-"));
    above = await TestSpireServer.make(binary, TRUST_DOMAIN, { caTtl: "24h" });
    await above.start();
    agent = await TestSpireAgent.start(await programPath("spire-agent"), above, dir, (parentId) =>
      clientOf(above).entryCreate({
        ...{ spiffeId: downstreamSpiffeId(TRUST_DOMAIN, "gcp"), parentId, downstream: true },
        ...{ selectors: [`unix:uid:${process.getuid!()}`], federatesWith: [], x509SvidTtlSeconds: 0 },
      }),
    );
    below = await TestSpireServer.make(binary, TRUST_DOMAIN, {
      ...{ caTtl: "24h", above: { server: above, socket: agent.socket } },
    });
    await below.start();
  }, 300_000);
  afterAll(async () => {
    await Promise.all([below.remove(), above.remove(), agent.daemon.stop()]);
    rmSync(dir, { recursive: true });
  });

  test("has an entry at that one", async () => {
    expect(await clientOf(above).entryList()).toMatchObject([{ downstream: true }]);
  });

  test("issues identities that hold at that one, and the other way round", async () => {
    const [own, others] = [await mintAt(below), await mintAt(above)];
    expect(await handshake(own, others)).toBe(ID.gcp);
    expect(await handshake(others, own)).toBe(ID.gcp);
  });

  test("makes another CA by itself when the one that signed it is tainted", async () => {
    const server = clientOf(above);
    const tainted = await upstreamId();
    await server.authorityPrepare("x509");
    const { prepared } = await server.authorities("x509");
    await becomes(async () => (await clientOf(below).bundleOwn()).x509_authorities?.length === 2);
    await server.authorityActivate("x509", prepared!.authority_id);
    await server.authorityTaint("x509", tainted!);
    await becomes(async () => (await upstreamId()) === prepared!.authority_id);
    await server.authorityRevoke("x509", tainted!);
    await becomes(async () => (await clientOf(below).bundleOwn()).x509_authorities?.length === 1);
  });

  test("starts and issues while that one is away, without an agent of it, as when its pod moves", async () => {
    await Promise.all([above.kill(), below.kill(), agent.daemon.stop()]);
    rmSync(agent.socket, { force: true });
    await below.start();
    // It asks for the bundle above five seconds after its start.
    await sleep(8_000);
    expect(chainOf(await mintAt(below)).length).toBeGreaterThan(1);
  });
});

describe("the TrustBundle of a second server of a trust domain", () => {
  const connect: Connect = ({ cloud }, _kubeconfig, patience) =>
    spireServer(cloud, servers[cloud as Cloud].run, { ...patience, limitMs: 5000 });
  const bundles = makeTrustBundleProvider(connect);
  const inputs = (cloud: string, shared?: { cloud: string; sha256: string[] }) => ({
    target: {
      ...{ cloud, trustDomain: TRUST_DOMAIN, namespace: "spire" },
      ...{ pod: "spire-server-0", container: "spire-server" },
    },
    kubeconfig: "any",
    timeoutSeconds: 5,
    ...(shared && { shared }),
  });
  const first = async () => {
    const { outs } = await bundles.create(inputs("aws"));
    return { cloud: "aws", sha256: outs.authorities.map(({ sha256 }) => sha256) };
  };

  test("is there when it has the root of the first", async () => {
    const shared = await first();
    const { id, outs } = await bundles.create(inputs("gcp", shared));
    expect(outs).toMatchObject({ trustDomain: TRUST_DOMAIN, shared });
    expect(await bundles.diff(id, outs, inputs("gcp", shared))).toMatchObject({ changes: false });
    expect((await bundles.read(id, outs)).inputs).toEqual(inputs("gcp", shared));
  });

  test("fails with the names of both when it has another root", async () => {
    await expect(bundles.create(inputs("stranger", await first()))).rejects.toThrow(
      /^stranger: its SPIRE server has no authority in common with that of aws, though both are of trust domain mesh\.example\.org/,
    );
  });

  test("refuses to become that of another trust domain, as SPIRE does not start with the identities of this one", async () => {
    const { id, outs } = await bundles.create(inputs("aws"));
    const moved = inputs("aws");
    moved.target.trustDomain = "aws.example.org";
    await expect(bundles.diff(id, outs, moved)).rejects.toThrow(
      "aws stands in trust domain mesh.example.org, and the configuration has it in aws.example.org",
    );
  });
});
