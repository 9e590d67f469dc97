// Whose plans are kept: every stack of the repository, and every example.
import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { PROJECT } from "../../components/project";
import { stacks } from "../config/settings";
import type { PlanOptions } from "./plan";

/** A plan that is kept in the repository. */
export interface KeptPlan extends Pick<PlanOptions, "file"> {
  readonly stack: string;
  /** Path of the file with the plan, from the project's folder. */
  readonly golden: string;
}

/** All of them. An example is a folder with a stack file, which is copied beside Pulumi.yaml to be used. */
export function planned(): readonly KeptPlan[] {
  const examples = readdirSync(path.join(PROJECT, "examples"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name: folder }) =>
      stacks(path.join(PROJECT, "examples", folder)).map((stack) => ({
        stack,
        file: readFileSync(path.join(PROJECT, "examples", folder, `Pulumi.${stack}.yaml`), "utf8"),
        golden: `plans/examples/${stack}.md`,
      })),
    );
  return [...stacks(PROJECT).map((stack) => ({ stack, golden: `plans/${stack}.md` })), ...examples];
}
