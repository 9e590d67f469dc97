// `make rehearse`, `make rehearse-preview`, `make rehearse-down`; and `programs`, which only finds or builds the programs.
import path from "node:path";
import { stopStarted } from "./clouds";
import { stopRunning } from "./processes";
import { say } from "./progress";
import { down, findPrograms, isProven, preview, rehearsalOf, rehearse } from "./rehearsal";
import { reportText } from "./table";

const rehearsal = rehearsalOf(path.resolve(__dirname, ".."));

const COMMANDS: Record<string, () => Promise<boolean>> = {
  async up() {
    const report = await rehearse(rehearsal);
    say(reportText(report));
    say(
      "\nThe clouds go on running. `make rehearse-down` takes them away; KUBECONFIG=.rehearsal/<cloud>/kubeconfig reaches one.",
    );
    return isProven(report);
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

/** Ctrl-C at any moment: what this run started ends with it. A second one does not wait for it. */
function onSignal(signal: NodeJS.Signals): void {
  say(`\n${signal}: stopping what this run started`);
  process.once(signal, () => process.exit(130));
  stopRunning();
  void stopStarted().finally(() => process.exit(130));
}
process.once("SIGINT", onSignal);
process.once("SIGTERM", onSignal);

async function main(): Promise<void> {
  const command = COMMANDS[process.argv[2] ?? "up"];
  if (!command) throw new Error(`no command ${process.argv[2]}: ${Object.keys(COMMANDS).join(", ")}`);
  process.exitCode = (await command()) ? 0 : 1;
}

main().catch(async (error: Error) => {
  say(`\nerror: ${error.message}`);
  await stopStarted();
  process.exitCode = 1;
});
