// Clouds for tests: one alone, or a rehearsal's with a stack of its own. All are in one world, in whose network the tests run (`make engine-test`).
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { dump, load } from "js-yaml";
import { removeCloud, startCloud } from "../../rehearsal/machine/cloud";
import { serveImages } from "../../rehearsal/machine/registry";
import { run } from "../../rehearsal/processes";
import { say } from "../../rehearsal/progress";
import { imageFolder, programFolder, type Rehearsal } from "../../rehearsal/rehearsal";

export const PROJECT = path.resolve(__dirname, "../..");
/** What tests leave to look at is below it. */
export const FOLDER = path.join(PROJECT, ".rehearsal-test");
/** Where the tests' clouds are: the world that `make engine-test` runs the tests in. */
export const ROOT = path.join(FOLDER, "world");

/** A cloud of a test's own. */
export interface OneCloud {
  readonly dir: string;
  readonly kubeconfig: string;
  /** Stops it, and removes all that it kept. */
  remove(): Promise<void>;
}

/** Starts one cloud. */
export async function oneCloud(name: string): Promise<OneCloud> {
  const dir = path.join(ROOT, name);
  const file = path.join(dir, "kubeconfig");
  const bin = programFolder({ project: PROJECT });
  mkdirSync(ROOT, { recursive: true });
  await serveImages(ROOT, imageFolder({ project: PROJECT }), path.join(bin, "registry"));
  const config = {
    provider: "existing",
    name,
    region: "here",
    kubeconfig: file,
    podCidr: "10.80.0.0/16",
    serviceCidr: "10.81.0.0/16",
  };
  await startCloud(config as Parameters<typeof startCloud>[0], bin, new Set());
  const remove = () => {
    sayRestarts(dir);
    return removeCloud(dir);
  };
  return { dir, kubeconfig: readFileSync(file, "utf8"), remove };
}

/** Says the last words of each program of a control plane that ended and was started again: a test that failed meanwhile did not fail by itself. */
function sayRestarts(dir: string): void {
  const pods = path.join(dir, "log/pods");
  if (!existsSync(pods)) return;
  for (const file of readdirSync(pods, { recursive: true, encoding: "utf8" })) {
    const [pod, , log] = file.split(path.sep);
    if (!pod?.startsWith("kube-system_") || !log) continue;
    if (!existsSync(path.join(pods, path.dirname(file), `${parseInt(log) + 1}.log`))) continue;
    const words = readFileSync(path.join(pods, file), "utf8").trimEnd().split("\n").slice(-5).join("\n");
    say(`  ended, and started again: ${path.dirname(file)}\n${words}`);
  }
}

/** A rehearsal of a test's own. */
export type Place = Pick<Rehearsal, "root" | "config">;

/** A rehearsal in the tests' world, with a stack of clouds of these names. */
export function placeOf(name: string, clouds: readonly string[]): Place {
  const place = { root: ROOT, config: path.join(FOLDER, name, "Pulumi.rehearsal.yaml") };
  mkdirSync(path.dirname(place.config), { recursive: true });
  writeStack(place, clouds);
  return place;
}

/** Runs one of `make`'s commands on a test's rehearsal, in a process of its own; what it found, also when that is not as it should be. */
export async function rehearsed<Found>(
  place: Place,
  command: string,
  env: NodeJS.ProcessEnv = {},
): Promise<Found> {
  const report = `${place.config}.report.json`;
  rmSync(report, { force: true });
  const where = ["--root", place.root, "--config", place.config, "--report", report];
  const main = ["--require", "ts-node/register/transpile-only", "rehearsal/main.ts"];
  const program = [...main, ...where, ...command.split(" ")];
  await run(process.execPath, program, { cwd: PROJECT, env }).catch((error: Error) => {
    if (!existsSync(report)) throw error;
  });
  return (existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : undefined) as Found;
}

/** As in the tutorial: an orchestrator in one cloud, workers in the others. */
const ROLES: Readonly<Record<string, readonly string[]>> = {
  aws: ["agent", "orchestrator"],
  gcp: ["agent", "researcher", "worker"],
  azure: ["agent", "researcher", "worker"],
  onprem: ["agent"],
};

/**
 * Writes a stack of clouds of these names, each with address ranges of its own.
 *
 * @param replicas pods of each role. Default: as the rehearsal of this checkout has it.
 */
export function writeStack(
  { config, root }: Pick<Rehearsal, "config" | "root">,
  names: readonly string[],
  replicas?: number,
): void {
  const clouds = Object.fromEntries(
    names.map((name) => {
      const second = 60 + 2 * Object.keys(ROLES).indexOf(name);
      return [
        name,
        {
          provider: "existing",
          kubeconfig: path.join(root, name, "kubeconfig"),
          region: `region-of-${name}`,
          roles: ROLES[name],
          podCidr: `10.${second}.0.0/16`,
          serviceCidr: `10.${second + 1}.0.0/16`,
        },
      ];
    }),
  );
  const file = readFileSync(path.join(PROJECT, "Pulumi.rehearsal.yaml"), "utf8");
  const { config: entries } = load(file) as {
    config: Record<string, object> & {
      "agentweave-mesh:agents": { roles: object };
      "agentweave-mesh:policy": { calls: readonly { from: string; to: string }[] };
    };
  };
  // Of what the rehearsal has, what these clouds have agents for.
  const isThere = (agent: string) =>
    names.some((name) => ROLES[name]!.some((role) => agent === `${name}/${role}`));
  const { roles, ...settings } = entries["agentweave-mesh:agents"];
  const programs = Object.entries(roles).filter(([role]) =>
    names.some((name) => ROLES[name]!.includes(role)),
  );
  const calls = entries["agentweave-mesh:policy"].calls.filter(
    ({ from, to }) => isThere(from) && isThere(to),
  );
  const own = {
    "agentweave-mesh:clouds": clouds,
    "agentweave-mesh:agents": {
      ...settings,
      roles: Object.fromEntries(programs),
      ...(replicas && { replicas }),
    },
    "agentweave-mesh:policy": { calls },
  };
  writeFileSync(config, dump({ config: { ...entries, ...own } }));
}
