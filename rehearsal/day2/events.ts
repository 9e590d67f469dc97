// The events of the second day, in the order in which they are tried.
import { mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { backup } from "../../cli/backup/backup";
import { restore } from "../../cli/backup/restore";
import { kubernetesVolume } from "../../cli/backup/volume";
import { connectKubernetes } from "../../cli/cluster";
import { CliError } from "../../cli/errors";
import { evict, evictNode } from "../../cli/evict";
import type { Mesh } from "../../cli/mesh-outputs";
import { rotate, type RotateOptions } from "../../cli/rotate";
import { SERVER_PLACE, serverOf } from "../../cli/spire";
import { PINNED } from "../../components/images";
import type { ApiAgent } from "../../components/trust/spire-cli";
import { NAMESPACES, SPIRE_SERVER } from "../../components/well-known";
import { removePostgres, startPostgres } from "../machine/postgres";
import { runningIn } from "../machine/world";
import type { Binaries } from "../programs/get";
import { say } from "../progress";
import { coreOf } from "../proof/core";
import { ping } from "../proof/calls";
import { until } from "../proof/steps";

const LIMIT_MS = 120_000;
const COMMAND_MS = 30_000;
/** Longest time until who was evicted is refused: connections that were there live that long. */
const REFUSED_LIMIT_MS = 60_000;
/** For so long an API server is away. */
const AWAY_MS = 30_000;
/** How often it is looked whether what is to stay away is there again. */
const AGAIN_MS = 500;

/** A mesh that stands, and what changes it. */
export interface Day2 {
  /** Folder of the rehearsal. */
  readonly root: string;
  /** Those of this machine. */
  readonly programs: Binaries;
  readonly mesh: () => Mesh;
  /** `pulumi up --refresh`, of the stack's configuration or of one with other settings, `{ trust: { … } }`; what was changed. */
  readonly up: (settings?: object) => Promise<readonly string[]>;
}

export interface Event {
  /** In a few words. */
  readonly event: string;
  /** Whether there is something to try. Default: always. */
  readonly when?: (day2: Day2) => Promise<boolean>;
  /** Clouds whose agents call each other meanwhile. Default: all. */
  readonly between?: readonly string[];
  /** Why calls are lost, where they must be. */
  readonly mayLose?: string;
  /** Does it, and tells what was proven. */
  readonly work: (day2: Day2) => Promise<string>;
}

const cloudOf = (mesh: Mesh, name: string) => mesh.clouds.find((cloud) => cloud.name === name)!;
const serverIn = (mesh: Mesh, name: string) =>
  serverOf(cloudOf(mesh, name), connectKubernetes(cloudOf(mesh, name)), COMMAND_MS, LIMIT_MS);

/** `pod`: its unique id. Default: of all pods. */
const processesNamed = ({ root }: Day2, cloud: string, program: string, pod = "") =>
  runningIn(
    root,
    cloud,
    (proc) =>
      path.basename(readlinkSync(`${proc}/exe`).replace(/ \(deleted\)$/, "")) === program &&
      readFileSync(`${proc}/cgroup`, "utf8").includes(pod),
  );

function signal(day2: Day2, cloud: string, program: string, name: NodeJS.Signals): void {
  const found = processesNamed(day2, cloud, program);
  if (found.length === 0) throw new Error(`${cloud}: no ${program} runs`);
  for (const pid of found) process.kill(pid, name);
}

const options = (more: Partial<RotateOptions> = {}): RotateOptions => ({
  limitMs: LIMIT_MS,
  connect: connectKubernetes,
  say: (line) => say(`  ${line}`),
  ...more,
});

async function rotated(day2: Day2, cloud: string, more?: Partial<RotateOptions>): Promise<string> {
  const [one] = (await rotate(day2.mesh(), cloud, options(more))).servers;
  const { retired, active, trusted, steps } = one!;
  const names = steps.map(({ step }) => step).join(", ");
  return `${active.slice(0, 8)} signs, ${retired.slice(0, 8)} is ${trusted ? "still" : "no more"} in the bundle: ${names}`;
}

/** What ends a run of the command where it stands. */
class Ended extends Error {}

/** Both the command and the server are ended while all is renewed; the command is given again. */
async function rotatedAgain(day2: Day2, cloud: string): Promise<string> {
  let retired = "";
  const endedAt = (line: string) => {
    say(`  ${line}`);
    retired = /tainted ([0-9a-f]+)/.exec(line)?.[1] ?? retired;
    if (retired) throw new Ended();
  };
  const first = rotate(day2.mesh(), cloud, options({ taint: true, say: endedAt }));
  await first.then(
    () => Promise.reject(new Error("it was not ended")),
    (error: unknown) => (error instanceof Ended ? undefined : Promise.reject(error as Error)),
  );
  signal(day2, cloud, "spire-server", "SIGKILL");
  say("  the command and the SPIRE server are killed; again");
  const [report] = (await rotate(day2.mesh(), cloud, options({ taint: true }))).servers;
  if (report?.retired !== retired) throw new Error(`it retired ${report?.retired} instead of ${retired}`);
  return `killed after taint, went on with ${report.steps.map(({ step }) => step).join(", ")}`;
}

/** Has the volume of the first server leave with its pod. */
async function deleteClaim(mesh: Mesh, cloud: string): Promise<void> {
  const core = await coreOf(cloudOf(mesh, cloud));
  const { namespace, pod } = SERVER_PLACE;
  await core.deleteNamespacedPersistentVolumeClaim({ namespace, name: `spire-data-${pod}` });
}

/** Takes the volume away, and returns when there is a server with an empty one and another CA. */
async function loseVolume(mesh: Mesh, cloud: string): Promise<void> {
  const core = await coreOf(cloudOf(mesh, cloud));
  const before = await serverIn(mesh, cloud).bundleShow();
  await deleteClaim(mesh, cloud);
  await core.deleteNamespacedPod({ namespace: NAMESPACES.spireServer, name: SPIRE_SERVER.pod });
  await until(`${cloud}'s server with another CA`, async () => {
    const now = await serverIn(mesh, cloud).bundleShow();
    return now === before ? undefined : true;
  });
}

/** The volume and with it the CA; `up` brings the others' trust. */
async function lostDatabase(day2: Day2, cloud: string): Promise<string> {
  await loseVolume(day2.mesh(), cloud);
  const changed = await day2.up();
  return `a new CA; up --refresh: ${changed.join(", ")}`;
}

/** The volume again, but there is a backup: nobody needs new trust. */
async function restoredVolume(day2: Day2, cloud: string): Promise<string> {
  const mesh = day2.mesh();
  const { generateX25519Identity, identityToRecipient } = await import("age-encryption");
  const identities = await generateX25519Identity();
  const known = async () =>
    (await serverIn(mesh, cloud).agentList()).map((agent) => [agent.id.path, agent.x509svid_serial_number]);
  const folder = mkdtempSync(path.join(tmpdir(), "mesh-backup-"));
  const ways = { limitMs: LIMIT_MS, connect: connectKubernetes, volumeOf: kubernetesVolume };
  try {
    const file = path.join(folder, "backup.age");
    const began = Date.now();
    await backup(mesh, cloud, { ...ways, file, recipients: [await identityToRecipient(identities)] });
    const copied = Date.now();
    const agents = JSON.stringify(await known());
    await loseVolume(mesh, cloud);
    const lost = Date.now();
    const report = await restore(mesh, cloud, {
      ...ways,
      file: readFileSync(file),
      identities,
      confirm: async (what) => say(`  ${what}`),
      say: (line) => say(`  ${line}`),
    });
    const seconds = (from: number, to: number) => ((to - from) / 1000).toFixed(0);
    const took = `copied in ${seconds(began, copied)} s, restored in ${seconds(lost, Date.now())} s`;
    if (!report.ok || !report.unchanged) throw new Error(JSON.stringify(report));
    const same = agents === JSON.stringify(await known());
    const changed = await day2.up();
    // The new volume is no more than what Kubernetes makes of the StatefulSet.
    const others = changed.filter((each) => each !== `update ${cloud}-spire-server-volume`);
    if (others.length > 0) throw new Error(`up --refresh changed ${others.join(", ")}`);
    return `${took}; the bundle of before, ${report.counts.entries} entries, SPIRE agents ${same ? "as before" : "attested anew"}; up --refresh: no change but of the volume`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function evicted(day2: Day2, cloud: string, other: string): Promise<string> {
  const mesh = day2.mesh();
  const report = await evict(mesh, cloud, { limitMs: COMMAND_MS, connect: connectKubernetes });
  if (!report.ok) throw new Error(JSON.stringify(report.others));
  const agentOf = (name: string) => cloudOf(mesh, name).agents[0]!;
  const began = Date.now();
  await until(
    `${cloud} is refused by ${other}`,
    async () => {
      const { failure } = await ping(mesh, agentOf(cloud), agentOf(other));
      return failure === undefined ? undefined : true;
    },
    { limitMs: REFUSED_LIMIT_MS, pollMs: 1_000 },
  );
  const refused = ((Date.now() - began) / 1000).toFixed(0);
  const changed = await day2.up();
  await until(`${cloud} reaches ${other} again`, async () => {
    const { failure } = await ping(mesh, agentOf(cloud), agentOf(other));
    return failure === undefined ? true : undefined;
  });
  return `refused by ${other} after ${refused} s; taken back by up --refresh: ${changed.length} changed`;
}

/** Has a SPIRE agent forgotten, and waits until its node has attested it anew. */
async function attestedAnew(mesh: Mesh, cloud: string, { id }: ApiAgent): Promise<void> {
  await evictNode(mesh, cloud, `spiffe://${id.trust_domain}${id.path}`, {
    limitMs: COMMAND_MS,
    connect: connectKubernetes,
  });
  await until("it is attested again", async () => {
    const again = (await serverIn(mesh, cloud).agentList()).find((agent) => agent.id.path === id.path);
    return again && !again.banned ? true : undefined;
  });
}

async function bannedNode(day2: Day2, cloud: string): Promise<string> {
  const mesh = day2.mesh();
  const server = serverIn(mesh, cloud);
  const [first] = await server.agentList();
  const id = `spiffe://${first!.id.trust_domain}${first!.id.path}`;
  await evictNode(mesh, cloud, id, { limitMs: COMMAND_MS, connect: connectKubernetes, ban: true });
  await sleep(AWAY_MS);
  const found = (await server.agentList()).find((agent) => agent.id.path === first!.id.path);
  if (!found?.banned) throw new Error("it is not banned");
  await attestedAnew(mesh, cloud, first!);
  return "banned for 30 s, then evicted and attested anew";
}

/** An API server that takes connections and does not answer: the worst of those that are away. */
async function apiServerAway(day2: Day2, away: string, other: string, third: string): Promise<string> {
  const mesh = day2.mesh();
  signal(day2, away, "kube-apiserver", "SIGSTOP");
  try {
    const began = Date.now();
    const { others } = await evict(mesh, other, { limitMs: COMMAND_MS, connect: connectKubernetes });
    const seconds = (Date.now() - began) / 1000;
    const words = others
      .map(({ cloud, outcome }) => `${cloud} ${outcome}`)
      .sort()
      .join(", ");
    if (words !== [`${away} skipped`, `${third} forgot`].sort().join(", ") || seconds > 15)
      throw new Error(`evict ${other} took ${seconds} s: ${words}`);
    const refusal = await rotate(mesh, third, options()).then(
      () => new Error("rotate went on"),
      (error: unknown) => error as Error,
    );
    if (!(refusal instanceof CliError) || !refusal.message.includes(`--without ${away}`)) throw refusal;
    await sleep(Math.max(0, AWAY_MS - (Date.now() - began)));
    return `evict ${other} skipped ${away} by name and was over in ${seconds.toFixed(0)} s, rotate refused without a change`;
  } finally {
    signal(day2, away, "kube-apiserver", "SIGCONT");
    await until(`${away}'s API server`, () => connectKubernetes(cloudOf(mesh, away)).version());
    await day2.up();
  }
}

/** What the pods of SPIRE servers and agents are of that is not what the program names, each once. */
async function otherSpire(day2: Day2): Promise<string[]> {
  const wanted: readonly string[] = [PINNED.spireServer.reference, PINNED.spireAgent.reference];
  const found = await Promise.all(
    day2.mesh().clouds.map(async (cloud) => {
      const core = await coreOf(cloud);
      const lists = [NAMESPACES.spireServer, NAMESPACES.spireSystem].map((namespace) =>
        core.listNamespacedPod({ namespace }),
      );
      return (await Promise.all(lists)).flatMap(({ items }) => items);
    }),
  );
  const images = found.flat().flatMap(({ spec }) => spec!.containers.map(({ image = "" }) => image));
  return [...new Set(images)].filter(
    (image) => /\/spire-(server|agent):/.test(image) && !wanted.includes(image),
  );
}

async function upgraded(day2: Day2): Promise<string> {
  const before = await otherSpire(day2);
  const changed = await day2.up();
  await until("no pod of the version before", async () =>
    (await otherSpire(day2)).length === 0 ? true : undefined,
  );
  return `${before.join(", ")} no more; up --refresh: ${changed.join(", ")}`;
}

/** Settings by which a cloud's SPIRE server has so many replicas on a database in the world, which runs then. */
async function onDatabase({ root, programs, mesh }: Day2, cloud: string, replicas: number): Promise<object> {
  const { items } = await (await coreOf(cloudOf(mesh(), cloud))).listNode();
  const addresses = items.flatMap(({ status }) => status?.addresses ?? []);
  const nodes = addresses.flatMap(({ type, address }) => (type === "InternalIP" ? [address] : []));
  const connectionString = await startPostgres(root, programs["postgres"]!, nodes);
  const datastore = { type: "postgres", connectionString };
  return { clouds: { [cloud]: { spire: { replicas, datastore } } } };
}

/** In the steps of docs/spire.md, "A running server that gets a database". */
async function movedToDatabase(day2: Day2, cloud: string): Promise<string> {
  const alone = await onDatabase(day2, cloud, 1);
  await day2.up(alone);
  const changed = await day2.up(alone);
  say("  it has its database: now the second one");
  await day2.up(await onDatabase(day2, cloud, 2));
  await until("both hand out the CA of either", async () => {
    const { x509_authorities: found } = await serverIn(day2.mesh(), cloud).bundleOwn();
    return found?.length === 2 ? true : undefined;
  });
  return `a new CA; up --refresh: ${changed.join(", ")}; the second server has one of its own`;
}

/** The first replica is ended as often as the kubelet starts it, from when its CA is tainted until all that it signed has been renewed by the other. */
async function killedReplica(day2: Day2, cloud: string): Promise<string> {
  const mesh = day2.mesh();
  const core = await coreOf(cloudOf(mesh, cloud));
  const { namespace, pod: name } = SERVER_PLACE;
  const { uid } = (await core.readNamespacedPod({ namespace, name })).metadata!;
  const [agent] = await serverIn(mesh, cloud).agentList();
  let renewed = false;
  let killed = 0;
  const down = async () => {
    let attested = false;
    const anew = attestedAnew(mesh, cloud, agent!).finally(() => (attested = true));
    // Told below.
    anew.catch(() => {});
    for (; !(renewed && attested); await sleep(AGAIN_MS))
      for (const pid of processesNamed(day2, cloud, "spire-server", uid)) {
        process.kill(pid, "SIGKILL");
        killed++;
      }
    await anew;
  };
  let meanwhile: Promise<void> | undefined;
  const watch = (line: string) => {
    say(`  ${line}`);
    if (/ tainted /.test(line)) (meanwhile ??= down()).catch(() => {});
    renewed ||= line.includes("agents present");
  };
  const { servers } = await rotate(mesh, cloud, options({ taint: true, say: watch })).finally(() => {
    renewed = true;
    return meanwhile;
  });
  if (servers.length !== 2 || killed === 0) throw new Error(`${servers.length} servers, ${killed} killed`);
  const active = servers.map(({ replica, active }) => `${active.slice(0, 8)} of ${replica}`).join(" and ");
  return `killed ${killed} times while the other renewed all and attested a SPIRE agent anew; ${active} sign`;
}

/** The way back, of which docs/spire.md has the steps as well. */
async function movedToVolume(day2: Day2, cloud: string): Promise<string> {
  await day2.up(await onDatabase(day2, cloud, 1));
  say("  one server is left: now it leaves the database");
  await deleteClaim(day2.mesh(), cloud);
  await day2.up();
  const changed = await day2.up();
  await removePostgres(day2.root);
  return `a new CA; up --refresh: ${changed.join(", ")}`;
}

/** The trust domains of the stack, and others, as they are written. */
const THREE = { mode: "federated", domain: "example.org" };
const ONE = { mode: "single", domain: "mesh.example.org" };

/** Other trust domains in three steps; those of before are accepted until the last. */
async function moved(day2: Day2, olds: object, news: object): Promise<string> {
  await day2.up({ trust: { ...olds, next: news } });
  say("  accepted: now servers and agents change");
  const root = { kind: "program" };
  await day2.up({ trust: { ...news, root, former: olds } });
  say("  changed: now the former is forgotten");
  const changed = await day2.up({ trust: { ...news, root } });
  const ids = day2.mesh().clouds.flatMap(({ agents }) => agents.map(({ spiffeId }) => spiffeId));
  const domains = [...new Set(ids.map((id) => new URL(id).host))].join(", ");
  return `all ${ids.length} agents are of ${domains}; the last of three updates changed ${changed.length}`;
}

export const EVENTS: readonly Event[] = [
  {
    event: "SPIRE upgraded by a minor version",
    when: async (day2) => (await otherSpire(day2)).length > 0,
    work: upgraded,
  },
  { event: "aws's CA rotated", work: (day2) => rotated(day2, "aws") },
  {
    event: "gcp's CA rotated, the old one tainted and revoked",
    work: (day2) => rotated(day2, "gcp", { taint: true }),
  },
  {
    event: "azure's CA rotated likewise, command and SPIRE server killed meanwhile",
    work: (day2) => rotatedAgain(day2, "azure"),
  },
  { event: "a SPIRE agent of gcp banned, and back", work: (day2) => bannedNode(day2, "gcp") },
  {
    event: "azure evicted, and taken back",
    between: ["aws", "gcp"],
    work: (day2) => evicted(day2, "azure", "aws"),
  },
  {
    event: "gcp's API server away, azure evicted meanwhile",
    between: ["aws", "gcp"],
    work: (day2) => apiServerAway(day2, "gcp", "azure", "aws"),
  },
  {
    event: "the volume of gcp's SPIRE server lost, and restored from a backup",
    mayLose: "workloads that renewed meanwhile have what the lost server's successor signed",
    work: (day2) => restoredVolume(day2, "gcp"),
  },
  {
    event: "the database of aws's SPIRE server lost",
    mayLose: "identities of the new CA are refused by the others until `up --refresh`",
    work: (day2) => lostDatabase(day2, "aws"),
  },
  {
    event: "aws's SPIRE server moved to PostgreSQL, with two replicas",
    mayLose: "it starts empty there: identities of the new CA are refused by the others until `up --refresh`",
    work: (day2) => movedToDatabase(day2, "aws"),
  },
  {
    event: "one of aws's two SPIRE servers killed while its CA is rotated",
    work: (day2) => killedReplica(day2, "aws"),
  },
  {
    event: "aws's SPIRE server moved back from PostgreSQL to its volume",
    mayLose: "it starts empty, likewise",
    work: (day2) => movedToVolume(day2, "aws"),
  },
  { event: "three trust domains become one", work: (day2) => moved(day2, THREE, ONE) },
  { event: "one trust domain becomes three", work: (day2) => moved(day2, ONE, THREE) },
  {
    event: "SPIRE servers sign for themselves, which were under roots of the program's",
    mayLose:
      "a server without an upstream has another CA at once, which the others learn of by `up --refresh`",
    work: async (day2) => {
      await day2.up();
      const changed = await day2.up();
      return `up, and up --refresh: ${changed.join(", ")}`;
    },
  },
];
