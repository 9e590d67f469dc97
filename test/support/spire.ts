// SPIRE servers as local processes on loopback, for tests.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  connectionString,
  type Datastore,
  datastorePod,
  renderDatastore,
} from "../../components/spire/datastore";
import { renderIssuer } from "../../components/spire/conf";
import { SERVER_PATHS } from "../../components/spire/paths";
import { hclString } from "../../components/spire/hcl";
import {
  renderUpstreamAuthority,
  UPSTREAM_SOCKET,
  upstreamFiles,
  upstreamServer,
} from "../../components/spire/upstream-authority";
import type { Run } from "../../components/trust/spire-cli";
import { programPath } from "./programs";
import { freePort } from "./port";

/** Path of the program, of the version that the rehearsal pins. */
export function spireServerBinary(): Promise<string> {
  return programPath("spire-server");
}

/** What a server's CA is signed with, as PEM. */
export type SignerFiles = Parameters<typeof upstreamFiles<string>>[0];

/** What a server of a test may have of its own. */
interface ServerParts {
  readonly caTtl?: string;
  readonly datastore?: Datastore;
  readonly upstream?: SignerFiles;
  /** A server that signs its CA, by the Workload API of an agent of that one. */
  readonly above?: { readonly server: TestSpireServer; readonly socket: string };
  readonly jwtIssuer?: string;
  /** Further plugins, as text. */
  readonly plugins?: string;
}

const signedBy = ({ server, socket }: NonNullable<ServerParts["above"]>) =>
  renderUpstreamAuthority({ ...upstreamServer("127.0.0.1"), serverPort: server.apiPort }).replace(
    UPSTREAM_SOCKET,
    socket,
  );

/** A SPIRE server of a test. */
export class TestSpireServer {
  private process: ChildProcess | undefined;

  private constructor(
    private binary: string,
    readonly trustDomain: string,
    private readonly dir: string,
    private readonly ports: { api: number; endpoint: number },
    private readonly datastore: Datastore | undefined,
  ) {}

  /**
   * Makes the server's directory and configuration; `start` runs it.
   *
   * @param parts `caTtl`: default 168h. `datastore`: default, SQLite in that directory. `upstream`, `above`: default, it signs its CA itself. `jwtIssuer`: default, JWT-SVIDs name none. `plugins`: default, none.
   */
  static async make(
    binary: string,
    trustDomain: string,
    { caTtl = "168h", datastore, upstream, above, jwtIssuer, plugins = "" }: ServerParts = {},
  ): Promise<TestSpireServer> {
    const ports = { api: await freePort(), endpoint: await freePort() };
    const dir = mkdtempSync(join(tmpdir(), "spire-"));
    const server = new TestSpireServer(binary, trustDomain, dir, ports, datastore);
    const data = server.dataDir;
    writeFileSync(
      join(server.dir, "server.conf"),
      `server {
  bind_address = "127.0.0.1"
  bind_port = ${server.ports.api}
  socket_path = "${server.socket}"
  trust_domain = "${trustDomain}"
  data_dir = "${data}"
  log_level = "INFO"
  ca_ttl = "${caTtl}"
  default_x509_svid_ttl = "1h"${renderIssuer(jwtIssuer)}
  # How soon agents are told of entries that were made just now.
  experimental { cache_reload_interval = "1s" }
  federation {
    bundle_endpoint {
      address = "127.0.0.1"
      port = ${server.ports.endpoint}
      refresh_hint = "5m"
      profile "https_spiffe" {}
    }
  }
}
plugins {
${renderDatastore(datastore).replaceAll(SERVER_PATHS.dataDir, data)}
  KeyManager "disk" { plugin_data { keys_path = "${data}/keys.json" } }
  NodeAttestor "join_token" { plugin_data {} }
  ${upstream === undefined ? "" : renderUpstreamAuthority({ kind: "disk" }).replaceAll(SERVER_PATHS.upstreamDir, server.dir)}
${above === undefined ? "" : signedBy(above)}
${plugins}
}
`,
    );
    if (upstream !== undefined) server.sign(upstream);
    return server;
  }

  /** Puts these files in the place of those with which its CA is signed. */
  sign(upstream: SignerFiles): void {
    for (const [name, text] of Object.entries(upstreamFiles(upstream)))
      writeFileSync(join(this.dir, name), text);
  }

  /** Folder with its database and keys, as its volume has them. */
  get dataDir(): string {
    return join(this.dir, "data");
  }

  private get socket(): string {
    return join(this.dir, "api.sock");
  }

  /** Port of the API for agents, on 127.0.0.1. */
  get apiPort(): number {
    return this.ports.api;
  }

  /** Address of the bundle endpoint. */
  get bundleEndpointUrl(): string {
    return `https://127.0.0.1:${this.ports.endpoint}`;
  }

  /** Runs `spire-server` against this server, as exec in its container would. */
  readonly run: Run = (args, stdin) =>
    new Promise((done, fail) => {
      const child = execFile(this.binary, [...args, "-socketPath", this.socket], (error, stdout, stderr) => {
        if (error && typeof error.code !== "number" && !error.signal) fail(error);
        else
          done({ exitCode: error ? (typeof error.code === "number" ? error.code : 137) : 0, stdout, stderr });
      });
      // A command that reads no input may end before this is written.
      child.stdin?.on("error", () => undefined).end(stdin ?? "");
    });

  /** What a command prints. An error if it fails. */
  async print(args: readonly string[], stdin?: string): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run([...args], stdin);
    if (exitCode !== 0) throw new Error(`spire-server ${args.join(" ")}: ${stderr}${stdout}`);
    return stdout;
  }

  /** Starts the process and waits until it is healthy, for 20 s at most. */
  async start(): Promise<void> {
    mkdirSync(this.dataDir, { recursive: true });
    const log = openSync(join(this.dir, "log"), "a");
    const { args, env } = datastorePod(this.datastore);
    const connection = this.datastore && hclString(connectionString(this.datastore));
    this.process = spawn(this.binary, ["run", "-config", join(this.dir, "server.conf"), ...args], {
      stdio: ["ignore", log, log],
      env: { ...process.env, ...Object.fromEntries(env.map(({ name }) => [name, connection])) },
    });
    const deadline = Date.now() + 20_000;
    for (;;) {
      if ((await this.run(["healthcheck"])).exitCode === 0) return;
      if (Date.now() > deadline || this.process.exitCode !== null) {
        throw new Error(
          `spire-server of ${this.trustDomain} did not get healthy:\n${readFileSync(join(this.dir, "log"), "utf8")}`,
        );
      }
      await new Promise((wake) => setTimeout(wake, 100));
    }
  }

  /** Ends the process, at once. */
  async kill(): Promise<void> {
    if (!this.process || this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await ended;
  }

  /** Ends the process and starts another program of the server in its place. */
  async restart(binary: string): Promise<void> {
    await this.kill();
    this.binary = binary;
    await this.start();
  }

  /** Kills the server, takes its database and keys away, and starts it again. */
  async loseDatabase(): Promise<void> {
    await this.kill();
    rmSync(this.dataDir, { recursive: true });
    await this.start();
  }

  /** Ends the process and removes all it left. */
  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
