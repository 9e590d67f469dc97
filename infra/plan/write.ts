// Writes the plan of every stack of the repository where reviews show how it changes: `npm run plans`.
import { writeFileSync } from "node:fs";
import * as path from "node:path";
import { PROJECT } from "../../components/project";
import { stacks } from "../config/settings";
import { planOf } from "./plan";
import { GOLDEN_DAY, reportOf } from "./report";
import { planMarkdown } from "./text";

async function main(): Promise<void> {
  for (const stack of stacks(PROJECT)) {
    const text = planMarkdown(reportOf(await planOf(stack), GOLDEN_DAY));
    writeFileSync(path.join(PROJECT, "plans", `${stack}.md`), `${text}\n`);
  }
}

void main();
