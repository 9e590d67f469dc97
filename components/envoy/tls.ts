// Mutual TLS of an agent's Envoy: its identity and the roots of every trust domain come from the SPIRE agent, by SDS.
import { extension, httpProtocol, plainCluster, type Xds } from "./xds";

/** Cluster of the SPIRE agent's Workload API, which serves SDS on the same socket (spiffe/spire, doc/spire_agent.md, "sds"). */
const WORKLOAD_API = "workload_api";

/** Names by which the SPIRE agent gives a workload's own certificate, and a validator with the bundles of all trust domains that it may know. */
const SDS = { certificate: "default", bundles: "ALL" } as const;

/** The Workload API at this path of its socket. */
export function workloadApiCluster(socket: string): Xds {
  return plainCluster(WORKLOAD_API, socket, httpProtocol("http2"));
}

const secret = (name: string, waitSeconds = 0): Xds => ({
  name,
  sds_config: {
    resource_api_version: "V3",
    // Nothing listens before there is an identity, however long that takes.
    initial_fetch_timeout: `${waitSeconds}s`,
    api_config_source: {
      api_type: "GRPC",
      transport_api_version: "V3",
      grpc_services: [{ envoy_grpc: { cluster_name: WORKLOAD_API } }],
    },
  },
});

/** What keys of certificates sign with: those of SPIRE, and of RSA those that are long enough for a signature with SHA-512, which 1024 bits are not (RFC 8017, section 9.1.1). */
const SIGNATURES = ["ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384", "rsa_pss_rsae_sha512"] as const;

// One object each, so that the text says them once.
const [CERTIFICATE, BUNDLES] = [secret(SDS.certificate), secret(SDS.bundles)];
const TLS_PARAMS = {
  tls_minimum_protocol_version: "TLSv1_3",
  tls_maximum_protocol_version: "TLSv1_3",
  signature_algorithms: SIGNATURES,
} as const;

/**
 * TLS 1.3 alone, and a peer whose chain holds under the roots of its own trust domain: the SPIRE agent's validator looks those up by the
 * name in the peer's certificate (envoy, api/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config.proto).
 */
function context(validation: Xds): Xds {
  return {
    tls_params: TLS_PARAMS,
    alpn_protocols: ["h2", "http/1.1"],
    tls_certificate_sds_secret_configs: [CERTIFICATE],
    ...validation,
  };
}

/** For connections that come in. */
export function serverTls(): Xds {
  return extension(
    "envoy.transport_sockets.tls",
    "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
    {
      require_client_certificate: true,
      // A session that is taken up again would not be verified anew: a cloud that was removed would stay for as long as its tickets.
      disable_stateless_session_resumption: true,
      disable_stateful_session_resumption: true,
      common_tls_context: context({ validation_context_sds_secret_config: BUNDLES }),
    },
  );
}

/**
 * The roots of this SPIFFE id's trust domain alone. What Envoy has of them, it keeps until it gets others or ends (spiffe/spire,
 * pkg/agent/endpoints/sdsv3/handler.go, `buildResponse`).
 *
 * @param waitSeconds how long Envoy waits for them before it starts; 0 is for ever. They can come later, too.
 */
const rootsOf = (spiffeId: string, waitSeconds = 0): Xds =>
  secret(`spiffe://${new URL(spiffeId).host}`, waitSeconds);

/**
 * For connections to the peer with exactly this SPIFFE id, under the roots of its trust domain. Under those of all, Envoy goes by the first name of a certificate, and
 * the id could be another of its names: any member's authority could be the peer. That is so where there are two ids, in which case trust domains change, and one of
 * them may be of all clouds.
 *
 * @param waitSeconds as in `rootsOf`.
 */
export function clientTls(spiffeIds: readonly string[], waitSeconds = 0): Xds {
  const [only] = spiffeIds;
  return extension("envoy.transport_sockets.tls", "extensions.transport_sockets.tls.v3.UpstreamTlsContext", {
    common_tls_context: context({
      combined_validation_context: {
        default_validation_context: {
          match_typed_subject_alt_names: spiffeIds.map((exact) => ({ san_type: "URI", matcher: { exact } })),
        },
        validation_context_sds_secret_config: spiffeIds.length === 1 ? rootsOf(only!, waitSeconds) : BUNDLES,
      },
    }),
  });
}
