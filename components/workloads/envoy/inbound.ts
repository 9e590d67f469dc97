// What comes in to an agent: mutual TLS, limits, the policy's decision, and only then the program.
import { readFileSync } from "node:fs";
import * as path from "node:path";
import type { ProgramProtocol } from "../policy-data";
import { REQUEST_STATS, requestLog, tracing, type TracingArgs } from "./observed";
import { serverTls } from "../../envoy/tls";
import {
  address,
  extension,
  HTTP2,
  httpConnectionManager,
  httpProtocol,
  plainCluster,
  REQUEST_BYTES,
  type SocketAddress,
  type Xds,
} from "../../envoy/xds";

/** What `inbound` needs. */
export interface InboundArgs {
  /** Where callers arrive. */
  readonly listen: SocketAddress;
  /** Where the program serves plain HTTP. */
  readonly program: SocketAddress;
  readonly protocol: ProgramProtocol;
  /** SPIFFE ids of all members of the mesh, operators too: nobody else is asked about. */
  readonly members: readonly string[];
  /** OPA's data API. */
  readonly opa: SocketAddress;
  /** Default: no spans. */
  readonly traces?: TracingArgs;
}

/** For how long a connection may live, whatever it carries. A peer that is no longer trusted is gone after that; what is under way ends first. */
const CONNECTION_AGE = "30s";

/** For how long an answer may last. */
const STREAM_AGE = "3600s";

const AUTHORIZE = path.join(__dirname, "authorize.lua");

/** The filter that asks OPA. Of plain HTTP the policy knows method and path, so that bodies may be of any length. */
function authorize(protocol: ProgramProtocol): Xds {
  const settings = {
    READS_BODIES: protocol !== "http",
    // Programs of the AgentWeave SDK expect an error of JSON-RPC, which is no error of HTTP.
    DENIAL_STATUS: protocol === "agentweave" ? '"200"' : '"403"',
  };
  const constants = Object.entries(settings).map(([name, value]) => `local ${name} = ${value}\n`);
  return extension("envoy.filters.http.lua", "extensions.filters.http.lua.v3.Lua", {
    default_source_code: { inline_string: `${constants.join("")}${readFileSync(AUTHORIZE, "utf8")}` },
  });
}

/**
 * What passes only where the policy allowed it. The filter before it only tells the decision: Envoy lets pass what a script fails at.
 */
function enforce(): Xds {
  const allowed = {
    metadata_matcher: {
      filter: "mesh",
      path: [{ key: "decision" }],
      value: { string_match: { exact: "allow" } },
    },
    metadata_source: "DYNAMIC",
  };
  return extension("envoy.filters.http.rbac", "extensions.filters.http.rbac.v3.RBAC", {
    rules: {
      action: "ALLOW",
      policies: { decided: { permissions: [{ any: true }], principals: [{ sourced_metadata: allowed }] } },
    },
  });
}

/** Lets in members alone: whoever else a trust domain of the mesh has may invent as many identities as it likes. */
function membersOnly(members: readonly string[]): Xds {
  const principals = members.map((id) => ({ authenticated: { principal_name: { exact: id } } }));
  return extension("envoy.filters.http.rbac", "extensions.filters.http.rbac.v3.RBAC", {
    rules: { action: "ALLOW", policies: { members: { permissions: [{ any: true }], principals } } },
  });
}

/** Requests of one caller in a second, and in a burst; those of all callers together four times as many. */
const RATE = { perSecond: 250, burst: 500 } as const;

function rateLimit(): Xds {
  const bucket = (times: number) => ({
    max_tokens: RATE.burst * times,
    tokens_per_fill: RATE.perSecond * times,
    fill_interval: "1s",
  });
  const all = { default_value: { numerator: 100, denominator: "HUNDRED" } };
  return extension(
    "envoy.filters.http.local_ratelimit",
    "extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
    {
      stat_prefix: "callers",
      token_bucket: bucket(4),
      filter_enabled: all,
      filter_enforced: all,
      // An entry without a value has a bucket for each value that comes.
      descriptors: [{ entries: [{ key: "caller" }], token_bucket: bucket(1) }],
      max_dynamic_descriptors: 10_000,
      rate_limits: [
        {
          actions: [
            {
              extension: extension(
                "envoy.rate_limit_descriptors.expr",
                "extensions.rate_limit_descriptors.expr.v3.Descriptor",
                {
                  descriptor_key: "caller",
                  text: "connection.uri_san_peer_certificate",
                },
              ),
            },
          ],
        },
      ],
    },
  );
}

/** Whether the program can be reached, without asking it or the policy: Envoys of callers ask in regular intervals. */
export function healthCheck(): Xds {
  return extension("envoy.filters.http.health_check", "extensions.filters.http.health_check.v3.HealthCheck", {
    pass_through_mode: false,
    cluster_min_healthy_percentages: { program: { value: 100 } },
    headers: [{ name: ":path", string_match: { exact: HEALTH_PATH } }],
  });
}

/** Path at which an agent's Envoy says whether its program can be reached, to members of the mesh and to the kubelet. */
export const HEALTH_PATH = "/health";

/**
 * Headers by which some frameworks take a request for another one than was decided; and x-forwarded-proto, since the program is called by
 * plain HTTP, and would else give https as its own address.
 */
const MISLEADING = [
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-original-url",
  "x-rewrite-url",
];

/** Listener and clusters of what comes in. */
export function inbound({ listen, program, protocol, members, opa, traces }: InboundArgs) {
  const manager = httpConnectionManager("inbound", {
    // Only what Envoy itself verified says who calls: the program reads it in x-forwarded-client-cert.
    forward_client_cert_details: "SANITIZE_SET",
    set_current_client_cert_details: { uri: true },
    use_remote_address: true,
    access_log: [...REQUEST_STATS, requestLog("inbound")],
    ...(traces && { tracing: tracing("inbound", traces) }),
    common_http_protocol_options: {
      idle_timeout: "300s",
      max_connection_duration: CONNECTION_AGE,
      max_stream_duration: STREAM_AGE,
      max_headers_count: 64,
      headers_with_underscores_action: "REJECT_REQUEST",
    },
    http2_protocol_options: HTTP2,
    max_request_headers_kb: 32,
    request_headers_timeout: "10s",
    request_timeout: "30s",
    stream_idle_timeout: "300s",
    // The policy and the program see one and the same path.
    normalize_path: true,
    merge_slashes: true,
    path_with_escaped_slashes_action: "REJECT_REQUEST",
    filters: [membersOnly(members), healthCheck(), rateLimit(), authorize(protocol), enforce()],
    hosts: [
      {
        name: "program",
        domains: ["*"],
        request_headers_to_remove: MISLEADING,
        // Only Envoy says these, on which callers ask another agent.
        response_headers_to_remove: ["x-mesh-decision", "x-envoy-overloaded"],
        // What is streamed lasts as long as it does.
        routes: [{ match: { prefix: "/" }, route: { cluster: "program", timeout: "0s" } }],
      },
    ],
  });
  return {
    listener: {
      name: "inbound",
      address: address(listen),
      per_connection_buffer_limit_bytes: REQUEST_BYTES,
      filter_chains: [
        {
          // A connection that says nothing is let go.
          transport_socket_connect_timeout: "10s",
          transport_socket: serverTls(),
          filters: [manager],
        },
      ],
    },
    clusters: [
      plainCluster("program", program, {
        ...httpProtocol("http1"),
        circuit_breakers: {
          // Answers that do not end take a connection each; one that has to wait is better asked of another agent.
          thresholds: [{ max_connections: 1_000, max_requests: 1_000, max_pending_requests: 20 }],
        },
        health_checks: [
          {
            timeout: "1s",
            interval: "2s",
            no_traffic_interval: "2s",
            unhealthy_interval: "1s",
            unhealthy_threshold: 3,
            healthy_threshold: 1,
            tcp_health_check: {},
          },
        ],
      }),
      plainCluster("opa", opa, {
        ...httpProtocol("http1"),
        circuit_breakers: {
          // It answers one after the other: more at a time take its memory alone.
          thresholds: [{ max_connections: 8, max_requests: 1_000, max_pending_requests: 1_000 }],
        },
      }),
    ],
  };
}
