// `mesh plan`: what a stack stands up, printed.
import type { NetworkMode } from "../components/network/mode";
import type { PlanAnswer } from "../infra/plan/command";
import { CliError, EXIT } from "./errors";
import { load } from "./load";

/** Options of the command. */
export interface PlanFlags {
  readonly stack?: string;
  readonly network?: NetworkMode;
  readonly against?: string;
  readonly markdown?: boolean;
  readonly json?: boolean;
}

/** What the command prints, and whether the plan keeps the rules of the policy pack. */
export async function planned({
  stack = "dev",
  network: mode,
  against,
  ...flags
}: PlanFlags): Promise<PlanAnswer> {
  if (flags.markdown && flags.json)
    throw new CliError("--markdown and --json are two forms of one answer; write one of them.", EXIT.usage);
  const format = flags.json ? "json" : flags.markdown ? "markdown" : "text";
  const { plan } = load<typeof import("../infra/plan/command")>("infra/plan/command.ts");
  return plan({ stack, mode, against, format });
}
