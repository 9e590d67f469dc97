// `npm run images`: asks the registries of all pinned images. Exits with 1 when one is missing or has moved, with 2 when one could not be asked of.
import { PINNED, type PinnedImage } from "../components/images";
import { check, exitCode } from "./check";
import { Registry } from "./registry";

async function main(): Promise<void> {
  const registry = new Registry();
  const pins: readonly PinnedImage[] = Object.values(PINNED);
  const findings = await Promise.all(pins.map((pin) => check(pin, registry)));
  findings.forEach(({ state, says }, index) =>
    console.log(`${state.padEnd(9)}  ${[pins[index]!.reference, ...says].join("; ")}`),
  );
  const unknown = findings.filter(({ state }) => state === "not asked").length;
  if (unknown > 0)
    console.log(`\n${unknown} of ${pins.length} images could not be asked of: nothing is known of them.`);
  process.exitCode = exitCode(findings);
}

void main();
