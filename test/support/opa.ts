// A real OPA for tests: run once, or serving on loopback as its pod in a cluster does.
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { opaContent } from "../../components/workloads/opa-files";
import { GO_ENV, OPA_MOUNT_PATH, opaArgs } from "../../components/workloads/opa-pod";
import type { PolicyTopology } from "../../components/workloads/policy-data";
import { OPA } from "../../components/well-known";
import { programPath } from "./programs";
import { run } from "../../rehearsal/processes";
import { freePort } from "./port";

/** Folder of the policies. */
export const POLICIES = path.resolve(__dirname, "../../policies");

const START_LIMIT_MS = 20_000;

/** A decision of policies/authz.rego. */
export interface Decision {
  readonly allow: boolean;
  readonly reason: string;
  readonly policy_id: string;
}

/** Path of OPA's binary: that of KUBEBUILDER_ASSETS or PATH, else built as the rehearsal pins it. */
function opaBinary(): Promise<string> {
  return programPath("opa");
}

/** Runs OPA's command line to its end and returns what it printed; a failure carries its own words. */
export async function opa(args: string[], stdin?: string): Promise<string> {
  return run(await opaBinary(), args, { cwd: POLICIES, stdin });
}

/** OPA as a server, with the arguments and files of its pod. */
export class TestOpa {
  /** What it printed, line by line. */
  private readonly lines: string[] = [];
  private readonly printed = new EventEmitter();

  private constructor(
    private readonly process: ChildProcess,
    private readonly dir: string,
    /** URL of the API that agents ask. */
    readonly api: string,
    /** URL of `/health` and `/metrics`. */
    readonly diagnostics: string,
  ) {
    for (const stream of [process.stdout!, process.stderr!]) {
      createInterface({ input: stream }).on("line", (line) => {
        this.lines.push(line);
        this.printed.emit("line");
      });
    }
  }

  /** Starts it and waits until it is healthy. */
  static async start(topology: PolicyTopology): Promise<TestOpa> {
    const dir = mkdtempSync(path.join(tmpdir(), "opa-"));
    const files = opaContent({ location: { cloud: "aws", region: "us-east-1" }, topology }).data;
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(dir, name), text);

    // As a rehearsal translates a pod: its files are elsewhere, and its address is not the whole machine's.
    const api = `127.0.0.1:${await freePort()}`;
    const diagnostics = `127.0.0.1:${await freePort()}`;
    const args = opaArgs().map((argument) =>
      argument
        .replace(OPA_MOUNT_PATH, dir)
        .replace(`0.0.0.0:${OPA.port}`, api)
        .replace(`0.0.0.0:${OPA.diagnosticsPort}`, diagnostics),
    );
    const env = { ...process.env, ...GO_ENV };
    const child = spawn(await opaBinary(), args, { stdio: ["ignore", "pipe", "pipe"], env });
    const started = new TestOpa(child, dir, `http://${api}`, `http://${diagnostics}`);
    try {
      await started.healthy();
      return started;
    } catch (error) {
      await started.stop();
      throw error;
    }
  }

  private async healthy(): Promise<void> {
    const limit = Date.now() + START_LIMIT_MS;
    const answers = () =>
      fetch(`${this.diagnostics}/health`).then(
        ({ ok }) => ok,
        () => false,
      );
    while (!(await answers())) {
      if (this.process.exitCode !== null || Date.now() > limit) {
        throw new Error(`OPA is not healthy: ${this.lines.join("\n")}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** The decision on this input, as an agent asks for it. */
  async decide(input: unknown): Promise<Decision> {
    const response = await fetch(`${this.api}/v1/data/${OPA.policyPath}/decision`, {
      method: "POST",
      body: JSON.stringify({ input }),
    });
    if (!response.ok) throw new Error(`OPA answered ${response.status}: ${await response.text()}`);
    return ((await response.json()) as { result: Decision }).result;
  }

  /** The first line of its log that holds this text, when it is there. */
  async logged(text: string): Promise<string> {
    for (;;) {
      const line = this.lines.find((candidate) => candidate.includes(text));
      if (line !== undefined) return line;
      await once(this.printed, "line");
    }
  }

  get pid(): number {
    return this.process.pid!;
  }

  /** Everything that it printed. */
  log(): string {
    return this.lines.join("\n");
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill("SIGKILL");
      await once(this.process, "exit");
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}
