// `make rehearse`, `make rehearse-preview`, `make rehearse-day2`, `make rehearse-node`, `make rehearse-down`, `make rehearse-run`, and what the tests call beside them.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { isInside, joining, leash, makeWorld, runInside, whyNoWorld, worldExists } from "./machine/world";
import { stopRunning } from "./processes";
import { say } from "./progress";
import {
  addNode,
  destroy,
  down,
  firstPart,
  isProven,
  localCloud,
  prepare,
  prepared,
  preview,
  rehearsalOf,
  rehearse,
  standingMesh,
  stands,
  update,
  withSettings,
} from "./rehearsal";
import type { Changes } from "./machine/engine";
import { DAY2_PROGRAMS, day2Text, tryDay2 } from "./day2";
import { reportText } from "./proof/table";

/**
 * For rehearsals beside the one of this checkout: tests. `--report` also writes what was shown, as JSON; `--brief` leaves out of the proof what takes
 * longest, the failover and the network policies; `--program` names what the command of `within` needs besides the rehearsal's programs.
 */
const { values: options, positionals } = parseArgs({
  options: {
    root: { type: "string" },
    config: { type: "string" },
    report: { type: "string" },
    brief: { type: "boolean" },
    program: { type: "string", multiple: true },
  },
  allowPositionals: true,
});
const [name = "up", ...rest] = positionals;
const rehearsal = rehearsalOf(path.resolve(__dirname, ".."), options);
const { root } = rehearsal;

const report = (found: unknown) => options.report && writeFileSync(options.report, JSON.stringify(found));

function changesText({ same = 0, ...changes }: Changes): string {
  const counts = Object.entries(changes).flatMap(([operation, count]) =>
    count ? [`${count} to ${operation}`] : [],
  );
  return counts.length === 0
    ? `nothing to change: ${same} resources are as they should be`
    : `${counts.join(", ")}, ${same} unchanged`;
}

/** Commands that reach the clouds, and so are run in the world. */
const INSIDE: Record<string, () => Promise<boolean>> = {
  async up() {
    const found = await rehearse(rehearsal, options.brief);
    report(found);
    say(reportText(found));
    say(
      '\nThe clouds go on running. `make rehearse-run CMD="…"` runs a command where they are reached (KUBECONFIG=.rehearsal/<cloud>/kubeconfig is one\'s); `make rehearse-down` takes them away.',
    );
    return isProven(found);
  },
  async preview() {
    const changes = await preview(rehearsal);
    report(changes);
    say(changesText(changes));
    return true;
  },
  async day2() {
    if (!stands(rehearsal)) await rehearse(rehearsal);
    const outcomes = await tryDay2(
      {
        root,
        programs: prepared(rehearsal).programs,
        mesh: () => standingMesh(rehearsal),
        up: async (settings) => (await update(withSettings(rehearsal, settings))).changed,
      },
      rest,
    );
    report(outcomes);
    say(`\n${day2Text(outcomes)}`);
    return outcomes.every(({ failure }) => failure === undefined);
  },
  async node() {
    await addNode(rehearsal, rest[0]);
    return true;
  },
  async destroy() {
    report(await destroy(rehearsal));
    return true;
  },
};

const OUTSIDE: Record<string, () => Promise<boolean>> = {
  async run() {
    if (rest.length === 0) throw new Error('no command: make rehearse-run CMD="npx mesh verify"');
    return (await runInside(root, rest)) === 0;
  },
  /** Runs a command in a new world that goes when this process ends, however it ends. */
  async within() {
    const { programs } = await prepare(rehearsal, options.program);
    process.env["PROGRAMS_OF_WORLD"] = Object.keys(programs).join(",");
    await down(rehearsal);
    await makeWorld(root);
    leash(root);
    return (await runInside(root, joining(root, "within", rest))) === 0;
  },
  async programs() {
    await prepare(rehearsal);
    return true;
  },
  async down() {
    const names = await down(rehearsal);
    say(names.length === 0 ? "nothing was there" : `took down ${names.join(", ")}`);
    return true;
  },
};

/** Runs this same command in the world, with other options where they are given. */
async function again(...changed: string[]): Promise<boolean> {
  const program = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  return (await runInside(root, [...program, ...changed])) === 0;
}

/** Runs this same command in the world, which is made for it; what has to be got is got before, since nothing else is reached from there. */
async function inTheWorld(): Promise<boolean> {
  const why = whyNoWorld();
  if (why) throw new Error(why);
  if (name === "node") localCloud(rehearsal, rest[0]); // before anything is got for a name that is wrong
  const first = name === "up" ? firstPart(rehearsal) : undefined;
  await prepare(first ?? rehearsal, name === "day2" ? DAY2_PROGRAMS : []);
  await makeWorld(root);
  if (!first) return again();
  say("\nFirst the mesh alone: observability is being got meanwhile.");
  const meanwhile = prepare(rehearsal);
  meanwhile.catch(() => {});
  if (!(await again("--config", first.config, "--report", ""))) return false;
  await meanwhile;
  return again();
}

/** Ctrl-C at any moment: the programs that this run waits for end with it, and so do clouds that are still being started. */
function onSignal(signal: NodeJS.Signals): void {
  say(`\n${signal}: stopping`);
  stopRunning();
  process.exit(130);
}
process.once("SIGINT", onSignal);
process.once("SIGTERM", onSignal);

async function main(): Promise<void> {
  const inside = INSIDE[name];
  const command = inside && !(worldExists(root) && isInside(root)) ? inTheWorld : (inside ?? OUTSIDE[name]);
  if (!command)
    throw new Error(`no command ${name}: ${[...Object.keys(INSIDE), ...Object.keys(OUTSIDE)].join(", ")}`);
  process.exitCode = (await command()) ? 0 : 1;
}

main()
  .catch((error: Error) => {
    say(`\nerror: ${error.message}`);
    process.exitCode = 1;
  })
  .finally(() => {
    stopRunning(); // what is still being got meanwhile
    process.exit();
  });
