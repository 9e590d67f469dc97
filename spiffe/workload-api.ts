// Identities from the SPIFFE Workload API: one stream that is opened again for as long as the agent lives.
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { Logger } from "pino";
import { type Identity, type IdentitySource, isValid } from "./source";
import { decodeX509SvidResponse, identityOf, type X509SvidResponse } from "./x509-svid";

/** Where the CSI driver puts the socket in a pod. */
const DEFAULT_ENDPOINT = "unix:///spiffe-workload-api/spire-agent.sock";

const METHOD = "/SpiffeWorkloadAPI/FetchX509SVID";

/** Pauses before the stream is opened again, in milliseconds: doubled from `first` up to `longest`. */
export interface Backoff {
  readonly first: number;
  readonly longest: number;
}

/** What a source needs to know. */
export interface WorkloadApiArgs {
  /** `unix:///absolute/path` or `unix:relative/path`. Default: the variable SPIFFE_ENDPOINT_SOCKET, then DEFAULT_ENDPOINT. */
  readonly endpoint?: string | undefined;
  /** Which of the SVIDs to use. Default: the first. */
  readonly spiffeId?: string | undefined;
  readonly log: Logger;
  readonly backoff?: Backoff;
}

/** A client of its own for each stream, so that a socket that was made anew is found at once. */
function openClient(endpoint: string): Client {
  return new Client(endpoint, credentials.createInsecure(), {
    "grpc.enable_http_proxy": 0,
    "grpc.use_local_subchannel_pool": 1,
  });
}

function causeOf({ code, details, message }: ServiceError): string {
  // What SPIRE answers a workload that has no registration entry, or none yet.
  if (code === status.PERMISSION_DENIED) return `no identity issued: ${details}`;
  return details || message;
}

/** A source that follows the Workload API. It keeps the last identity until that expires. */
export function workloadApi(args: WorkloadApiArgs): IdentitySource {
  const { spiffeId, log, backoff = { first: 250, longest: 15_000 } } = args;
  const endpoint = args.endpoint ?? process.env["SPIFFE_ENDPOINT_SOCKET"] ?? DEFAULT_ENDPOINT;
  const listeners = new Set<(identity: Identity) => void>();
  let identity: Identity | undefined;
  let problem: string | undefined = "the Workload API has not answered yet";
  let told: string | undefined;
  let pause = backoff.first;
  let timer: NodeJS.Timeout | undefined;
  let stop: () => void = () => undefined;
  let closed = false;

  const fails = (cause: string) => {
    problem = cause;
    // Once for each change, however often it is tried.
    if (told !== cause) log.warn({ endpoint, cause }, "no new identity");
    told = cause;
  };

  const receive = (response: X509SvidResponse) => {
    pause = backoff.first;
    try {
      identity = identityOf(response, spiffeId);
    } catch (error) {
      fails((error as Error).message);
      return;
    }
    problem = told = undefined;
    const { spiffeId: id, notAfter, bundles } = identity;
    log.info({ spiffe_id: id, expires_at: notAfter, trust_domains: [...bundles.keys()].sort() }, "identity");
    for (const listener of listeners) listener(identity);
  };

  const open = () => {
    const client = openClient(endpoint);
    const metadata = new Metadata();
    // Proof that no browser or proxy was tricked into the request (Workload API specification, section 2.1).
    metadata.set("workload.spiffe.io", "true");
    const request = () => Buffer.alloc(0);
    const stream = client.makeServerStreamRequest(METHOD, request, decodeX509SvidResponse, {}, metadata);
    const again = (cause: string) => {
      stop();
      if (closed) return;
      fails(cause);
      const jitter = 0.75 + Math.random() / 2;
      timer = setTimeout(open, pause * jitter);
      pause = Math.min(pause * 2, backoff.longest);
    };
    stop = () => {
      stop = () => undefined;
      stream.removeAllListeners();
      // A cancelled stream tells so by an error.
      stream.on("error", () => undefined);
      stream.cancel();
      client.close();
    };
    stream.on("data", receive);
    stream.on("error", (error: ServiceError) => again(causeOf(error)));
    stream.on("end", () => again("the Workload API ended the stream"));
  };
  open();

  return {
    current: () => (identity && isValid(identity) ? identity : undefined),
    onUpdate(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    problem: () => problem,
    close() {
      closed = true;
      clearTimeout(timer);
      listeners.clear();
      stop();
    },
  };
}
