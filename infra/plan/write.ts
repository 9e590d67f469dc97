// Writes the plan of every stack and example of the repository where reviews show how it changes: `npm run plans`.
import { writeFileSync } from "node:fs";
import * as path from "node:path";
import { PROJECT } from "../../components/project";
import { planOf } from "./plan";
import { planned } from "./planned";
import { GOLDEN_DAY, reportOf } from "./report";
import { planMarkdown } from "./text";

async function main(): Promise<void> {
  for (const { stack, file, golden } of planned()) {
    const text = planMarkdown(reportOf(await planOf(stack, { file }), GOLDEN_DAY));
    writeFileSync(path.join(PROJECT, golden), `${text}\n`);
  }
}

void main();
