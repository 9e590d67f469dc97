// A stand-in for a Kubernetes API server on loopback that knows `exec` alone (protocol v5.channel.k8s.io): it runs each command by a function, and counts how many run at a time.
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import type { CommandResult } from "../../components/trust/exec";

const [STDOUT, STDERR, STATUS, CLOSE] = [1, 2, 3, 255];

/** A command as it was asked for. */
export interface Asked {
  readonly namespace: string;
  readonly command: readonly string[];
  readonly input: string;
}

const frame = (channel: number, text: string) => Buffer.concat([Buffer.from([channel]), Buffer.from(text)]);

function statusOf({ exitCode }: CommandResult) {
  if (exitCode === 0) return { status: "Success" };
  const causes = [{ reason: "ExitCode", message: String(exitCode) }];
  return { status: "Failure", reason: "NonZeroExitCode", details: { causes } };
}

export class ExecApi {
  /** Commands so far; at the most at once in all; and at the most at once in one namespace. */
  readonly counts = { commands: 0, atOnce: 0, atOnceInOne: 0 };
  private readonly running = new Map<string, number>();

  private constructor(
    private readonly http: Server,
    private readonly run: (asked: Asked) => Promise<CommandResult>,
  ) {
    const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => "v5.channel.k8s.io" });
    http.on("upgrade", (request, stream, head) => {
      const { pathname, searchParams } = new URL(request.url ?? "", "http://api");
      const namespace = /\/namespaces\/([^/]+)\//.exec(pathname)![1]!;
      sockets.handleUpgrade(request, stream, head, (socket) => {
        let input = "";
        const begin = async () => {
          const result = await this.counted({ namespace, command: searchParams.getAll("command"), input });
          socket.send(frame(STDOUT!, result.stdout));
          socket.send(frame(STDERR!, result.stderr));
          socket.send(frame(STATUS!, JSON.stringify(statusOf(result))), () => socket.close());
        };
        socket.on("message", (data: Buffer) => {
          if (data[0] === 0) input += data.subarray(1).toString();
          if (data[0] === CLOSE && data[1] === 0) void begin();
        });
        if (searchParams.get("stdin") !== "true") void begin();
      });
    });
  }

  static async start(run: (asked: Asked) => Promise<CommandResult>): Promise<ExecApi> {
    const http = createServer().listen(0, "127.0.0.1");
    await once(http, "listening");
    return new ExecApi(http, run);
  }

  private async counted(asked: Asked): Promise<CommandResult> {
    const { namespace } = asked;
    const change = (by: number) => void this.running.set(namespace, (this.running.get(namespace) ?? 0) + by);
    change(1);
    this.counts.commands++;
    const now = [...this.running.values()];
    this.counts.atOnce = Math.max(
      this.counts.atOnce,
      now.reduce((sum, each) => sum + each, 0),
    );
    this.counts.atOnceInOne = Math.max(this.counts.atOnceInOne, ...now);
    try {
      return await this.run(asked);
    } finally {
      change(-1);
    }
  }

  /** What has been counted since the last call. */
  take(): Readonly<ExecApi["counts"]> {
    const taken = { ...this.counts };
    Object.assign(this.counts, { commands: 0, atOnce: 0, atOnceInOne: 0 });
    return taken;
  }

  kubeconfig(): string {
    const { port } = this.http.address() as AddressInfo;
    return JSON.stringify({
      ...{ apiVersion: "v1", kind: "Config", "current-context": "x" },
      clusters: [
        { name: "c", cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } },
      ],
      users: [{ name: "u", user: { token: "any" } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    });
  }

  async stop(): Promise<void> {
    this.http.closeAllConnections();
    this.http.close();
    await once(this.http, "close");
  }
}
