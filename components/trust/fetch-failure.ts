// Why a bundle endpoint could not be fetched from, by the words of Go's and Node's TLS, HTTP and sockets, and what to try next.

/** What a relationship says: `trustDomain` is found at this endpoint, under this id. */
export interface Endpoint {
  trustDomain: string;
  /** `https://host:port` */
  bundleEndpointUrl: string;
  /** SPIFFE id that it must present. Default: it has a public certificate. */
  endpointSpiffeId?: string;
}

/** How an endpoint proves itself (SPIFFE Federation, section 5.2): by an identity of its own trust domain, or by a public certificate. */
export const BUNDLE_PROFILES = ["https_spiffe", "https_web"] as const;
export type BundleProfile = (typeof BUNDLE_PROFILES)[number];

/** The endpoint of a relationship's inputs, whose id is empty for profile https_web. */
export const endpointOf = ({
  trustDomain,
  bundleEndpointUrl,
  endpointSpiffeId,
}: Required<Endpoint>): Endpoint => ({
  trustDomain,
  bundleEndpointUrl,
  ...(endpointSpiffeId !== "" && { endpointSpiffeId }),
});

/** What a failed fetch means. */
export interface FetchFailure {
  /** Whether it may pass by itself: a load balancer or its name that is still being made, a server that restarts, clocks that differ a little. */
  readonly transient: boolean;
  /** Whether the endpoint's identity is in doubt, so that the bundle which is stored may be of no use. */
  readonly distrusted: boolean;
  /** What to try. */
  readonly next: string;
  /** How many seconds the clock that judges is behind the one that signed, where that is the cause and known. */
  readonly skewSeconds?: number;
  /** Whether nothing is known of the cause. */
  readonly unknown?: true;
}

/** Clocks that differ by more are wrong and not only apart: what is waited for is then no longer a matter of one `up`. */
const SMALL_SKEW_SECONDS = 120;

interface Row {
  readonly words: RegExp;
  readonly passes?: true;
  readonly distrusted?: true;
  /** Of which profile alone. Default: of both. */
  readonly profile?: BundleProfile;
  readonly next: (endpoint: Endpoint, found: RegExpExecArray) => string;
}

/** The first row whose words are found counts. */
const ROWS: readonly Row[] = [
  {
    // Go, crypto/x509; SPIRE, pkg/server/bundle/client; OpenSSL. No stored bundle has a part in it.
    words:
      /x509: |web authentication but|certificate has expired|not yet valid|unable to (verify|get)|self-signed|does not match certificate/,
    profile: "https_web",
    next: ({ bundleEndpointUrl }) =>
      `What answers at ${bundleEndpointUrl} has no certificate of its name that public authorities vouch for and that is valid now: check the address, what ends TLS on the way, and the clocks.`,
  },
  {
    // A store answers so of what is not there, too, to whom may not list it.
    words: /(?:unexpected status|answered HTTP) (403|404)/,
    passes: true,
    profile: "https_web",
    next: ({ bundleEndpointUrl, trustDomain }, [, status]) =>
      `HTTP ${status} from ${bundleEndpointUrl}: the object is not there, or not for everybody to read. The logs of ${trustDomain}'s SPIRE server say why it does not publish ("Failed to publish bundle").`,
  },
  {
    // go-spiffe, svid/x509svid; agent/identity/chain.ts.
    words: /could not get leaf SPIFFE ID|contains no URI SAN|has \d+ URI names instead of one/,
    next: ({ bundleEndpointUrl }) =>
      `What answers at ${bundleEndpointUrl} ends TLS with a certificate that is no SPIFFE identity, before the SPIRE server: a load balancer, an ingress or a proxy that inspects TLS. Have it pass the port's TCP on as it is (layer 4), with no certificate of its own.`,
  },
  {
    // Go, crypto/tls and net/http; OpenSSL.
    words:
      /first record does not look like a TLS handshake|server gave HTTP response to HTTPS client|wrong version number|packet length too long/,
    next: ({ bundleEndpointUrl }) =>
      `What answers at ${bundleEndpointUrl} speaks plain HTTP or some other protocol, not TLS: have the load balancer pass the port's TCP on as it is (layer 4), and check that its port leads to 8443 of the SPIRE server.`,
  },
  {
    words: /not yet valid: current time \S+ is before|certificate is not yet valid|is valid from \S+ only/,
    next: ({ trustDomain }) =>
      `By the clock of who fetches, the certificate of ${trustDomain}'s SPIRE server is not valid yet: have the nodes of both clouds keep the time (chrony, NTP).`,
  },
  {
    words: /certificate has expired|not yet valid: current time \S+ is after|expired at \S+/,
    next: ({ trustDomain }) =>
      `By the clock of who fetches, the certificate of ${trustDomain}'s SPIRE server has expired: have the nodes of both clouds keep the time (chrony, NTP); if they do, the logs of that server say why it renews nothing.`,
  },
  {
    words: /no X\.509 bundle (?:found )?for trust domain:? "([^"]+)"/,
    distrusted: true,
    next: ({ bundleEndpointUrl, trustDomain }, [, other]) =>
      other === trustDomain
        ? `No bundle is stored for ${trustDomain}, so that nothing vouches for ${bundleEndpointUrl}.`
        : `The SPIRE server that answers at ${bundleEndpointUrl} is of trust domain ${other}, not ${trustDomain}: the address is another cloud's.`,
  },
  {
    words:
      /unknown authority|could not verify leaf certificate|no X\.509 bundle|local copy of bundle not found/,
    distrusted: true,
    next: ({ bundleEndpointUrl, trustDomain }) =>
      `What answers at ${bundleEndpointUrl} is not vouched for by the bundle stored for ${trustDomain}: check that the address belongs to that cloud's SPIRE server.`,
  },
  {
    words: /unexpected (peer )?ID|unexpected trust domain/,
    distrusted: true,
    next: ({ bundleEndpointUrl, endpointSpiffeId, trustDomain }) =>
      `The endpoint must present ${endpointSpiffeId}: check that ${bundleEndpointUrl} belongs to ${trustDomain}.`,
  },
  {
    words: /unexpected status (5\d\d)/,
    passes: true,
    next: ({ bundleEndpointUrl, endpointSpiffeId, trustDomain }, [, status]) =>
      `${endpointSpiffeId === undefined ? bundleEndpointUrl : `${trustDomain}'s SPIRE server`} is reached and answers HTTP ${status}: its logs say why, if it goes on.`,
  },
  {
    words: /no such host|server misbehaving|ENOTFOUND|EAI_AGAIN/,
    passes: true,
    next: ({ bundleEndpointUrl }) =>
      `The name in ${bundleEndpointUrl} has no address for the cluster that fetches: that of a new load balancer takes minutes to be known; check the cluster's DNS, and the zone if the name is a private one.`,
  },
  {
    words: /connection refused|ECONNREFUSED/,
    passes: true,
    next: ({ bundleEndpointUrl, endpointSpiffeId }) =>
      endpointSpiffeId === undefined
        ? `Nobody listens at ${bundleEndpointUrl}: check the address, and whose it is.`
        : `Nobody listens at ${bundleEndpointUrl}: check that the SPIRE server's pod is ready, and that its Service has endpoints.`,
  },
  {
    words: /TLS handshake timeout|connection reset|ECONNRESET|\bEOF\b/,
    passes: true,
    next: ({ bundleEndpointUrl }) =>
      `${bundleEndpointUrl} takes connections and ends them, or leaves them without an answer, before TLS: check that the load balancer has a healthy pod behind it, and what else is on the way (a firewall, a proxy, an MTU too large for a tunnel).`,
  },
  {
    words: /network is unreachable|no route to host|ENETUNREACH|EHOSTUNREACH/,
    passes: true,
    next: ({ bundleEndpointUrl }) =>
      `There is no route to ${bundleEndpointUrl} from the cluster that fetches: check its routes and its way out (NAT, tunnels).`,
  },
  {
    words: /i\/o timeout|deadline exceeded|Client\.Timeout|ETIMEDOUT/,
    passes: true,
    next: ({ bundleEndpointUrl }) =>
      `Nothing comes back from ${bundleEndpointUrl}: a firewall, a security group, a network policy or the load balancer's source ranges drop what the cluster that fetches sends.`,
  },
];

/** How far the certificate's beginning is ahead of the clock that judges it, in seconds; undefined where the words do not say. */
function skewOf(words: string): number | undefined {
  const [, now, start] = /current time (\S+) is before (\S+)/.exec(words) ?? [];
  if (now === undefined || start === undefined) return undefined;
  const seconds = (Date.parse(start) - Date.parse(now)) / 1000;
  return seconds > 0 ? Math.ceil(seconds) : undefined;
}

/** What a failed fetch from the live endpoint means. `words`: the error's own. */
export function explainFetchFailure(words: string, endpoint: Endpoint): FetchFailure {
  const of = endpoint.endpointSpiffeId === undefined ? "https_web" : "https_spiffe";
  for (const { words: pattern, passes = false, distrusted = false, profile = of, next } of ROWS) {
    const found = profile === of ? pattern.exec(words) : null;
    if (found === null) continue;
    const skewSeconds = skewOf(words);
    const said = skewSeconds === undefined ? "" : ` They are ${skewSeconds} s apart.`;
    return {
      transient: passes || (skewSeconds ?? Infinity) <= SMALL_SKEW_SECONDS,
      distrusted,
      next: `${next(endpoint, found)}${said}`,
      ...(skewSeconds !== undefined && { skewSeconds }),
    };
  }
  const next = `Check that ${endpoint.bundleEndpointUrl} can be reached from the cluster that fetches it (load balancer, firewall, DNS).`;
  return { transient: false, distrusted: false, next, unknown: true };
}
