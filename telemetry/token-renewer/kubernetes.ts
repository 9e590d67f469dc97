// The requests to Kubernetes' API that the token renewer makes, without a client that would be larger than the program.
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { text } from "node:stream/consumers";
import * as tls from "node:tls";
import { ProxyFailed, Tunnel } from "./proxy";
import type { ApiServer } from "../../components/clouds/kubeconfig-server";
import { PROMETHEUS, TOKEN_RENEWER } from "../../components/well-known";
import { labels } from "../../components/kubernetes/metadata";

/** An API server, and who asks it. */
export interface Access extends ApiServer {
  readonly token: string;
}

/** An object in a namespace. */
export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

interface Call {
  readonly method: "POST" | "PATCH";
  readonly path: string;
  readonly type: string;
  readonly body: unknown;
}

/** An API server refused. It tells the HTTP code alone: answers may quote what was sent. */
class Refused extends Error {
  constructor(
    host: string,
    readonly code: number,
  ) {
    super(`${host} answered HTTP ${code}`);
  }
}

/** A connection of its own for one request: hours pass until the next one. */
function dial({ server, ca, tlsServerName, proxyUrl }: Access): tls.TLSSocket {
  const { hostname, port } = new URL(server);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const target = { host, port: Number(port || 443) };
  return tls.connect({
    ...target,
    ca,
    // An address is no name to ask for (RFC 6066, section 3).
    servername: tlsServerName ?? (isIP(host) ? "" : host),
    ...(proxyUrl !== undefined && { socket: new Tunnel(proxyUrl, { ...target, host: hostname }) }),
  });
}

/** The tunnel's own words are about the sidecar of a pod, and this proxy is none. */
function wayThere(error: Error, { proxyUrl }: Access): Error {
  if (!(error instanceof ProxyFailed) || error.cause === undefined) return error;
  return new Error(`the proxy ${proxyUrl} does not answer: ${(error.cause as Error).message}`);
}

/** Sends one request; resolves with the answer's JSON. Throws `Refused`, or an Error about the way there. */
async function call(access: Access, call: Call, signal: AbortSignal): Promise<unknown> {
  const url = new URL(`${access.server.replace(/\/$/, "")}${call.path}`);
  const headers = {
    authorization: `Bearer ${access.token}`,
    "content-type": call.type,
    accept: "application/json",
  };
  const options = { method: call.method, headers, createConnection: () => dial(access), signal } as const;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, options, resolve)
      .on("error", (error) => reject(wayThere(error, access)))
      .end(JSON.stringify(call.body));
  });
  const answer = await text(response);
  const { statusCode = 0 } = response;
  if (statusCode < 200 || statusCode > 299) throw new Refused(url.host, statusCode);
  return JSON.parse(answer);
}

const segment = encodeURIComponent;

/** A new token of an account (https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/). */
export async function requestToken(
  access: Access,
  { namespace, name }: ObjectName,
  seconds: number,
  signal: AbortSignal,
): Promise<string> {
  const body = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { audiences: [], expirationSeconds: seconds },
  };
  const path = `/api/v1/namespaces/${segment(namespace)}/serviceaccounts/${segment(name)}/token`;
  const answer = await call(access, { method: "POST", path, type: "application/json", body }, signal);
  const token = (answer as { status?: { token?: unknown } }).status?.token;
  if (typeof token !== "string" || token === "") throw new Error("the API server made no token");
  return token;
}

/** Writes keys of a Secret and leaves its others; makes the Secret if there is none. */
export async function writeSecret(
  access: Access,
  { namespace, name }: ObjectName,
  data: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const encoded = Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
  );
  const path = `/api/v1/namespaces/${segment(namespace)}/secrets/${segment(name)}`;
  const patch = {
    method: "PATCH",
    path,
    type: "application/merge-patch+json",
    body: { data: encoded },
  } as const;
  try {
    await call(access, patch, signal);
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== 404) throw error;
    await call(access, makingOf(path, { namespace, name }, encoded), signal);
  }
}

/** A server-side apply: unlike a POST it may be allowed for one name alone, which is in its path. JSON is YAML. */
function makingOf(path: string, metadata: ObjectName, data: Readonly<Record<string, string>>): Call {
  const made = { ...metadata, labels: labels(PROMETHEUS.name, "metrics") };
  return {
    method: "PATCH",
    path: `${path}?fieldManager=${TOKEN_RENEWER.name}`,
    type: "application/apply-patch+yaml",
    body: { apiVersion: "v1", kind: "Secret", metadata: made, type: "Opaque", data },
  };
}
