// A mesh of fake clouds for the command line: their Kubernetes API and spire-server are played, the bundle endpoints and agents are real TLS servers on loopback.
import type { AppsV1Api } from "@kubernetes/client-node";
import { once } from "node:events";
import https from "node:https";
import net, { type AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Cluster, Connect, PodSummary } from "../../../cli/cluster";
import { meshOf, type Mesh } from "../../../cli/mesh-outputs";
import { pemOf } from "../../../spiffe/pem";
import { verifyPeer } from "../../../spiffe/verify";
import type { CommandResult } from "../../../components/trust/exec";
import { fault } from "../../../components/trust/fault";
import { explainNoPod } from "../../../components/trust/no-pod";
import { agentObjectName, NAMESPACES, TAILNET } from "../../../components/well-known";
import { agentSpiffeId, operatorSpiffeId, serverSpiffeId } from "../../../spiffe/spiffe-id";
import { type Certificate, issue, spiffeBundle } from "../../support/certificate";

const success = (stdout: string): CommandResult => ({ exitCode: 0, stdout, stderr: "" });
const failure = (stderr: string): CommandResult => ({ exitCode: 1, stdout: "", stderr });
const pem = ({ der }: Certificate) => pemOf("CERTIFICATE", der);
const keyOf = ({ key }: Certificate) => key.export({ format: "pem", type: "pkcs8" }) as string;

export interface FakeTask {
  skill?: string;
  payload?: { target_agent?: string; capability?: string; via?: string[]; params?: unknown };
}
/** What an agent answers: a result, or a JSON-RPC error, or a task that failed. Never: it does not answer. */
export type Reply =
  { result: unknown } | { error: { code: number; message: string } } | { failed: string } | "never";

/** What the Envoy of an agent says when it does not reach another, for this reason. */
export const unreached = (agent: string, reason: string) =>
  `${agent}.mesh: upstream_reset_before_response_started{${reason}}`;

/** One cloud. Every property may be changed by a test. */
export class FakeCloud {
  readonly trustDomain: string;
  readonly region = "r1";
  readonly role = "agent";
  /** The CA that signs now, and those that the bundle has. */
  ca: Certificate;
  authorities: Certificate[];
  /** DER of the authorities stored for other trust domains. */
  readonly stored = new Map<string, Buffer[]>();
  /** Words with which a fetch from another cloud fails here. */
  fetchFails?: string;
  /** SPIFFE ids that the bundle endpoint and the agent present. */
  serverId: string;
  agentId: string;
  pods: PodSummary[] = [
    { name: "agentweave-agent-1", ready: true, containers: [{ name: TAILNET.sidecar, ready: true }] },
  ];
  /** What `tailscale ip` answers in the sidecar. */
  device = success("100.64.0.1\n");
  /** Kinds of the workloads that were asked for, by their names. */
  readonly kinds: Record<string, string> = {};
  workloads: Record<string, { ready: number; desired: number } | undefined> = {};
  /** The Kubernetes API does not answer. */
  away = false;
  /** What `spire-server x509 mint` and `healthcheck` say instead of succeeding. */
  mintFails?: string;
  unhealthy?: string;
  /** There is no pod of its SPIRE server, whose StatefulSet is to have this many replicas. */
  podless?: number;
  /** Pods of its SPIRE server that are up. A command in another one finds no pod, or is never answered, as on a node that has died. */
  up = ["spire-server-0"];
  others: "missing" | "silent" = "missing";
  /** Clouds that its agent does not reach, with the words in which it says why. */
  readonly cutFrom = new Map<string, string>();
  /** What `spire-server bundle show` says instead of succeeding. */
  bundleFails?: string;
  /** Overrides the bundle endpoint's URL in the outputs. */
  endpointUrl?: string;
  /** URL of an object that stands for the bundle endpoint. */
  object?: string;
  /** Port of an agent that takes the place of the played one. */
  agentPort?: number;
  /** What the agent answers; undefined: as an agent does. */
  reply?: (task: FakeTask, caller: string) => Reply | undefined;
  /** Tasks that the agent was sent, with the callers it verified. */
  readonly asked: { task: FakeTask; caller: string }[] = [];
  private readonly servers: https.Server[] = [];
  private ports = { endpoint: 0, agent: 0 };
  /** Its own authorities beside `ca`, which signs, and those that are tainted. */
  prepared?: Certificate;
  old?: Certificate;
  readonly tainted = new Set<Certificate>();
  /** Ids of its JWT keys by what it does with them, and of those in its bundle. */
  jwt: { active: string; prepared?: string; old?: string };
  jwtKeys: string[];
  /** Ids of the JWT keys stored for other trust domains. */
  readonly storedJwt = new Map<string, string[]>();
  /** Commands that changed something, in all clouds, as `<cloud> <command>`. */
  readonly changes: string[];
  /** Whether the agent renews at once what a tainted authority signed. */
  renews = true;
  private renew: () => void = () => {};

  constructor(
    readonly name: string,
    private readonly world: () => FakeCloud[],
    changes: string[] = [],
  ) {
    this.changes = changes;
    this.trustDomain = `${name}.example.org`;
    this.ca = issue({ uri: `spiffe://${this.trustDomain}`, notBefore: new Date(Date.now() - 60_000) });
    this.authorities = [this.ca];
    this.jwt = { active: `${name}-jwt-1` };
    this.jwtKeys = [this.jwt.active];
    this.serverId = serverSpiffeId(this.trustDomain);
    this.agentId = agentSpiffeId(this.trustDomain, name, this.region, this.role);
  }

  private serve(id: () => string, handler: (request: Request, caller: string) => Promise<Reply | string>) {
    const server = https.createServer({
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: "TLSv1.3",
    });
    server.on("request", (request, response) => {
      const chunks: Buffer[] = [];
      const socket = request.socket as TLSSocket;
      const bundles = new Map([[this.trustDomain, this.authorities.map(pem)]]);
      const caller = socket.getPeerCertificate().raw
        ? verifyPeer(socket, { bundles } as never, new Set([this.trustDomain]))
        : "";
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        void handler({ path: request.url!, body: Buffer.concat(chunks).toString() }, caller).then((reply) => {
          if (reply !== "never") response.end(typeof reply === "string" ? reply : JSON.stringify(reply));
        });
      });
    });
    server.on("tlsClientError", () => {});
    this.servers.push(server);
    return {
      listen: async () => {
        // The certificate is made now, so that a test can change id and CA before.
        const present = () => {
          const leaf = issue({ uri: id(), ca: false, issuer: this.ca });
          server.setSecureContext({ cert: pem(leaf), key: keyOf(leaf), minVersion: "TLSv1.3" });
        };
        present();
        this.renew = present;
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        return (server.address() as AddressInfo).port;
      },
    };
  }

  async start(): Promise<void> {
    const endpoint = this.serve(
      () => this.serverId,
      async () => spiffeBundle(this.authorities.map(({ der }) => der)),
    );
    const agent = this.serve(
      () => this.agentId,
      async ({ body }, caller) => {
        const { id, method, params } = JSON.parse(body) as {
          id: number;
          method: string;
          params: { message: { metadata?: { skill: string }; parts?: { text?: string; data?: unknown }[] } };
        };
        expect(method).toBe("SendMessage");
        const { metadata, parts = [] } = params.message;
        const [part] = parts;
        const payload = (part?.data ?? part?.text) as FakeTask["payload"];
        const task = { ...metadata, ...(payload !== undefined && { payload }) };
        this.asked.push({ task, caller });
        const reply = this.reply?.(task, caller) ?? this.usual(task, caller);
        if (reply === "never") return reply;
        if ("error" in reply) return JSON.stringify({ jsonrpc: "2.0", id, error: reply.error });
        const words = { messageId: "m", role: "ROLE_AGENT" };
        const end =
          "failed" in reply
            ? {
                status: {
                  state: "TASK_STATE_FAILED",
                  message: { ...words, parts: [{ text: reply.failed }] },
                },
              }
            : {
                status: { state: "TASK_STATE_COMPLETED" },
                artifacts: [{ artifactId: "a", parts: [{ data: reply.result }] }],
              };
        return JSON.stringify({ jsonrpc: "2.0", id, result: { task: { id: "t", contextId: "c", ...end } } });
      },
    );
    this.ports = { endpoint: await endpoint.listen(), agent: await agent.listen() };
  }

  /** What an agent of the contract answers. */
  private usual({ skill, payload = {} }: FakeTask, caller: string): Reply {
    if (skill !== "call_remote") return { result: { pong: true, agent: this.agentId, caller } };
    const [cloud] = payload.target_agent!.split("_");
    const peer = this.world().find(({ name }) => name === cloud)!;
    const cut = this.cutFrom.get(peer.name);
    if (cut) return { failed: `${peer.name}-agent: ${unreached(`${peer.name}-agent`, cut)}` };
    const reply =
      peer.reply?.({ skill: payload.capability! }, this.agentId) ??
      peer.usual({ skill: payload.capability! }, this.agentId);
    if (reply === "never") return reply;
    if ("error" in reply) return { failed: `${peer.name}-agent: ${reply.error.message}` };
    if ("failed" in reply) return reply;
    const target = { agent: peer.agentId, address: "https://192.0.2.1:8443" };
    return {
      result: { agent: this.agentId, caller, target, attempts: 1, milliseconds: 3, result: reply.result },
    };
  }

  /** spire-server, as its commands are used. */
  private spire(args: string[]): CommandResult {
    const command = args.slice(0, 2).join(" ");
    const flag = (name: string) => args[args.indexOf(name) + 1]!;
    const peer = flag("-id").slice("spiffe://".length);
    const asn1 = (ders: Buffer[]) => ders.map((der) => ({ asn1: der.toString("base64") }));
    const changing = /prepare|activate|taint|revoke|refresh|delete|evict|ban/.test(command + args[2]);
    if (changing)
      this.changes.push(`${this.name} ${args.slice(0, args[0] === "localauthority" ? 3 : 2).join(" ")}`);
    if (args[0] === "localauthority")
      return args[1] === "jwt"
        ? this.jwtAuthority(args[2]!, flag("-authorityID"))
        : this.authority(args[2]!, flag("-authorityID"));
    const jwtAuthorities = (ids: readonly string[] = []) => ids.map((key_id) => ({ key_id }));
    if (command === "bundle show" && args.includes("json"))
      return success(
        JSON.stringify({
          trust_domain: this.trustDomain,
          x509_authorities: this.authorities.map((each) => ({
            asn1: each.der.toString("base64"),
            tainted: this.tainted.has(each),
          })),
          jwt_authorities: jwtAuthorities(this.jwtKeys),
        }),
      );
    if (command === "federation list")
      return success(
        JSON.stringify({
          federation_relationships: [...this.stored.keys()].map((trust_domain) => ({ trust_domain })),
        }),
      );
    if (command === "federation delete" || command === "bundle delete") {
      const known = this.stored.has(flag("-id").replace("spiffe://", ""));
      if (command === "bundle delete") this.stored.delete(peer);
      return success(JSON.stringify({ results: [{ status: { code: known ? 0 : 5 } }] }));
    }
    if (command === "agent list")
      return success(
        JSON.stringify({
          // A server may attest another cluster's nodes too, whose names may be the same.
          agents: [
            ...["elsewhere", this.name].map((cluster, index) => ({
              id: { trust_domain: this.trustDomain, path: `/spire/agent/${index}` },
              selectors: [`agent_node_name:${this.name}-node-1`, `cluster:${cluster}`].map((value) => ({
                type: "k8s_psat",
                value,
              })),
              x509svid_serial_number: String(this.serial),
            })),
            // Beside a server below, in a pod that is gone.
            {
              id: { trust_domain: this.trustDomain, path: "/spire/agent/k8s_psat/elsewhere/pod/1" },
              x509svid_serial_number: "0",
            },
          ],
        }),
      );
    if (command === "agent evict" || command === "agent ban") return success("");
    if (args[0] === "healthcheck")
      return this.unhealthy ? failure(this.unhealthy) : success("Server is healthy.");
    if (command === "bundle show" && this.bundleFails) return failure(this.bundleFails);
    if (command === "bundle show") return success(spiffeBundle(this.authorities.map(({ der }) => der)));
    if (command === "bundle list") {
      const ders = this.stored.get(peer);
      if (!ders) return failure("Error: rpc error: code = NotFound desc = bundle not found");
      return success(
        JSON.stringify({
          trust_domain: peer,
          x509_authorities: asn1(ders),
          jwt_authorities: jwtAuthorities(this.storedJwt.get(peer)),
        }),
      );
    }
    if (command === "federation refresh") {
      const source = this.world().find(({ trustDomain }) => trustDomain === peer)!;
      const vouched = this.stored.get(peer)?.some((der) => der.equals(source.ca.der));
      if (this.fetchFails) return failure(this.fetchFails);
      if (!vouched) return failure("x509: certificate signed by unknown authority");
      this.stored.set(
        peer,
        source.authorities.map(({ der }) => der),
      );
      this.storedJwt.set(peer, source.jwtKeys);
      return success("Bundle refreshed");
    }
    if (command === "x509 mint") {
      if (this.mintFails) return failure(this.mintFails);
      const leaf = issue({ uri: flag("-spiffeID"), ca: false, issuer: this.ca });
      const key = leaf.key.export({ format: "der", type: "pkcs8" }).toString("base64");
      const roots = this.authorities.map(({ der }) => der.toString("base64"));
      return success(
        `${JSON.stringify({ x509_svid: [leaf.der.toString("base64")], private_key: key, root_cas: roots })}\n`,
      );
    }
    throw new Error(`the fake knows no spire-server ${args.join(" ")}`);
  }

  private serial = 1;

  /** Ids of the authorities that signed its own, by these. Default: each signed itself. */
  readonly signers = new Map<Certificate, string>();

  /** `spire-server localauthority x509`, as strict as SPIRE about whose turn it is. */
  private authority(command: string, id: string): CommandResult {
    const named = (certificate?: Certificate) =>
      certificate && {
        authority_id: certificate.keyId.toString("hex"),
        upstream_authority_subject_key_id: this.signers.get(certificate) ?? "",
      };
    const mustBe = (certificate?: Certificate) => {
      if (named(certificate)?.authority_id !== id) throw new Error(`${command}: not the turn of ${id}`);
    };
    if (command === "prepare") {
      this.prepared = issue({ uri: `spiffe://${this.trustDomain}` });
      this.authorities = [...this.authorities, this.prepared];
    } else if (command === "activate") {
      mustBe(this.prepared);
      [this.old, this.ca, this.prepared] = [this.ca, this.prepared!, undefined];
    } else if (command === "taint") {
      mustBe(this.old);
      this.tainted.add(this.old!);
      this.serial++;
      if (this.renews) this.renew();
    } else if (command === "revoke") {
      mustBe(this.old);
      this.authorities = this.authorities.filter((each) => each !== this.old);
    }
    const { ca, prepared, old } = this;
    return success(JSON.stringify({ active: named(ca), prepared: named(prepared), old: named(old) }));
  }

  /** `spire-server localauthority jwt`, likewise. */
  private jwtAuthority(command: string, id: string): CommandResult {
    const { active, prepared, old } = this.jwt;
    if (command !== "show" && command !== "prepare" && id !== (command === "activate" ? prepared : old))
      throw new Error(`${command}: not the turn of ${id}`);
    if (command === "prepare") {
      this.jwt = { ...this.jwt, prepared: `${this.name}-jwt-${this.jwtKeys.length + 1}` };
      this.jwtKeys = [...this.jwtKeys, this.jwt.prepared!];
    } else if (command === "activate") this.jwt = { active: prepared!, old: active };
    else if (command === "revoke") this.jwtKeys = this.jwtKeys.filter((key) => key !== id);
    const named = (key?: string) => key && { authority_id: key };
    const now = this.jwt;
    return success(
      JSON.stringify({ active: named(now.active), prepared: named(now.prepared), old: named(now.old) }),
    );
  }

  /** The Kubernetes API of StatefulSets. */
  private get apps(): AppsV1Api {
    const replicas = this.podless ?? this.workloads["spire-server"]?.desired;
    const readNamespacedStatefulSet = async () => ({ spec: { replicas } });
    return { readNamespacedStatefulSet } as unknown as AppsV1Api;
  }

  readonly cluster: Cluster = {
    version: async () => this.answer("v1.34.2"),
    exec: async (place, command) => {
      if (place.container === TAILNET.sidecar) return this.answer(this.device);
      if (this.podless !== undefined || !this.up.includes(place.pod)) {
        if (this.others === "silent") return new Promise(() => {});
        throw await explainNoPod({ cloud: this.name, ...place }, this.apps);
      }
      return this.answer(() => this.spire(command.slice(1)));
    },
    portForward: async (_namespace, pod) => {
      const ofServer = pod.startsWith("spire-server");
      if (ofServer && !this.up.includes(pod)) throw new Error(`no port-forward to ${pod}`);
      const port = ofServer ? this.ports.endpoint : (this.agentPort ?? this.ports.agent);
      const socket = net.connect(this.answer(port), "127.0.0.1");
      await once(socket, "connect");
      return socket;
    },
    pods: async (namespace) =>
      this.answer(
        namespace === NAMESPACES.spireServer
          ? this.up.map((name) => ({ name, ready: true, containers: [] }))
          : this.pods,
      ),
    workload: async (kind, _namespace, name) => {
      this.kinds[name] = kind;
      return this.answer(name in this.workloads ? this.workloads[name] : { ready: 1, desired: 1 });
    },
  };

  private answer<T>(value: T | (() => T)): T {
    if (this.away)
      throw fault(`${this.name}: the Kubernetes API cannot be reached for exec: connect ECONNREFUSED`, {});
    return value instanceof Function ? value() : value;
  }

  get endpoint(): string {
    return this.endpointUrl ?? `https://127.0.0.1:${this.ports.endpoint}`;
  }

  get operatorId(): string {
    return operatorSpiffeId(this.trustDomain);
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.servers.map((server) => {
        server.closeAllConnections();
        return new Promise((closed) => server.close(closed));
      }),
    );
  }
}

interface Request {
  path: string;
  body: string;
}

/** Clouds that store each other's bundles. `prepare` changes them before they start. */
export class FakeMesh {
  readonly clouds: FakeCloud[];
  /** Commands that changed something on a SPIRE server, in their order. */
  readonly changes: string[] = [];
  /** Undefined: the outputs are of a version that did not tell. */
  network?: { mode: string; tailnet?: string; global?: string };

  constructor(...names: string[]) {
    this.clouds = names.map((name) => new FakeCloud(name, () => this.clouds, this.changes));
  }

  cloud(name: string): FakeCloud {
    return this.clouds.find((cloud) => cloud.name === name)!;
  }

  async start(): Promise<void> {
    await Promise.all(this.clouds.map((cloud) => cloud.start()));
    for (const target of this.clouds)
      for (const source of this.clouds)
        if (target !== source && !target.stored.has(source.trustDomain))
          target.stored.set(
            source.trustDomain,
            source.authorities.map(({ der }) => der),
          );
  }

  readonly connect: Connect = ({ name }) => this.cloud(name).cluster;

  /** The stack's outputs, as infra/index.ts makes them. */
  outputs(): Record<string, unknown> {
    const clouds = this.clouds.map((cloud) => {
      const { name, region, trustDomain, endpoint, object } = cloud;
      const context = `${name}-cluster`;
      const served = object
        ? { bundleEndpoint: object, bundleEndpointProfile: "https_web" }
        : { bundleEndpoint: endpoint };
      return [name, { region, context, clusterName: name, trustDomain, ...served }];
    });
    const agents = this.clouds.map((cloud) => {
      const { name, region, trustDomain, role } = cloud;
      const spiffeId = agentSpiffeId(trustDomain, name, region, role);
      const onTailnet = this.network?.mode === "tailscale";
      const address = `https://${onTailnet ? `${name}-agent.${this.network!.tailnet}` : `${name}.example.org`}:8443`;
      const service = agentObjectName(role);
      const agent = { spiffeId, address, namespace: "agentweave", service, cloud: name, role };
      const workload = { kind: onTailnet ? "StatefulSet" : "Deployment", name: service };
      return [`${name}/${role}`, this.network ? { ...agent, workload } : agent];
    });
    return {
      clouds: Object.fromEntries(clouds) as unknown,
      agents: Object.fromEntries(agents) as unknown,
      ...(this.network ? { network: this.network } : {}),
      kubeconfig: "contexts: []",
    };
  }

  mesh(): Mesh {
    return meshOf(this.outputs());
  }

  async stop(): Promise<void> {
    await Promise.all(this.clouds.map((cloud) => cloud.stop()));
  }
}
