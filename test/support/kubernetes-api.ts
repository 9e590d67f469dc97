// A stand-in for a Kubernetes API server on loopback, by TLS: one ServiceAccount, its tokens, Secrets, ConfigMaps, PersistentVolumes, namespaces and CSIDrivers.
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { TLSSocket } from "node:tls";
import { pemOf } from "./agent/pki";
import { issue } from "./certificate";

/** What an operator's kubeconfig has for a token. */
export const OPERATOR = "token-of-the-operator";

/** One request as it came. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly token: string;
  readonly type: string;
  /** Name that the caller asked for at the handshake; none for an address. */
  readonly name: string | undefined;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Bodies have as many shapes as there are requests.
  readonly body: any;
}

interface Answer {
  readonly code: number;
  readonly body?: unknown;
}

const base64 = (text: string) => Buffer.from(text).toString("base64");
const ACCOUNT = /^\/api\/v1\/namespaces\/observability\/serviceaccounts\/prometheus\/token$/;
const SECRET = /^\/api\/v1\/namespaces\/observability\/secrets(?:\/([^/]+))?$/;
const CONFIG_MAP = /^\/api\/v1\/namespaces\/observability\/configmaps(?:\/([^/]+))?$/;
const SHARED =
  /^\/api(?:s\/(?:storage|apiextensions)\.k8s\.io)?\/v1\/((?:namespaces|csidrivers|customresourcedefinitions)\/[^/]+)$/;
const PODS = /^\/api\/v1\/namespaces\/observability\/pods$/;

/** A token of an account that is good from `issued` to `expires` (seconds since 1970); its signature is none. */
export function accountToken(issued: number, expires: number, id = Math.random()): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part({ iat: issued, exp: expires, jti: String(id) })}.signature`;
}

/** The stand-in. */
export class KubernetesApi {
  /** Everything that was asked, in order. */
  readonly asked: Asked[] = [];
  /** Keys of each Secret, as they are written in `data`. */
  readonly secrets = new Map<string, Record<string, string>>();
  /** ConfigMaps as they were written last. */
  readonly configMaps = new Map<string, { data?: object; binaryData?: object; metadata: object }>();
  /** PersistentVolumes, as a list of them has them. */
  volumes: object[] = [];
  /** Its API groups. */
  groups: string[] = [];
  /** Metadata of what a cluster has once under a name, by its path within the API: `namespaces/opa`. */
  readonly shared = new Map<string, object>();
  /** Tokens that it takes beside the operator's. */
  readonly tokens = new Set<string>();
  /** Whether there is the account `prometheus`. */
  hasAccount = true;
  /** Seconds for which its tokens are good, whatever is asked. */
  lifetime = 3600;
  /** Codes with which it refuses the next requests, one each; undefined lets one pass. */
  readonly refusals: (number | undefined)[] = [];
  /** What the account may not do: paths that it is refused with 403. */
  forbidden: RegExp | undefined;
  private waiting: (() => void)[] = [];

  private constructor(
    private readonly server: Server,
    /** Certificate authority, PEM. */
    readonly ca: string,
  ) {
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      void this.respond(request, response);
    });
  }

  /** @param identity what its certificate is for. Default: the address that it listens at. */
  static async start(identity: Parameters<typeof issue>[0] = { ip: "127.0.0.1" }): Promise<KubernetesApi> {
    const { cert, key } = pemOf(issue(identity));
    const server = createServer({ cert, key });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new KubernetesApi(server, cert);
  }

  get url(): string {
    return `https://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** An operator's kubeconfig, as JSON. */
  kubeconfig(cluster: object = { "certificate-authority-data": base64(this.ca) }, token = OPERATOR): string {
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server: this.url, ...cluster } }],
      users: [{ name: "u", user: { token } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    });
  }

  /** A key of a Secret as text. */
  secret(name: string, key: string): string | undefined {
    const value = this.secrets.get(name)?.[key];
    return value === undefined ? undefined : Buffer.from(value, "base64").toString();
  }

  /** Waits until `look` finds something; it looks again after each request. */
  async until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, "close");
  }

  private async respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const [path] = (request.url ?? "").split("?", 1) as [string];
    const asked: Asked = {
      method: request.method ?? "",
      path,
      token: (request.headers.authorization ?? "").replace(/^Bearer /, ""),
      type: request.headers["content-type"] ?? "",
      name: (request.socket as TLSSocket).servername || undefined,
      body: body === "" ? undefined : JSON.parse(body),
    };
    this.asked.push(asked);
    const { code, body: answer } = this.answer(asked);
    // As a real one does, it says what it refuses, and may quote it.
    const failed = { kind: "Status", apiVersion: "v1", status: "Failure", code, message: `refused: ${body}` };
    response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(answer ?? failed));
    for (const wake of this.waiting.splice(0)) wake();
  }

  private answer({ method, path, token, type, body }: Asked): Answer {
    const refusal = this.refusals.shift();
    if (refusal !== undefined) return { code: refusal };
    if (token !== OPERATOR && !this.tokens.has(token)) return { code: 401 };
    if (token !== OPERATOR && this.forbidden?.test(path)) return { code: 403 };
    if (method === "POST" && ACCOUNT.test(path)) return this.mint(body);
    if (method === "GET" && PODS.test(path)) return { code: 200, body: { kind: "PodList", items: [] } };
    if (method === "GET" && path === "/api/v1/persistentvolumes")
      return { code: 200, body: { kind: "PersistentVolumeList", items: this.volumes } };
    if (method === "GET" && /^\/apis\/?$/.test(path))
      return { code: 200, body: { groups: this.groups.map((name) => ({ name, versions: [] })) } };
    const shared = this.shared.get(SHARED.exec(path)?.[1] ?? "");
    if (method === "GET" && shared) return { code: 200, body: { metadata: shared } };
    const configMap = CONFIG_MAP.exec(path);
    if (configMap) return this.configMap(method, configMap[1] ?? body.metadata.name, body);
    const secret = SECRET.exec(path);
    if (!secret) return { code: 404 };
    const name = secret[1] ?? body.metadata.name;
    // A server-side apply makes what is not there.
    if (type === "application/apply-patch+yaml" && !this.secrets.has(name)) this.secrets.set(name, {});
    return this.change(method, name, body);
  }

  private mint(body: Asked["body"]): Answer {
    if (!this.hasAccount) return { code: 404 };
    const now = Math.floor(Date.now() / 1000);
    const token = accountToken(now, now + this.lifetime);
    this.tokens.add(token);
    return { code: 201, body: { ...body, status: { token } } };
  }

  private configMap(method: string, name: string, body: Asked["body"]): Answer {
    if (method === "POST" || (method === "PUT" && this.configMaps.has(name))) this.configMaps.set(name, body);
    const there = this.configMaps.get(name);
    if (method === "DELETE") this.configMaps.delete(name);
    return there ? { code: 200, body: { ...there, kind: "ConfigMap" } } : { code: 404 };
  }

  private change(method: string, name: string, body: Asked["body"]): Answer {
    const there = this.secrets.get(name);
    if ((method === "POST") === (there !== undefined)) return { code: there ? 409 : 404 };
    if (method === "DELETE") this.secrets.delete(name);
    if (method === "PATCH") this.secrets.set(name, { ...there, ...body.data });
    if (method === "POST" || method === "PUT") {
      const entries = Object.entries(body.stringData as Record<string, string>);
      this.secrets.set(name, Object.fromEntries(entries.map(([key, value]) => [key, base64(value)])));
    }
    return { code: 200, body: { kind: "Secret", metadata: { name }, data: this.secrets.get(name) ?? {} } };
  }
}
