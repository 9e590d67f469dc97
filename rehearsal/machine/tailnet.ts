// The tailnet of a rehearsal: Headscale and Tailscale's own relay in the world, and the stack's configuration that points to them.
import { createHash, X509Certificate } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { dump, load } from "js-yaml";
import { partOf } from "../../components/network/part";
import { tailnetPolicy } from "../../components/network/tailscale/policy";
import { routerTag, TAILNET } from "../../components/well-known";
import type { MeshConfig } from "../../infra/config";
import { NAMESPACE } from "../../infra/config/namespace";
import { run } from "../processes";
import { until } from "../proof/steps";
import { runningIn, spawnInWorld, sweep, whenReady, WORLD_ADDRESS } from "./world";

/** MagicDNS domain; `.test` is nobody's (RFC 6761). */
export const TAILNET_DOMAIN = "mesh.test";
/** What the control server and the devices' image are made of. */
export const TAILNET_PROGRAMS = ["tailscaled", "tailscale", "containerboot", "headscale", "derper"] as const;

const NAME = "tailnet";
const LOGIN_SERVER = `http://${WORLD_ADDRESS}:8080`;
/** Devices only trust a relay by TLS, and only at this port do network policies let them. */
const RELAY_PORT = 443;
const STUN_PORT = 3478;
/** Headscale's user that owns the mesh's tags. */
const USER = "mesh";

/** Where the tailnet has its files. */
const fileOf = (root: string, name: string) => path.resolve(root, NAME, name);

/** What a stack's devices are. */
type Kind = "agents" | "routers" | "observability";
/** Keys by what they are for, and the tags that each gives its devices. Secret. */
type Keys = Record<Kind, { readonly tags: readonly string[]; readonly key: string }>;

/** Writes what only its owner may read; true if that is not what was there. */
function write(file: string, text: string): boolean {
  if (existsSync(file) && readFileSync(file, "utf8") === text) return false;
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, text, { mode: 0o600 });
  return true;
}

/** The program's own policy for these clouds, as Headscale takes it. Pure. */
function headscalePolicy({ clouds, observability }: Pick<MeshConfig, "clouds" | "observability">) {
  const names = clouds.map(({ name }) => name);
  const parts = observability && new Map(names.map((name) => [name, partOf(name, observability, names)]));
  const places = clouds.map(({ name, ...cloud }) => {
    if (cloud.provider !== "existing") throw new Error(`${name} is no cloud of this machine`);
    return { name, podCidr: cloud.podCidr, serviceCidr: cloud.serviceCidr };
  });
  const policy = tailnetPolicy({ clouds: places, callers: [], global: false, parts });
  return {
    ...policy,
    // Headscale has users, and no administrators among them.
    tagOwners: Object.fromEntries(Object.keys(policy.tagOwners).map((tag) => [tag, [`${USER}@`]])),
    // It has no Tailscale Services, and takes no policy that speaks of them.
    autoApprovers: { routes: policy.autoApprovers.routes },
  };
}

/** Configuration of Headscale, none of which leads out of the world (https://headscale.net/stable/ref/configuration/). */
function headscaleConfig(root: string) {
  const local = (port: number) => `127.0.0.1:${port}`;
  return {
    server_url: LOGIN_SERVER,
    listen_addr: new URL(LOGIN_SERVER).host,
    metrics_listen_addr: local(9090),
    grpc_listen_addr: local(50443),
    unix_socket: fileOf(root, "headscale.sock"),
    noise: { private_key_path: fileOf(root, "noise.key") },
    database: { type: "sqlite", sqlite: { path: fileOf(root, "headscale.db") } },
    prefixes: { v4: "100.64.0.0/10", v6: "fd7a:115c:a1e0::/48" },
    derp: {
      server: { enabled: false },
      urls: [],
      paths: [fileOf(root, "relays.yaml")],
      auto_update_enabled: false,
    },
    dns: {
      magic_dns: true,
      base_domain: TAILNET_DOMAIN,
      override_local_dns: false,
      nameservers: { global: [] },
    },
    policy: { mode: "file", path: fileOf(root, "policy.json") },
    logtail: { enabled: false },
    disable_check_updates: true,
  };
}

/** The map of relays with the one in the world, which devices know by the hash of the certificate that it made itself. */
function relayMap(certificate: string): string {
  const hash = createHash("sha256").update(new X509Certificate(certificate).raw).digest("hex");
  const region = { regionid: 900, regioncode: "world", regionname: "World" };
  const node = {
    name: "900a",
    regionid: region.regionid,
    hostname: WORLD_ADDRESS,
    ipv4: WORLD_ADDRESS,
    certname: `sha256-raw:${hash}`,
    derpport: RELAY_PORT,
    stunport: STUN_PORT,
  };
  // YAML with a number for a key, which Headscale insists on.
  return `regions:\n  ${region.regionid}: ${JSON.stringify({ ...region, nodes: [node] })}\n`;
}

/** Starts one of the servers; rejects, with its last words, if it ends while `ready` is waited for. */
async function start(root: string, argv: readonly string[], ready: () => Promise<unknown>): Promise<void> {
  const name = path.basename(argv[0]!);
  const file = fileOf(root, `${name}.log`);
  const log = openSync(file, "a", 0o600);
  const server = spawnInWorld(root, NAME, argv, log);
  closeSync(log);
  await whenReady(name, server, file, ready);
}

/** Runs the relay, and then the control server, which has to know the relay's certificate. */
async function startServers(root: string, { headscale, derper }: Record<string, string>): Promise<void> {
  const address = [`-a=${WORLD_ADDRESS}:${RELAY_PORT}`, "-http-port=-1", `-stun-port=${STUN_PORT}`];
  const certificates = ["-certmode=manual", `-certdir=${fileOf(root, "")}`, `-hostname=${WORLD_ADDRESS}`];
  const relay = [derper!, `-c=${fileOf(root, "derper.key")}`, ...address, ...certificates];
  const certificate = fileOf(root, `${WORLD_ADDRESS}.crt`);
  const map = () =>
    Promise.resolve(existsSync(certificate) ? relayMap(readFileSync(certificate, "utf8")) : undefined);
  await start(root, relay, async () =>
    write(fileOf(root, "relays.yaml"), await until("the relay's certificate", map)),
  );
  const answers = async () => (await fetch(`${LOGIN_SERVER}/health`)).ok || undefined;
  const serve = [headscale!, "serve", "-c", fileOf(root, "headscale.yaml")];
  await start(root, serve, () => until("the tailnet's control server", answers));
}

/** Runs Headscale's command line; what it answers. */
export async function askHeadscale<Answer>(root: string, headscale: string, args: string[]): Promise<Answer> {
  const config = ["-c", fileOf(root, "headscale.yaml"), "-o", "json"];
  return JSON.parse(await run(headscale, [...args, ...config])) as Answer;
}

/** Has Headscale run the policy's own tests on the devices that there are: a tag that no device has fails its tests. */
export async function checkPolicy(root: string, headscale: string): Promise<string> {
  const config = ["-c", fileOf(root, "headscale.yaml")];
  return (await run(headscale, ["policy", "check", "-f", fileOf(root, "policy.json"), ...config])).trim();
}

const keysOf = (root: string): Partial<Keys> =>
  existsSync(fileOf(root, "keys.json"))
    ? (JSON.parse(readFileSync(fileOf(root, "keys.json"), "utf8")) as Keys)
    : {};

/** Makes the keys that there are not, with the tags of their kinds: with Headscale, a device that has a key cannot ask for others. */
async function makeKeys(root: string, headscale: string, clouds: readonly string[]): Promise<void> {
  const tags: Record<Kind, readonly string[]> = {
    agents: [TAILNET.agentTag],
    // One key serves the routers of all clouds.
    routers: clouds.map(routerTag),
    observability: [TAILNET.observabilityTag],
  };
  const keys = keysOf(root);
  for (const kind of Object.keys(tags) as Kind[]) {
    if (keys[kind]?.tags.join() === tags[kind].join()) continue;
    const wanted = ["--tags", tags[kind].join(","), "--reusable", "--ephemeral", "--expiration", "365d"];
    const { key } = await askHeadscale<{ key: string }>(root, headscale, [
      "preauthkeys",
      "create",
      ...wanted,
    ]);
    keys[kind] = { tags: tags[kind], key };
  }
  write(fileOf(root, "keys.json"), JSON.stringify(keys));
}

/**
 * Has the tailnet's servers run with the policy of these clouds, and makes its keys. Called in the world.
 *
 * @param programs paths by name, of `TAILNET_PROGRAMS`.
 */
export async function startTailnet(
  root: string,
  mesh: Pick<MeshConfig, "clouds" | "observability">,
  programs: Record<string, string>,
): Promise<void> {
  const files = {
    "policy.json": JSON.stringify(headscalePolicy(mesh), undefined, 2),
    "headscale.yaml": dump(headscaleConfig(root)),
  };
  const changed = Object.entries(files).filter(([name, text]) => write(fileOf(root, name), text));
  const headscale = programs["headscale"]!;
  if (changed.length > 0 || runningIn(root, NAME).length < 2) {
    // Headscale runs the tests of a policy that it is given, which fail as long as no device has a tag; at its start it only says so.
    await sweep(root, NAME);
    await startServers(root, programs);
  }
  const users = await askHeadscale<{ name: string }[] | null>(root, headscale, ["users", "list"]);
  if (!users?.some(({ name }) => name === USER))
    await askHeadscale(root, headscale, ["users", "create", USER]);
  const names = mesh.clouds.map(({ name }) => name);
  await makeKeys(root, headscale, names);
}

/**
 * Writes the stack's configuration with this rehearsal's tailnet as its network, below `root`: after `startTailnet`, which makes the keys.
 *
 * @returns absolute path of the new file.
 */
export function stackFor({ root, config }: { root: string; config: string }): string {
  const { agents, routers, observability } = keysOf(root);
  if (!agents || !routers || !observability) throw new Error("the tailnet has no keys: make rehearse");
  const stack = load(readFileSync(config, "utf8")) as { config: Record<string, unknown> };
  stack.config[`${NAMESPACE}:network`] = {
    mode: "tailscale",
    tailscale: {
      tailnet: TAILNET_DOMAIN,
      loginServer: LOGIN_SERVER,
      manageTailnet: false,
      authKey: agents.key,
      routerAuthKey: routers.key,
      observabilityAuthKey: observability.key,
      // Headscale has no Tailscale Services.
      global: false,
    },
  };
  const file = fileOf(root, path.basename(config));
  write(file, dump(stack));
  return file;
}
