// Programs made of go-spiffe: Workload APIs for every party of a test, and the parties that are not the agent.
import * as path from "node:path";
import { goBuild } from "../../../rehearsal/programs/build";
import type { Minted } from "./authorities";
import { type Line, LineProcess } from "./lines";

const BINARY = path.resolve(__dirname, "../../../.rehearsal/bin/interop-peer");

/** Builds the program; Go's own cache decides whether there is anything to do. */
export const buildPeer = (): Promise<void> =>
  goBuild({ binary: "interop-peer", version: "0", dir: "../../test/interop", package: "./cmd/peer" }, BINARY);

const peer = (...args: string[]) => new LineProcess(BINARY, args);

/** What a Workload API gives. */
export interface Issuance {
  /** None at all is "no identity issued". */
  readonly svids: readonly Minted[];
  /** Roots of other trust domains by their names: DER in base64. */
  readonly federated: Readonly<Record<string, readonly string[]>>;
}

/** Workload APIs on sockets, spoken by go-spiffe's own messages. */
export class Issuer {
  private readonly process = peer("issue");

  constructor(private readonly dir: string) {}

  /** Gives this from now on at the socket `name`, whose path it returns; open streams get it at once. */
  async give(name: string, { svids, federated }: Issuance): Promise<string> {
    const socket = path.join(this.dir, `${name}.sock`);
    await this.process.ask({
      socket,
      svids: svids.map(({ roots, ...svid }) => ({ ...svid, bundle: roots })),
      federated: Object.fromEntries(
        Object.entries(federated).map(([domain, roots]) => [`spiffe://${domain}`, roots]),
      ),
    });
    return socket;
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}

/** One call of a go-spiffe client. */
export interface PeerCall {
  readonly url: string;
  /** The id that must answer. */
  readonly expect: string;
  /** Calls of one name share a connection. */
  readonly connection: string;
  readonly maxTls12?: boolean;
  readonly body: unknown;
}

/** What came of it: `error`, or all the others. */
export interface PeerOutcome {
  readonly error?: string;
  readonly status?: number;
  readonly peer?: string;
  readonly serial?: string;
  readonly tls?: string;
  readonly reused: boolean;
  readonly answer?: unknown;
}

/** A client with the identity of a socket. */
export class PeerClient {
  private readonly process: LineProcess;

  constructor(socket: string) {
    this.process = peer("call", "-socket", socket);
  }

  async call(call: PeerCall): Promise<PeerOutcome> {
    return (await this.process.ask({ ...call })) as unknown as PeerOutcome;
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}

/** A server with the identity of a socket, which answers every task with a pong. */
export class PeerServer {
  private constructor(
    private readonly process: LineProcess,
    readonly address: string,
  ) {}

  /** @param options `-only <SPIFFE id>`, `-max-tls-12`. */
  static async start(socket: string, ...options: string[]): Promise<PeerServer> {
    const process = peer("serve", "-socket", socket, ...options);
    const { address } = await process.line(({ address }) => address !== undefined);
    return new PeerServer(process, address as string);
  }

  /** Who called so far. */
  callers(): unknown[] {
    return this.process.lines.flatMap(({ caller }) => (caller === undefined ? [] : [caller]));
  }

  /** Why it refused a connection, once it has. */
  refused(): Promise<Line> {
    return this.process.line(({ refused }) => refused !== undefined);
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}
