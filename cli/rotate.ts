// `mesh rotate`: gives a cloud's SPIRE server a new CA, or a new JWT key, in the order in which no other cloud loses it, and goes on where a run before it was ended.
import { setTimeout as sleep } from "node:timers/promises";
import { selector } from "../components/kubernetes/metadata";
import { fetchLive } from "../components/trust/federate";
import { podsOf } from "../components/trust/replica";
import type { ApiAuthorities, AuthorityKind, SpireServer } from "../components/trust/spire-cli";
import type { ApiBundle } from "../spiffe/bundle";
import { authorityKeyId, subjectKeyId } from "../spiffe/key-id";
import type { Cluster, Connect } from "./cluster";
import { CliError, EXIT, lineOf } from "./errors";
import { eachOf, untilWell, within } from "./limits";
import { cloudNamed, endpointOf, type Mesh, type MeshCloud } from "./mesh-outputs";
import { presentedBy } from "./presented";
import { replicaOf, SERVER_PLACE, serverOf } from "./spire";

export interface RotateOptions {
  /** Rotates the key that signs JWT-SVIDs. Default: the CA, which signs certificates. */
  readonly jwt?: boolean;
  /** Takes the authority that signed before out of the bundle, once nothing is left that it signed. Default: it stays until it expires. */
  readonly taint?: boolean;
  /**
   * Authority (its id in `localauthority x509 show`, or `jwt`) that shall sign no more. Default: the one that signs, or the tainted one that a run before has left; where
   * replicas of the server have one each, those of all.
   */
  readonly authority?: string;
  /** Clouds that are not waited for. Default: none. */
  readonly without?: readonly string[];
  /** Longest time of each wait, in milliseconds. */
  readonly limitMs: number;
  readonly connect: Connect;
  /** Takes what is done and what is waited for. */
  readonly say: (line: string) => void;
  /** Time in which SPIRE agents hand on what their server has, in milliseconds. Default 15,000: they ask it every 5 s. */
  readonly handOnMs?: number;
}

/** One step, and how long it took. */
export interface RotateStep {
  readonly step: "prepare" | "fetch" | "activate" | "taint" | "renew" | "revoke";
  readonly detail: string;
  readonly seconds: number;
}

/** What became of the authorities of one server. */
export interface Rotated {
  /** Pod of the replica; missing where the cloud has one server. */
  readonly replica?: string;
  /** Id of the authority that signs no more. */
  readonly retired: string;
  /** Id of the one that signs now. */
  readonly active: string;
  /** Whether the retired one is still in the bundle, so that what it signed is accepted until it expires. */
  readonly trusted: boolean;
  /** Clouds of the same trust domain that have it in their bundles and keep it until it expires: JWT keys that servers of one domain handed each other (`spire.topology: nested`). */
  readonly keptBy: readonly string[];
  /** Whether another authority signed both, by which what the retired one signed is accepted until it expires, too. */
  readonly signedAbove: boolean;
  readonly steps: readonly RotateStep[];
}

export interface RotateReport {
  readonly cloud: string;
  readonly kind: AuthorityKind;
  /** One for each replica, in the order in which they were rotated. */
  readonly servers: readonly Rotated[];
  /** Clouds that were not waited for. */
  readonly without: readonly string[];
}

/** Longest time of one command on a server that answers, in milliseconds, and of the first look at each. */
const COMMAND_MS = 30_000;
const HAND_ON_MS = 15_000;

const WHAT = { x509: "CA", jwt: "JWT key" } as const;

/** A cloud's SPIRE server, or one of its replicas. */
interface Side {
  readonly cloud: MeshCloud;
  readonly cluster: Cluster;
  /** Pod of the replica; undefined: any of them that is up. */
  readonly replica?: string;
  readonly server: SpireServer;
}

/** `patienceMs`: longest time for which a command is repeated while it finds no server. */
const sideOf = (cloud: MeshCloud, cluster: Cluster, patienceMs: number, replica?: string): Side => ({
  cloud,
  cluster,
  replica,
  server:
    replica === undefined
      ? serverOf(cloud, cluster, COMMAND_MS, patienceMs)
      : replicaOf(cloud, cluster, replica, COMMAND_MS, patienceMs),
});

/** What a server has, by the ids of its authorities. */
interface State {
  readonly authorities: ApiAuthorities;
  readonly active: string;
  readonly prepared: string | undefined;
  readonly old: string | undefined;
  readonly inBundle: ReadonlySet<string>;
  readonly tainted: ReadonlySet<string>;
}

/** The authorities of a bundle by their ids. */
const authoritiesIn = (bundle: ApiBundle, kind: AuthorityKind) =>
  kind === "jwt"
    ? (bundle.jwt_authorities ?? []).map(({ key_id, tainted }) => ({ id: key_id, tainted }))
    : (bundle.x509_authorities ?? []).map(({ asn1, tainted }) => ({
        id: subjectKeyId(Buffer.from(asn1, "base64")) ?? "",
        tainted,
      }));

async function stateOf({ cloud, server }: Side, kind: AuthorityKind): Promise<State> {
  const [authorities, bundle] = await Promise.all([server.authorities(kind), server.bundleOwn()]);
  const active = authorities.active?.authority_id;
  if (!active) throw new CliError(`${cloud.name}: its SPIRE server has no ${WHAT[kind]} that signs.`);
  const named = authoritiesIn(bundle, kind);
  return {
    authorities,
    active,
    prepared: authorities.prepared?.authority_id,
    old: authorities.old?.authority_id,
    inBundle: new Set(named.map(({ id }) => id)),
    tainted: new Set(named.flatMap(({ id, tainted }) => (tainted ? [id] : []))),
  };
}

const commandOf = (cloud: string, jwt = false) => `npx mesh rotate ${cloud}${jwt ? " --jwt" : ""}`;

/** The authority that this run is to retire. */
function retiredOf({ cloud }: Side, state: State, { taint, authority, jwt }: RotateOptions): string {
  const { active, old, inBundle, tainted } = state;
  const left = old !== undefined && inBundle.has(old) ? old : undefined;
  if (authority !== undefined) {
    if (authority === active || authority === old) return authority;
    throw new CliError(
      `${cloud.name} has no authority ${authority} that signs or signed last: ${active} signs${left ? `, ${left} signed before` : ""}.`,
      EXIT.usage,
    );
  }
  if (left === undefined || !taint) return active;
  if (tainted.has(left)) return left;
  const again = (id: string) => `\`${commandOf(cloud.name, jwt)} --taint --authority ${id}\``;
  throw new CliError(
    `${cloud.name} has two authorities in its bundle: ${active}, which signs, and ${left}, which signed before. ${again(left)} takes the old one away (and goes on with a run that was ended just after it had activated the new one); ${again(active)} the one that signs.`,
    EXIT.usage,
  );
}

interface Silent {
  readonly side: Side;
  /** Why it does not answer. */
  readonly words: string;
}

/** Those that do not answer. */
async function silentOf(sides: readonly Side[], limitMs: number): Promise<Silent[]> {
  const limit = Math.min(limitMs, COMMAND_MS);
  const found = await eachOf(sides, async (side) => {
    const { cloud, cluster, replica } = side;
    // Of less patience than what follows, so that it ends with its cause.
    const { server } = sideOf(cloud, cluster, limit, replica);
    const what = `${[cloud.name, ...(replica ? [replica] : [])].join(": ")}: spire-server healthcheck`;
    return within(limit, what, () => server.healthcheck()).then(
      () => [],
      (error: unknown) => [{ side, words: lineOf(error) }],
    );
  });
  return found.flat();
}

/** Whoever is needed must answer before anything is changed. `way`: how to go on without. */
function mustAnswer(name: string, silent: readonly Silent[], way = ""): void {
  if (silent.length === 0) return;
  const peers = [...new Set(silent.map(({ side }) => side.cloud.name))];
  const without = peers.includes(name)
    ? way
    : ` Or go on knowingly with --without ${peers.join(",")}: such a cloud loses ${name} unless it fetches in time, until \`pulumi up --refresh\`.`;
  throw new CliError(
    `Nothing is changed, since not every server can be reached: ${silent.map(({ words }) => words).join("; ")}. Mend that first.${without}`,
  );
}

/** A cloud's SPIRE server by its replicas, each of which has a CA and a JWT key of its own; a single one as it is. */
async function replicasOf(side: Side, limitMs: number): Promise<readonly Side[]> {
  const { cloud, cluster } = side;
  const { namespace, statefulSet } = SERVER_PLACE;
  const found = await within(COMMAND_MS, `${cloud.name}: reading StatefulSet ${statefulSet}`, () =>
    cluster.workload("StatefulSet", namespace, statefulSet),
  );
  const pods = podsOf(statefulSet, found?.desired ?? 1);
  return pods.length < 2 ? [side] : pods.map((pod) => sideOf(cloud, cluster, limitMs, pod));
}

/** What is there that `retired` signed, by pods of the cloud's agents. */
async function signedBy(retired: string, { cloud, cluster }: Side): Promise<string[]> {
  const found = await eachOf(cloud.agents, async ({ namespace, service }) => {
    const pods = await within(COMMAND_MS, `${cloud.name}: reading the pods of ${service}`, () =>
      cluster.pods(namespace, selector(service)),
    );
    const each = pods.map(async ({ name, ready }) => {
      if (!ready) return `pod ${name} is not ready`;
      const what = `${cloud.name}: the handshake with pod ${name}`;
      const leaf = await within(COMMAND_MS, what, (signal) => presentedBy(cluster, namespace, name, signal));
      return authorityKeyId(leaf) === retired ? `pod ${name} presents what it signed` : undefined;
    });
    return Promise.all(each);
  });
  return found.flat().filter((words) => words !== undefined);
}

/** What is there under `retired` at a server whose CA that may have signed (`spire.topology: nested`). It makes another one by itself when it hears that it is tainted. */
async function signedBelow(retired: string, side: Side): Promise<string[]> {
  const { active, old } = await side.server.authorities("x509");
  const [signing, before] = [active, old].map((each) =>
    each?.upstream_authority_subject_key_id === retired ? each.authority_id : undefined,
  );
  if (signing !== undefined) return [`the SPIRE server of ${side.cloud.name} signs by its word`];
  return before === undefined ? [] : signedBy(before, side);
}

/** An agent beside a server below (`use_pod_uid_for_agent_id`): its pod may be gone, and that server's CA tells whether it has renewed. */
const OF_POD = /^\/spire\/agent\/k8s_psat\/[^/]+\/pod\//;

/** Serial numbers of what the SPIRE agents of the cloud's nodes have. */
async function serials({ server }: Side): Promise<Map<string, string | undefined>> {
  const agents = (await server.agentList()).filter(({ banned, id }) => !banned && !OF_POD.test(id.path));
  return new Map(agents.map(({ id, x509svid_serial_number }) => [id.path, x509svid_serial_number]));
}

/** One server that is rotated, and who has to know of it. */
interface Rotation {
  readonly source: Side;
  /** Clouds of other trust domains. */
  readonly peers: readonly Side[];
  /** Those of other clouds whose identities the same server issues. */
  readonly served: readonly Side[];
  /** Servers of the same trust domain, whose CAs it may have signed. */
  readonly below: readonly Side[];
  /** The authority that is to sign no more. */
  readonly retired: string;
  /** Whether another authority signed it. */
  readonly signedAbove: boolean;
}

async function rotateServer(
  { source, peers, served, below, retired, signedAbove }: Rotation,
  options: RotateOptions,
): Promise<Rotated> {
  const { taint = false, jwt = false, limitMs, say, handOnMs = HAND_ON_MS } = options;
  const kind: AuthorityKind = jwt ? "jwt" : "x509";
  const { cloud, replica } = source;
  const { name } = cloud;
  const of = replica === undefined ? name : `${name}: ${replica}`;
  let state = await stateOf(source, kind);
  const steps: RotateStep[] = [];
  const step = async (kind: RotateStep["step"], words: string, work: () => Promise<string>) => {
    say(`${of}: ${words}`);
    const began = Date.now();
    const detail = await work();
    const seconds = (Date.now() - began) / 1000;
    steps.push({ step: kind, detail, seconds });
    say(`  ${detail} (${seconds.toFixed(1)} s)`);
  };
  /** A change whose answer was lost has been made all the same: then the state has moved on. */
  const change = async (work: () => Promise<void>) => {
    const before = JSON.stringify([state.authorities, [...state.inBundle], [...state.tainted]]);
    try {
      await work();
      state = await stateOf(source, kind);
    } catch (error) {
      state = await stateOf(source, kind);
      if (JSON.stringify([state.authorities, [...state.inBundle], [...state.tainted]]) === before)
        throw error;
    }
  };
  const handOn = () => sleep(handOnMs);

  const fetch = async (peer: Side) => {
    const live = () =>
      fetchLive(
        { cloud: peer.cloud.name, server: peer.server },
        { cloud: name, server: source.server },
        endpointOf(cloud),
        undefined,
        { limitMs },
      );
    if (!jwt) return live();
    // That waits for CAs alone.
    let bundle = await live();
    const look = async () => {
      const stored = await peer.server.bundleStored(cloud.trustDomain);
      const ids = new Set(authoritiesIn(stored ?? { trust_domain: "" }, kind).map(({ id }) => id));
      if (ids.size === state.inBundle.size && [...state.inBundle].every((id) => ids.has(id)))
        return undefined;
      bundle = await live();
      return `it stores the JWT keys ${[...ids].join(", ")}`;
    };
    await untilWell(
      limitMs,
      look,
      (left) =>
        new CliError(
          `${peer.cloud.name} has not fetched the JWT keys of ${name} within ${limitMs / 1000} s: ${left}.`,
        ),
    );
    return bundle;
  };
  const fetched = async (used: boolean) => {
    const names = peers.map((peer) => peer.cloud.name).join(", ");
    await step("fetch", `waits until ${names || "nobody"} has fetched its bundle`, async () => {
      const found = await eachOf(peers, fetch);
      if (used) await handOn();
      const digest = found[0]?.digest.slice(0, 12);
      return digest === undefined ? "no peer" : `${names} store ${digest}, which ${name} serves`;
    });
  };
  const renewed = async (before: Map<string, string | undefined> | undefined) => {
    const look = async () => {
      const [pods, others, now] = await Promise.all([
        eachOf([source, ...served], (side) => signedBy(retired, side)).then((found) => found.flat()),
        eachOf(below, (side) => signedBelow(retired, side)).then((found) => found.flat()),
        before ? serials(source) : new Map<string, string | undefined>(),
      ]);
      const agents = [...now].filter(([id, serial]) => before?.has(id) && before.get(id) === serial);
      const left = [
        ...pods,
        ...others,
        ...agents.map(([id]) => `the SPIRE agent ${id} has not renewed its own`),
      ];
      return left.length === 0 ? undefined : left.join("; ");
    };
    await untilWell(
      limitMs,
      look,
      (left) =>
        new CliError(
          `${name}: not all was renewed within ${limitMs / 1000} s: ${left}. The tainted authority is still in the bundle. Run the same command again: it goes on here.`,
        ),
    );
    // What has no port to look at: SPIRE agents renew all that is tainted in one go.
    await handOn();
  };

  let tainted: Map<string, string | undefined> | undefined;
  while (state.active === retired) {
    const { prepared } = state;
    if (prepared === undefined) {
      await step("prepare", "prepares the next authority", async () => {
        await change(() => source.server.authorityPrepare(kind));
        return `prepared ${state.prepared}`;
      });
      continue;
    }
    await fetched(true);
    await step("activate", "signs with the next authority from now on", async () => {
      await change(() => source.server.authorityActivate(kind, prepared));
      return `${state.active} signs, ${retired} no more`;
    });
  }
  if (taint && state.inBundle.has(retired)) {
    if (!state.tainted.has(retired)) {
      // Of agents with certificates, not tokens; and a replica's have no name: those of another's CA have nothing to renew.
      if (!jwt && replica === undefined) tainted = await serials(source);
      await step("taint", "has all renewed that the old authority signed", async () => {
        await change(() => source.server.authorityTaint(kind, retired));
        return `tainted ${retired}`;
      });
    }
    await step("renew", "waits until nothing is left that the old authority signed", async () => {
      if (jwt) {
        await handOn();
        return "SPIRE agents have dropped the JWT-SVIDs that they kept";
      }
      await renewed(tainted);
      return `${[source, ...served, ...below].reduce((sum, side) => sum + side.cloud.agents.length, 0)} agents present what another authority signed`;
    });
    await step("revoke", "takes the old authority out of the bundle", async () => {
      await change(() => source.server.authorityRevoke(kind, retired));
      return `revoked ${retired}`;
    });
  }
  if (taint) await fetched(false);
  const { active, inBundle } = state;
  // SPIRE takes a JWT key out of the bundle of its own server alone.
  const keepers = await eachOf(taint && jwt ? below : [], async (side) =>
    authoritiesIn(await side.server.bundleOwn(), kind).some(({ id }) => id === retired)
      ? [side.cloud.name]
      : [],
  );
  const keptBy = [...new Set(keepers.flat())];
  const trusted = inBundle.has(retired) || keptBy.length > 0;
  return { ...(replica && { replica }), retired, active, trusted, keptBy, signedAbove, steps };
}

/**
 * Rotates the CA, or the JWT key, of one cloud's SPIRE server, or of each of its replicas in turn. Nothing is kept of a run but what the servers have: one that was ended is gone on
 * with by the same command.
 *
 * @throws CliError when a cloud cannot be reached that is not in `without` (before anything is changed), when a wait is over, or with the server's own words.
 */
export async function rotate(mesh: Mesh, name: string, options: RotateOptions): Promise<RotateReport> {
  const { taint = false, without = [], limitMs, connect, jwt = false, authority } = options;
  const kind: AuthorityKind = jwt ? "jwt" : "x509";
  const cloud = cloudNamed(mesh, name);
  const { serverCloud } = cloud;
  if (serverCloud !== undefined)
    throw new CliError(
      `${name} has no SPIRE server: that of ${serverCloud.name} issues its identities. \`${commandOf(serverCloud.name, jwt)}\` rotates the ${WHAT[kind]} of all clouds.`,
      EXIT.usage,
    );
  for (const other of without) cloudNamed(mesh, other);
  const side = (each: MeshCloud) => sideOf(each, connect(each), limitMs);
  const source = side(cloud);
  // Where all are of one trust domain, they know the root that its CA is signed under, which stays.
  const peers = mesh.clouds
    .filter((each) => each.trustDomain !== cloud.trustDomain && !without.includes(each.name))
    .map(side);
  /** Those of other clouds whose identities the same server issues. */
  const served = mesh.clouds.filter((each) => each.serverCloud?.name === name).map(side);
  const others = mesh.clouds
    .filter((each) => each.trustDomain === cloud.trustDomain && each !== cloud && !each.serverCloud)
    .filter((each) => taint && !without.includes(each.name))
    .map(side);
  mustAnswer(name, await silentOf([source, ...peers, ...others], limitMs));
  const below = (await eachOf(others, (each) => replicasOf(each, limitMs))).flat();
  const all = await replicasOf(source, limitMs);
  const silent = await silentOf(
    [...all, ...below].filter(({ replica }) => replica !== undefined),
    limitMs,
  );
  const up = all.filter((one) => !silent.some((each) => each.side === one));
  const found = await eachOf(up, async (one) => ({ one, state: await stateOf(one, kind) }));
  const named = found.filter(
    ({ state: { active, old } }) => authority !== undefined && (authority === active || authority === old),
  );
  // Of replicas, one that is away is not needed where another one's authority is meant.
  const alone = found.map(
    ({ one, state }) =>
      `\`${commandOf(name, jwt)}${taint ? " --taint" : ""} --authority ${state.active}\` rotates ${one.replica}`,
  );
  mustAnswer(
    name,
    silent.filter((each) => named.length === 0 || below.includes(each.side)),
    ` Or go on with those that answer: ${alone.join(", ")}.`,
  );
  // Of one that is nobody's, the first says who has which.
  const meant = authority === undefined ? found : named.length > 0 ? named : found.slice(0, 1);
  const rotations = meant.map(({ one, state }): Rotation => {
    const retired = retiredOf(one, state, options);
    const signedAbove = Boolean(state.authorities.active?.upstream_authority_subject_key_id);
    if (taint && signedAbove)
      throw new CliError(
        `${name}: its CA is signed by another one: what is to be tainted is that (\`spire-server upstreamauthority\`).`,
      );
    return { source: one, peers, served, below, retired, signedAbove };
  });
  const servers: Rotated[] = [];
  for (const rotation of rotations) servers.push(await rotateServer(rotation, options));
  return { cloud: name, kind, servers, without };
}

/** The report for people; what was done has been said meanwhile. */
export function rotateText({ cloud, kind, servers, without }: RotateReport): string {
  const command = commandOf(cloud, kind === "jwt");
  const seconds = servers.flatMap(({ steps }) => steps).reduce((sum, step) => sum + step.seconds, 0);
  return [
    ...servers.map(({ replica, retired, active, trusted, keptBy, signedAbove }) => {
      const left =
        keptBy.length > 0
          ? `What ${retired} signed is accepted until it expires: ${keptBy.join(", ")} had it from ${cloud}, and SPIRE takes no JWT key out of another server's bundle.`
          : signedAbove
            ? `What ${retired} signed is accepted until it expires, under the authority that signed both.`
            : trusted
              ? `What ${retired} signed is accepted until it expires; \`${command} --taint --authority ${retired}\` takes it out of the bundle.`
              : `Nobody accepts any more what ${retired} signed.`;
      return `${replica === undefined ? cloud : `${cloud}: ${replica}`}: ${active} signs. ${left}`;
    }),
    ...(without.length > 0
      ? [`Not waited for: ${without.join(", ")}. \`pulumi up --refresh\` when they are back.`]
      : []),
    `${seconds.toFixed(0)} s; \`npx mesh verify\` looks at all of it.`,
  ].join("\n");
}
