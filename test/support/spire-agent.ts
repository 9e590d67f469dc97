// A SPIRE agent as a local process beside a server of test/support/spire.ts.
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { Daemon } from "./daemon";
import type { TestSpireServer } from "./spire";

/** An agent. Its workloads are this user's processes. */
export class TestSpireAgent {
  private constructor(
    /** SPIFFE ID of the agent: parent of its entries. */
    readonly id: string,
    private readonly dir: string,
    private running: Daemon,
  ) {}

  /**
   * Starts an agent in a directory that it makes, which attests by a token that its server made for it, and waits until it serves the Workload API.
   *
   * @param entry what is registered for it before, given its SPIFFE ID.
   */
  static async start(
    binary: string,
    server: TestSpireServer,
    dir: string,
    entry: (parentId: string) => Promise<unknown>,
  ): Promise<TestSpireAgent> {
    const token = /Token: (\S+)/.exec(await server.print(["token", "generate"]))![1]!;
    const id = `spiffe://${server.trustDomain}/spire/agent/join_token/${token}`;
    await entry(id);
    const data = path.join(dir, "data");
    return TestSpireAgent.configured(
      binary,
      { id, dir, args: ["-joinToken", token] },
      `agent {
  server_address = "127.0.0.1"
  server_port = ${server.apiPort}
  socket_path = "${path.join(dir, "api.sock")}"
  trust_domain = "${server.trustDomain}"
  data_dir = "${data}"
  insecure_bootstrap = true
  log_level = "INFO"
  experimental { sync_interval = "1s" }
}
plugins {
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "disk" { plugin_data { directory = "${data}" } }
  WorkloadAttestor "unix" { plugin_data {} }
}
`,
    );
  }

  /**
   * The same with this configuration, in which `socket_path` is `api.sock` in `dir`, and `data_dir` is `data`.
   *
   * @throws Error with what it printed where it ends, as when it is not let in.
   */
  static async configured(
    binary: string,
    { id, dir, args = [] }: { readonly id: string; readonly dir: string; readonly args?: readonly string[] },
    conf: string,
  ): Promise<TestSpireAgent> {
    mkdirSync(path.join(dir, "data"), { recursive: true });
    writeFileSync(path.join(dir, "agent.conf"), conf);
    const agent = new TestSpireAgent(id, dir, run(binary, dir, ...args));
    await agent.serves();
    return agent;
  }

  /** Path of the Workload API's socket. */
  get socket(): string {
    return path.join(this.dir, "api.sock");
  }

  /** The agent's process. */
  get daemon(): Daemon {
    return this.running;
  }

  /** Ends the process and starts another program of the agent in its place. */
  async restart(binary: string): Promise<void> {
    await this.running.stop();
    rmSync(this.socket, { force: true });
    this.running = run(binary, this.dir);
    await this.serves();
  }

  private serves = () =>
    this.running.becomes("the SPIRE agent serves the Workload API", () => existsSync(this.socket));
}

const run = (binary: string, dir: string, ...args: string[]) =>
  new Daemon(binary, ["run", "-config", path.join(dir, "agent.conf"), ...args]);
