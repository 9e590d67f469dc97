import { explainFetchFailure } from "../../../components/trust/federate";

const endpoint = {
  trustDomain: "aws.example.org",
  bundleEndpointUrl: "https://lb.example.org:8443",
  endpointSpiffeId: "spiffe://aws.example.org/spire/server",
};
const fetching =
  "failed to fetch federated bundle from endpoint: failed to fetch bundle: Get https://lb.example.org:8443:";

describe("A failed fetch from a live bundle endpoint", () => {
  it.each([
    "dial tcp 192.0.2.1:8443: connect: connection refused",
    "dial tcp: lookup lb.example.org on 10.0.0.2:53: no such host",
    "dial tcp 192.0.2.1:8443: i/o timeout",
    "net/http: TLS handshake timeout",
    "EOF",
    "unexpected status 503 fetching bundle: no backend",
  ])("is worth waiting for while the load balancer or its DNS name is being made: %s", (cause) => {
    const { transient, distrusted, next } = explainFetchFailure(`${fetching} ${cause}`, endpoint);
    expect({ transient, distrusted }).toEqual({ transient: true, distrusted: false });
    expect(next).toContain("https://lb.example.org:8443 can be reached");
  });

  it.each([
    [
      "x509svid: could not verify leaf certificate: x509: certificate signed by unknown authority",
      "not vouched for by the bundle stored for aws.example.org",
    ],
    [
      'x509bundle: no X.509 bundle found for trust domain: "gcp.example.org"',
      "not vouched for by the bundle stored for aws.example.org",
    ],
    ['unexpected ID "spiffe://aws.example.org/other"', "must present spiffe://aws.example.org/spire/server"],
  ])("is final when the endpoint is not who it should be: %s", (cause, words) => {
    const { transient, distrusted, next } = explainFetchFailure(`${fetching} ${cause}`, endpoint);
    expect({ transient, distrusted }).toEqual({ transient: false, distrusted: true });
    expect(next).toContain(words);
  });

  it("is final, and says nothing of the endpoint's identity, for a cause that is not known to pass", () => {
    expect(explainFetchFailure(`${fetching} unexpected status 404 fetching bundle`, endpoint)).toMatchObject({
      transient: false,
      distrusted: false,
    });
  });
});
