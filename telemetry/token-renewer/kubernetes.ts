// The two requests to Kubernetes' API that the token renewer makes, without a client that would be larger than the program.
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";

/** An API server, and who asks it. */
export interface Access {
  readonly server: string;
  /** Authorities that its certificate is checked by, PEM. */
  readonly ca: string;
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

/** Sends one request; resolves with the answer's JSON. Throws an Error with the HTTP code alone: answers may quote what was sent. */
async function call({ server, ca, token }: Access, call: Call, signal: AbortSignal): Promise<unknown> {
  const url = new URL(`${server.replace(/\/$/, "")}${call.path}`);
  const headers = { authorization: `Bearer ${token}`, "content-type": call.type, accept: "application/json" };
  // A connection of its own: hours pass until the next one.
  const options = { method: call.method, ca, headers, agent: false, signal } as const;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, options, resolve).on("error", reject).end(JSON.stringify(call.body));
  });
  const answer = await text(response);
  const { statusCode = 0 } = response;
  if (statusCode < 200 || statusCode > 299) throw new Error(`${url.host} answered HTTP ${statusCode}`);
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

/** Replaces one key of a Secret, and leaves the others. */
export async function patchSecret(
  access: Access,
  { namespace, name }: ObjectName,
  data: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")]);
  const path = `/api/v1/namespaces/${segment(namespace)}/secrets/${segment(name)}`;
  const body = { data: Object.fromEntries(encoded) as object };
  await call(access, { method: "PATCH", path, type: "application/merge-patch+json", body }, signal);
}
