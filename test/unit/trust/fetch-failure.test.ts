import { federate } from "../../../components/trust/federate";
import { explainFetchFailure } from "../../../components/trust/fetch-failure";
import { fault } from "../../../components/trust/fault";
import type { SpireServer } from "../../../components/trust/spire-cli";
import { selfSigned, spiffeBundle } from "../../support/certificate";

const endpoint = {
  trustDomain: "aws.example.org",
  bundleEndpointUrl: "https://lb.example.org:8443",
  endpointSpiffeId: "spiffe://aws.example.org/spire/server",
};
const fetching =
  'Error: failed to refresh bundle: failed to fetch federated bundle from endpoint: failed to fetch bundle: Get "https://lb.example.org:8443":';
const early = (now: string, start: string) =>
  `x509svid: could not verify leaf certificate: x509: certificate has expired or is not yet valid: current time 2026-11-28T10:${now}Z is before 2026-11-28T10:${start}Z`;

const WAITS = { transient: true, distrusted: false };
const FINAL = { transient: false, distrusted: false };
const DISTRUSTED = { transient: false, distrusted: true };

describe("A failed fetch from a live bundle endpoint is told apart from others, with a next step of its own", () => {
  // As Go's and Node's libraries say it.
  const rows: [string, object, RegExp][] = [
    [
      "x509svid: could not get leaf SPIFFE ID: certificate contains no URI SAN",
      FINAL,
      /ends TLS with .* no SPIFFE identity.*layer 4/,
    ],
    ["its certificate has 0 URI names instead of one", FINAL, /ends TLS with .* no SPIFFE identity/],
    ["tls: first record does not look like a TLS handshake", FINAL, /plain HTTP .* not TLS/],
    ["http: server gave HTTP response to HTTPS client", FINAL, /plain HTTP .* not TLS/],
    [
      "write EPROTO 0:error:0A00010B:SSL routines:ssl3_get_record:wrong version number",
      FINAL,
      /plain HTTP .* not TLS/,
    ],
    [early("00:00", "00:40"), WAITS, /not valid yet: .* NTP.* They are 40 s apart\.$/],
    [early("00:00", "30:00"), FINAL, /not valid yet: .* They are 1800 s apart\.$/],
    ["certificate is not yet valid", FINAL, /not valid yet: .* NTP\)\.$/],
    [
      "x509: certificate has expired or is not yet valid: current time 2026-11-28T10:00:00Z is after 2026-11-28T09:00:00Z",
      FINAL,
      /has expired: .* NTP/,
    ],
    [
      'x509bundle: no X.509 bundle found for trust domain: "gcp.example.org"',
      DISTRUSTED,
      /is of trust domain gcp\.example\.org, not aws\.example\.org/,
    ],
    [
      'x509bundle: no X.509 bundle for trust domain "aws.example.org"',
      DISTRUSTED,
      /No bundle is stored for aws\.example\.org/,
    ],
    [
      "x509svid: could not verify leaf certificate: x509: certificate signed by unknown authority",
      DISTRUSTED,
      /not vouched for by the bundle stored for aws\.example\.org/,
    ],
    [
      'unexpected ID "spiffe://aws.example.org/other"',
      DISTRUSTED,
      /must present spiffe:\/\/aws\.example\.org\/spire\/server/,
    ],
    [
      "unexpected status 503 fetching bundle: no healthy upstream",
      WAITS,
      /is reached and answers HTTP 503: its logs/,
    ],
    ["dial tcp: lookup lb.example.org on 10.0.0.2:53: no such host", WAITS, /name in .* has no address/],
    ["dial tcp 192.0.2.1:8443: connect: connection refused", WAITS, /Nobody listens at/],
    ["net/http: TLS handshake timeout", WAITS, /before TLS: .* healthy pod/],
    ["EOF", WAITS, /before TLS: .* healthy pod/],
    ["read tcp 10.0.0.1:40000->192.0.2.1:8443: read: connection reset by peer", WAITS, /before TLS/],
    ["dial tcp 192.0.2.1:8443: connect: no route to host", WAITS, /no route to/],
    ["dial tcp 192.0.2.1:8443: i/o timeout", WAITS, /Nothing comes back from .* firewall/],
    ["unexpected status 404 fetching bundle", FINAL, /can be reached from the cluster that fetches it/],
  ];

  test.each(rows)("%s", (cause, verdict, next) => {
    const found = explainFetchFailure(`${fetching} ${cause}`, endpoint);
    expect(found).toMatchObject(verdict);
    expect(found.next).toMatch(next);
  });

  test.each<[string, object, RegExp]>([
    [
      "tls: failed to verify certificate: x509: certificate signed by unknown authority",
      FINAL,
      /no certificate of its name that public authorities vouch for/,
    ],
    ["unable to verify the first certificate", FINAL, /no certificate of its name/],
    ["unexpected status 403 fetching bundle: <Error>", WAITS, /HTTP 403 .* not there, or not for everybody/],
    ["it answered HTTP 404", WAITS, /HTTP 404 .*logs of aws\.example\.org's SPIRE server say why/],
    ["unexpected status 503 fetching bundle", WAITS, /^https:\/\/bucket\S+ is reached and answers HTTP 503/],
    ["dial tcp 192.0.2.1:443: connect: connection refused", WAITS, /check the address, and whose it is/],
    ["dial tcp: lookup bucket.example.org: no such host", WAITS, /name in .* has no address/],
  ])("of an object: %s", (cause, verdict, next) => {
    const { trustDomain } = endpoint;
    const object = { trustDomain, bundleEndpointUrl: "https://bucket.example.org/bundle.json" };
    const found = explainFetchFailure(cause, object);
    expect(found).toMatchObject(verdict);
    expect(found.next).toMatch(next);
  });

  test("and no cause has the next step of another", () => {
    const steps = rows.map(([cause]) => explainFetchFailure(cause, endpoint).next.slice(0, 60));
    expect(new Set(steps).size).toBeGreaterThanOrEqual(13);
  });
});

test("Clocks that are a little apart are waited for, which is said once", async () => {
  const warn = jest.spyOn(console, "warn").mockImplementation(() => undefined);
  let fetches = 0;
  const uri = "spiffe://aws.example.org";
  const day = 86_400_000;
  const ca = selfSigned({ uri, notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + day) });
  const server = {
    healthcheck: () => Promise.resolve(),
    bundleShow: () => Promise.resolve(spiffeBundle([ca])),
    federationList: () => Promise.resolve([]),
    bundleStored: () => Promise.resolve(undefined),
    federationCreate: () => Promise.resolve(),
    federationRefresh: () => {
      fetches += 1;
      const cause = fetches < 3 ? early("00:00", "00:40") : "unexpected status 404 fetching bundle";
      return Promise.reject(fault(`${fetching} ${cause}`, {}));
    },
  } as unknown as SpireServer;
  const run = federate({ cloud: "gcp", server }, { cloud: "aws", server }, endpoint, {
    limitMs: 5000,
    firstPauseMs: 1,
  });
  await expect(run).rejects.toThrow("unexpected status 404");
  expect(fetches).toBe(3);
  expect(warn.mock.calls).toEqual([
    [expect.stringMatching(/^gcp: waits until the clocks agree\. .* 40 s apart/)],
  ]);
  warn.mockRestore();
});
