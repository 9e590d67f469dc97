// A PostgreSQL server as a local process on loopback, for tests.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import * as net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tls from "node:tls";
import { promisify } from "node:util";
import { freePort } from "./port";
import { programPath } from "./programs";

/** PostgreSQL refuses to run as root: then this user (nobody) does. */
const UNPRIVILEGED = 65534;
const USER = "spire";
/** With what has to be kept from HCL, from SPIRE's own expansion of variables and from lib/pq. */
const PASSWORD = `a$b"c\\d'e\${f}`;

const run = promisify(execFile);

/** A database server with one database. */
export class TestPostgres {
  private process: ChildProcess | undefined;

  private constructor(
    private readonly dir: string,
    private readonly bin: string,
    readonly port: number,
  ) {}

  /** Makes the database and starts its server. */
  static async start(): Promise<TestPostgres> {
    const dir = mkdtempSync(join(tmpdir(), "postgres-"));
    let install = await programPath("postgres");
    if (process.getuid?.() === 0) {
      // The checkout may be where only root gets.
      cpSync(install, join(dir, "install"), { recursive: true });
      install = join(dir, "install");
      mkdirSync(join(dir, "data"), { mode: 0o700 });
      for (const owned of [dir, join(dir, "data")]) chownSync(owned, UNPRIVILEGED, UNPRIVILEGED);
    }
    const postgres = new TestPostgres(
      dir,
      join(install, "embedded_postgres/pginstall/bin"),
      await freePort(),
    );
    const password = join(dir, "password");
    writeFileSync(password, PASSWORD, { mode: 0o644 });
    const auth = [`--username=${USER}`, "--auth=scram-sha-256", `--pwfile=${password}`];
    await postgres.tool("initdb", [
      "-D",
      join(dir, "data"),
      ...auth,
      "--no-sync",
      "--locale=C",
      "--encoding=UTF8",
    ]);
    await postgres.restart();
    await postgres.createDatabase();
    return postgres;
  }

  /** For SPIRE, as lib/pq reads it: in quotes, a backslash stands before what is not to end the value. */
  get connectionString(): string {
    const password = PASSWORD.replace(/[\\']/g, "\\$&");
    return `host=127.0.0.1 port=${this.port} user=${USER} password='${password}' dbname=${USER} sslmode=disable`;
  }

  private get user() {
    return process.getuid?.() === 0 ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : {};
  }

  private get env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      PGHOST: "127.0.0.1",
      PGPORT: `${this.port}`,
      PGUSER: USER,
      PGPASSWORD: PASSWORD,
    };
  }

  private tool(name: string, args: string[]): Promise<unknown> {
    return run(join(this.bin, name), args, { env: this.env, cwd: this.dir, ...this.user });
  }

  /** Starts the server, after it was killed too, and waits until it takes connections, for 20 s at most. */
  async restart(): Promise<void> {
    await this.kill();
    const log = openSync(join(this.dir, "log"), "a");
    const args = ["-D", join(this.dir, "data"), "-p", `${this.port}`, "-h", "127.0.0.1", "-k", ""];
    this.process = spawn(join(this.bin, "postgres"), args, {
      stdio: ["ignore", log, log],
      cwd: this.dir,
      ...this.user,
    });
    const deadline = Date.now() + 20_000;
    for (;;) {
      try {
        return void (await this.tool("pg_isready", ["--quiet"]));
      } catch {
        if (Date.now() > deadline || this.process.exitCode !== null)
          throw new Error(`postgres did not start:\n${readFileSync(join(this.dir, "log"), "utf8")}`);
        await new Promise((wake) => setTimeout(wake, 100));
      }
    }
  }

  private createDatabase = () => this.tool("createdb", [USER]);

  /** What `pg_dump` writes of the database, in a file of this name. */
  dump = (file: string) => this.tool("pg_dump", ["--format=custom", `--file=${join(this.dir, file)}`, USER]);

  /** Takes the database away with all in it. */
  lose = () => this.tool("dropdb", ["--force", USER]);

  /** Makes the database anew out of a dump. */
  async restore(file: string): Promise<void> {
    await this.createDatabase();
    await this.tool("pg_restore", ["--exit-on-error", "--dbname", USER, join(this.dir, file)]);
  }

  /**
   * A port at which it is reached by TLS, with this certificate: the build that tests have knows none itself. Who connects asks for it first, and is told `S`
   * (https://www.postgresql.org/docs/current/protocol-flow.html, SSL session encryption).
   */
  async encrypted(identity: { readonly key: string; readonly cert: string }): Promise<net.Server> {
    const front = net.createServer((client) => {
      client.on("error", () => undefined);
      client.once("data", () =>
        client.write("S", () => {
          const inside = new tls.TLSSocket(client, { isServer: true, ...identity });
          const server = net.connect(this.port, "127.0.0.1");
          for (const [one, other] of [
            [inside, server],
            [server, inside],
          ] as const)
            one.on("error", () => other.destroy()).on("close", () => other.destroy());
          inside.pipe(server).pipe(inside);
        }),
      );
    });
    front.listen(0, "127.0.0.1");
    await once(front, "listening");
    return front;
  }

  private async kill(): Promise<void> {
    if (!this.process || this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, "exit");
    this.process.kill("SIGQUIT"); // at once, with all of its processes
    await ended;
  }

  /** Ends the server and removes all it left. */
  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
