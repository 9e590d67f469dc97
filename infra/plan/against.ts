// The plan of another revision, made by that revision's own program.
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { promisify } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import { PROJECT } from "../../components/project";
import type { ComparedPlan, ComparedRequest } from "./compared";

/** What plans a checkout. */
const FILE = "infra/plan/compared.ts";

const run = promisify(execFile);

/** A revision, and what its stack stands up. */
export interface RevisionPlan {
  /** Its commit. */
  readonly commit: string;
  /** Undefined where the revision has no such stack. */
  readonly plan?: ComparedPlan;
  /** Whether its packages are others than those that are installed here, with which it was planned. */
  readonly otherPackages: boolean;
}

/** A fault of the one who asks: Pulumi and the command line print it without a stack. */
const refused = (message: string) => new pulumi.RunError(message);

async function git(...args: string[]): Promise<string> {
  try {
    const { stdout } = await run("git", args, { cwd: PROJECT, maxBuffer: 1 << 26 });
    return stdout.trim();
  } catch (error) {
    const { stderr = "", message } = error as Error & { stderr?: string };
    throw refused(`git ${args[0]} failed: ${stderr.trim().split("\n")[0] || message}`);
  }
}

/**
 * The plan of a stack at a git revision, with the packages that are installed here. Nothing of the checkout is touched: the revision is unpacked
 * in a temporary folder.
 *
 * @param revision anything that names a commit of this repository, for example `main` or `HEAD~3`.
 */
export async function planAt(revision: string, request: ComparedRequest): Promise<RevisionPlan> {
  const commit = await git(
    "rev-parse",
    "--verify",
    "--quiet",
    "--end-of-options",
    `${revision}^{commit}`,
  ).catch(() => {
    throw refused(
      `${revision} is no revision of this repository; name a branch, a tag or a commit (git fetch brings those of others)`,
    );
  });
  const folder = mkdtempSync(path.join(tmpdir(), "agentweave-plan-"));
  try {
    const prefix = await git("rev-parse", "--show-prefix");
    const archive = path.join(folder, "revision.tar");
    await git("archive", "--format=tar", `--output=${archive}`, `${commit}:${prefix}`);
    const root = path.join(folder, "checkout");
    mkdirSync(root);
    await run("tar", ["-xf", archive, "-C", root]);
    if (!existsSync(path.join(root, FILE)))
      throw refused(`${revision} is older than mesh plan, and only a program that has it can be compared`);
    const lock = "package-lock.json";
    const otherPackages =
      (await git("rev-parse", `${commit}:${prefix}${lock}`)) !==
      (await git("hash-object", path.join(PROJECT, lock)));
    if (!existsSync(path.join(root, `Pulumi.${request.stack}.yaml`))) return { commit, otherPackages };
    symlinkSync(path.join(PROJECT, "node_modules"), path.join(root, "node_modules"));
    return { commit, otherPackages, plan: await planIn(root, request, revision) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What the process runs: plan what standard input asks for. */
const PROGRAM = `
const root = process.argv[1];
const { comparedPlan } = require(root + "/load.js")(root + "/" + process.argv[2]);
comparedPlan(JSON.parse(require("node:fs").readFileSync(0, "utf8"))).then(
  (plan) => process.stdout.write(JSON.stringify(plan)),
  (error) => { process.stderr.write(error.message); process.exitCode = 1; },
);`;

/** The plan of a checkout, by its own program. */
function planIn(root: string, request: ComparedRequest, revision: string): Promise<ComparedPlan> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["-e", PROGRAM, root, FILE], { cwd: root });
    const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    child.stdout.on("data", (chunk: Buffer) => chunks.stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => chunks.stderr.push(chunk));
    child.on("error", reject);
    child.on("close", (code) => {
      const [out, err] = [chunks.stdout, chunks.stderr].map((parts) => Buffer.concat(parts).toString());
      if (code === 0) resolve(JSON.parse(out!) as ComparedPlan);
      else reject(refused(`${revision} cannot be planned: ${err!.trim()}`));
    });
    child.stdin.end(JSON.stringify(request));
  });
}
