// `make rehearse`, `make rehearse-preview`, `make rehearse-down`, `make rehearse-run`; and `programs`, which only finds or builds the programs.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { isRunning, stopStarted } from "./clouds";
import { stopHeld } from "./leash";
import { chooseNetwork } from "./network";
import { stopRunning } from "./processes";
import { knownClouds } from "./places";
import { say } from "./progress";
import { down, findPrograms, isProven, preview, rehearsalOf, rehearse } from "./rehearsal";
import { reportText } from "./table";
import { isInside, runInside, startWorld } from "./world";

/** For rehearsals beside the one of this checkout: tests. `--report` also writes what was shown, as JSON. */
const { values: options, positionals } = parseArgs({
  options: { root: { type: "string" }, config: { type: "string" }, report: { type: "string" } },
  allowPositionals: true,
});
const [name = "up", ...rest] = positionals;
const rehearsal = rehearsalOf(path.resolve(__dirname, ".."), options);
const ownNetworks = () => rehearsal.network?.place === "namespaces";

const COMMANDS: Record<string, () => Promise<boolean>> = {
  async up() {
    const report = await rehearse(rehearsal);
    if (options.report) writeFileSync(options.report, JSON.stringify(report));
    say(reportText(report));
    const reach = ownNetworks()
      ? "`make rehearse-run CMD=…` runs a command where they are reached, with"
      : "";
    say(
      `\nThe clouds go on running. \`make rehearse-down\` takes them away; ${reach ? `${reach} ` : ""}KUBECONFIG=.rehearsal/<cloud>/kubeconfig reaches one.`,
    );
    return isProven(report);
  },
  async run() {
    if (rest.length === 0) throw new Error('no command: make rehearse-run CMD="npx mesh verify"');
    if (!ownNetworks() || isInside(rehearsal.root))
      throw new Error("this rehearsal is on loopback: run the command itself");
    return (await runInside(rehearsal.root, rest)) === 0;
  },
  async preview() {
    const { same = 0, ...changes } = await preview(rehearsal);
    const counts = Object.entries(changes).flatMap(([operation, count]) =>
      count ? [`${count} to ${operation}`] : [],
    );
    say(
      counts.length === 0
        ? `nothing to change: ${same} resources are as they should be`
        : `${counts.join(", ")}, ${same} unchanged`,
    );
    return true;
  },
  async programs() {
    await findPrograms(rehearsal);
    return true;
  },
  async down() {
    const names = await down(rehearsal);
    say(names.length === 0 ? "nothing was there" : `took down ${names.join(", ")}`);
    return true;
  },
};

/** Commands that reach the clouds, and so are run where those are reached. */
const NEEDS_CLOUDS = ["up", "preview"];

/** Runs this same command in the world, which is started for it; what has to be built is built before, since the world has no internet. */
async function inTheWorld(): Promise<boolean> {
  const { cloud } = await findPrograms(rehearsal);
  const world = await startWorld(rehearsal.root, cloud!);
  const code = await runInside(rehearsal.root, [
    process.execPath,
    ...process.execArgv,
    ...process.argv.slice(1),
  ]);
  const { root } = rehearsal;
  if (knownClouds(root).some((cloud) => isRunning(path.join(root, cloud)))) world?.detach();
  else await world?.stop();
  return code === 0;
}

/** Ctrl-C at any moment: what this run started ends with it. A second one does not wait for it. */
function onSignal(signal: NodeJS.Signals): void {
  say(`\n${signal}: stopping what this run started`);
  process.once(signal, () => process.exit(130));
  stopRunning();
  void stopAll().finally(() => process.exit(130));
}
process.once("SIGINT", onSignal);
process.once("SIGTERM", onSignal);

/** Clouds first: they are in the world. */
async function stopAll(): Promise<void> {
  await stopStarted();
  await stopHeld();
}

async function main(): Promise<void> {
  const command = COMMANDS[name];
  if (!command) throw new Error(`no command ${name}: ${Object.keys(COMMANDS).join(", ")}`);
  // What is there is taken down whatever its network.
  if (name !== "down") rehearsal.network = chooseNetwork(rehearsal.root);
  const elsewhere = ownNetworks() && NEEDS_CLOUDS.includes(name) && !isInside(rehearsal.root);
  process.exitCode = (await (elsewhere ? inTheWorld() : command())) ? 0 : 1;
}

main().catch(async (error: Error) => {
  say(`\nerror: ${error.message}`);
  await stopAll();
  process.exitCode = 1;
});
