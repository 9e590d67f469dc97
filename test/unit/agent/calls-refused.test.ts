import { once } from "node:events";
import * as net from "node:net";
import * as tls from "node:tls";
import {
  azure,
  callsTo,
  closeAll,
  type Endpoint,
  failed,
  failure,
  gcp,
  idOf,
  nobody,
  outcomes,
  peer,
  ping,
  reply,
  self,
  well,
} from "./calls-world";

const servers: net.Server[] = [];
afterEach(async () => {
  await closeAll();
  for (const server of servers.splice(0)) server.close();
});

/** Something else than an agent at the address of the one in GCP. */
async function listening(server: net.Server): Promise<Endpoint> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { ...nobody("gcp"), address: `https://127.0.0.1:${(server.address() as net.AddressInfo).port}` };
}

/** A peer that answers the beginning of a handshake with an alert in the clear (RFC 8446, section 6). */
const alerting = (alert: number) =>
  listening(
    net.createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => socket.end(Buffer.from([21, 3, 3, 0, 2, 2, alert])));
    }),
  );

/** One call, which fails: its error, what was counted, and what its span says. */
async function tried(endpoint: Endpoint, { identity = self(), timeout_seconds = 10 } = {}) {
  const { calls, identity: source, spans, telemetry } = callsTo([endpoint], { timeout_seconds });
  source.set(identity);
  const { message } = await failed(ping(calls));
  const counted = await outcomes(telemetry);
  await telemetry.close();
  const [span] = spans.filter(({ name }) => name === "call_agent(gcp-agent)");
  return { message, counted, told: span!.attributes["agentweave.outcome"] };
}

const day = 86_400_000;

test.each<[string, () => Promise<Awaited<ReturnType<typeof peer>>>, RegExp]>([
  [
    "another agent of the trust domain",
    () => peer("gcp", well, { as: "spiffe://gcp.example.org/region/gcp-r/worker" }),
    /worker answered instead of/,
  ],
  [
    "somebody whose certificate another trust domain's CA issued",
    async () => ({
      ...(await peer("azure", well, { as: idOf("gcp") })),
      spiffe_id: idOf("gcp"),
      cloud: "gcp",
    }),
    /its certificate is not accepted: (self-signed|unable to)/,
  ],
  [
    "the agent with a certificate that has expired",
    () => peer("gcp", well, { leaf: { notAfter: new Date(Date.now() - day) } }),
    /its certificate is not accepted: certificate has expired/,
  ],
  [
    "the agent with a certificate that is not valid yet",
    () => peer("gcp", well, { leaf: { notBefore: new Date(Date.now() + day / 2) } }),
    /its certificate is not accepted: certificate is not yet valid/,
  ],
  [
    "somebody with the certificate of a CA",
    () => peer("gcp", well, { leaf: { ca: true } }),
    /presented the certificate of a CA/,
  ],
])("a try that meets %s counts as refused", async (_who, make, words) => {
  const there = await make();
  const { message, counted, told } = await tried(there);
  expect(message).toMatch(words);
  expect(counted).toEqual({ refused: 1 });
  expect(told).toBe("refused");
  expect(there.asked).toEqual([]);
});

test("a try at a trust domain of which there is no bundle counts as refused, and nothing is dialled", async () => {
  const there = await peer("gcp");
  const { bundles, ...rest } = self();
  const { message, counted } = await tried(there, {
    identity: { ...rest, bundles: new Map([...bundles].filter(([domain]) => domain !== gcp.name)) },
  });
  expect(message).toContain("there is no bundle of trust domain gcp.example.org");
  expect(counted).toEqual({ refused: 1 });
  expect(there.connections()).toBe(0);
});

test("a try at a peer that has no identity counts as refused", async () => {
  const there = await listening(tls.createServer({ minVersion: "TLSv1.3", requestCert: true }));
  const { message, counted } = await tried(there);
  expect(message).toMatch(/or has none \(TLS alert handshake_failure\)/);
  expect(counted).toEqual({ refused: 1 });
});

describe("a try that ends by an alert of the peer", () => {
  test("after the handshake, over the certificate of this agent, counts as refused", async () => {
    const there = await peer("gcp");
    const { message, counted, told } = await tried(there, {
      identity: { ...self(), certificates: "", key: "" },
    });
    expect(message).toMatch(
      /it does not accept this end's certificate, or has none \(TLS alert certificate_required\)/,
    );
    expect(counted).toEqual({ refused: 1 });
    expect(told).toBe("refused");
  });

  test.each([
    [40, "handshake_failure"],
    [42, "bad_certificate"],
    [43, "unsupported_certificate"],
    [44, "certificate_revoked"],
    [45, "certificate_expired"],
    [46, "certificate_unknown"],
    [48, "unknown_ca"],
    [49, "access_denied"],
    [116, "certificate_required"],
  ])("%d, %s, counts as refused", async (alert, name) => {
    const { message, counted } = await tried(await alerting(alert));
    expect(message).toContain(`TLS alert ${name}`);
    expect(counted).toEqual({ refused: 1 });
  });

  test.each([
    [47, "illegal_parameter"],
    [70, "protocol_version"],
    [80, "internal_error"],
  ])("%d, %s, which is about no identity, counts as an error", async (alert, name) => {
    const { message, counted } = await tried(await alerting(alert));
    expect(message).toContain(name.replaceAll("_", " "));
    expect(counted).toEqual({ error: 1 });
  });
});

test("a peer that closes the connection over this agent's identity counts as an error, which says where to look", async () => {
  const there = await peer("gcp", well, { trusts: [gcp, azure] });
  const { message, counted, told } = await tried(there);
  expect(message).toMatch(/(hang up|ECONNRESET): it gave no answer; if it does not trust this agent/);
  expect(counted).toEqual({ error: 1 });
  expect(told).toBe("error");
  expect(there.asked).toEqual([]);
});

describe("not for its identity", () => {
  test.each<[string, () => Promise<Endpoint>, string]>([
    ["there is nobody", () => Promise.resolve(nobody("gcp")), "error"],
    [
      "it does not speak TLS",
      () => listening(net.createServer((socket) => socket.end("SSH-2.0-x\r\n"))),
      "error",
    ],
    ["it speaks TLS 1.2 alone", () => listening(tls.createServer({ maxVersion: "TLSv1.2" })), "error"],
    [
      "it hangs up before a handshake",
      () => listening(net.createServer((socket) => socket.destroy())),
      "error",
    ],
    ["it hangs", () => peer("gcp", () => undefined), "timeout"],
    [
      "it denies",
      () =>
        peer(
          "gcp",
          reply((id) => failure(id, -32000)),
        ),
      "denied",
    ],
    [
      "it does not offer the task",
      () =>
        peer(
          "gcp",
          reply((id) => failure(id, -32602)),
        ),
      "rejected",
    ],
    [
      "it is overloaded",
      () =>
        peer(
          "gcp",
          reply((id) => failure(id, -32002), 503),
        ),
      "error",
    ],
  ])("when %s the outcome is another", async (_what, make, outcome) => {
    const { counted, told, message } = await tried(await make(), {
      timeout_seconds: outcome === "timeout" ? 0.2 : 10,
    });
    expect(counted).toEqual({ [outcome]: 1 });
    expect(told).toBe(outcome);
    expect(message).not.toContain("if it does not trust this agent");
  });
});

test("an identity that ends before the connection is opened counts as refused", async () => {
  const there = await peer("gcp");
  const { calls, identity, telemetry } = callsTo([there]);
  let asked = 0;
  const current = identity.current.bind(identity);
  // The call is begun with one, and has lost it when it connects.
  jest.spyOn(identity, "current").mockImplementation(() => (asked++ === 0 ? current() : undefined));
  expect((await failed(ping(calls))).message).toContain("this agent has no identity");
  expect(await outcomes(telemetry)).toEqual({ refused: 1 });
});
