// Pulumi's programs by Pulumi's own installers. Their releases have no checksum that could be pinned here: what vouches for them is TLS alone.
import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { PulumiCommand } from "@pulumi/pulumi/automation";
import { run } from "../processes";
import { say } from "../progress";
import { answers } from "./download";
import type { Program } from "./table";

/** Where Pulumi's installers are. */
export const PULUMI_ORIGIN = "https://get.pulumi.com";

/** Installs Pulumi's command line, of the SDK's own version, in `work`. */
async function commandLine(work: string): Promise<{ file: string; version?: string }> {
  const { command, version } = await PulumiCommand.install({ root: work });
  return { file: command, version: version?.version };
}

/** Has Pulumi's command line install the plugin of its Kubernetes provider in `work`. */
async function provider(
  { binary, version }: Program,
  work: string,
  pulumi: string,
): Promise<{ file: string }> {
  const env = { PULUMI_HOME: work, PULUMI_SKIP_UPDATE_CHECK: "true" };
  await run(pulumi, ["plugin", "install", "resource", "kubernetes", `v${version}`], { env });
  return { file: path.join(work, "plugins", `resource-kubernetes-v${version}`, binary) };
}

/**
 * Installs a program of Pulumi's as `target`.
 *
 * @param pulumi gets Pulumi's command line.
 * @returns its version; undefined when it is no program of Pulumi's or cannot be had. A mirror of releases has no installers.
 */
export async function installPulumi(
  program: Program,
  target: string,
  pulumi: () => Promise<string>,
): Promise<string | undefined> {
  const isCommandLine = program.binary === "pulumi";
  if (!isCommandLine && program.binary !== "pulumi-resource-kubernetes") return undefined;
  if (process.env["REHEARSAL_MIRROR"] || (await answers(PULUMI_ORIGIN)) === undefined) return undefined;
  const work = mkdtempSync(`${target}.install-`);
  try {
    const installed: { file: string; version?: string } = isCommandLine
      ? await commandLine(work)
      : await provider(program, work, await pulumi());
    if (!existsSync(installed.file)) throw new Error(`there is no ${installed.file}`);
    renameSync(installed.file, target);
    return installed.version ?? program.version;
  } catch (error) {
    say(
      `  ${program.binary} cannot be had from ${PULUMI_ORIGIN} (${(error as Error).message.split("\n")[0]})`,
    );
    return undefined;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
