// A PostgreSQL server in the world, on which the SPIRE servers of one cloud are replicas of each other.
import { chownSync, closeSync, existsSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run } from "../processes";
import { until } from "../proof/steps";
import { runningIn, spawnInWorld, sweep, whenReady, WORLD_ADDRESS } from "./world";

const NAME = "postgres";
const USER = "spire";
/** Known to whoever reads this: who may connect is said by address. */
const PASSWORD = "rehearsal";
/** PostgreSQL refuses to run as root; as nobody it does. */
const UNPRIVILEGED = 65534;

/**
 * Runs a program of PostgreSQL's unprivileged, with its folder at /mnt, wherever that is below what only root may enter. Shared memory is its own, and leaves
 * with its processes however these end.
 */
const ALONE = [
  'mount --bind "$1" /mnt && mount --bind "$2" /mnt/programs && mount -t tmpfs tmpfs /dev/shm && cd /mnt && shift 2',
  `exec setpriv --reuid=${UNPRIVILEGED} --regid=${UNPRIVILEGED} --clear-groups "$@"`,
].join(" && ");

const folderOf = (root: string) => path.join(root, NAME);

function alone(root: string, programs: string, [name, ...args]: readonly [string, ...string[]]): string[] {
  const program = `/mnt/programs/embedded_postgres/pginstall/bin/${name}`;
  const places = [folderOf(root), programs];
  return ["unshare", "--mount", "--ipc", "sh", "-c", ALONE, "sh", ...places, program, ...args];
}

/** Makes what a server starts on, with nothing in it. */
async function makeData(root: string, programs: string): Promise<void> {
  const folder = folderOf(root);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(path.join(folder, "programs"), { recursive: true });
  chownSync(folder, UNPRIVILEGED, UNPRIVILEGED);
  writeFileSync(path.join(folder, "password"), PASSWORD);
  const login = [`--username=${USER}`, "--auth=scram-sha-256", "--pwfile=password"];
  const [command, ...args] = alone(root, programs, [
    "initdb",
    "--pgdata=data",
    ...login,
    "--no-sync",
    "--locale=C",
    "--encoding=UTF8",
  ]);
  await run(command!, args);
}

/**
 * Has the database run, an empty one if there was none. Called in the world.
 *
 * @param programs folder of program `postgres`.
 * @param clients addresses of those who may connect.
 * @returns how SPIRE connects to it.
 */
export async function startPostgres(
  root: string,
  programs: string,
  clients: readonly string[],
): Promise<string> {
  const connection = `host=${WORLD_ADDRESS} user=${USER} password=${PASSWORD} dbname=postgres sslmode=disable`;
  if (runningIn(root, NAME).length > 0) return connection;
  // Written last.
  const access = path.join(folderOf(root), "clients");
  if (!existsSync(access)) await makeData(root, programs);
  writeFileSync(access, clients.map((address) => `host all all ${address}/32 scram-sha-256\n`).join(""));
  const file = path.join(root, `${NAME}.log`);
  const log = openSync(file, "a");
  const place = ["-h", WORLD_ADDRESS, "-k", "", "-c", "hba_file=/mnt/clients"];
  const server = spawnInWorld(root, NAME, alone(root, programs, ["postgres", "-D", "data", ...place]), log);
  closeSync(log);
  const [command, ...args] = alone(root, programs, ["pg_isready", "--quiet", "-h", WORLD_ADDRESS]);
  await whenReady(NAME, server, file, () => until(NAME, async () => (await run(command!, args), true)));
  return connection;
}

/** Ends it, and takes away what it has. */
export async function removePostgres(root: string): Promise<void> {
  await sweep(root, NAME);
  rmSync(folderOf(root), { recursive: true, force: true });
}
