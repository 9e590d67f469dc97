// Stands in for a SPIRE agent: the X.509 part of the Workload API on a unix socket.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { Server, ServerCredentials, type ServerWritableStream, status } from "@grpc/grpc-js";
import type { Certificate } from "../certificate";

/** What goes into one SVID of a response. */
export interface Svid {
  readonly spiffeId: string;
  /** Leaf first. */
  readonly chain: readonly Certificate[];
  readonly bundle: readonly Certificate[];
  readonly hint?: string;
}

const concat = (certificates: readonly Certificate[]) => Buffer.concat(certificates.map(({ der }) => der));

/** An `X509SVIDResponse` with a CRL and hints, which an agent has to step over. */
export function x509SvidResponse(
  svids: readonly Svid[],
  federated: Readonly<Record<string, readonly Certificate[]>> = {},
): Buffer {
  const writer = new BinaryWriter();
  for (const { spiffeId, chain, bundle, hint = "internal" } of svids) {
    const key = chain[0]?.key.export({ format: "der", type: "pkcs8" }) as Buffer;
    writer.tag(1, 2).fork().tag(1, 2).string(spiffeId).tag(2, 2).bytes(concat(chain)).tag(3, 2).bytes(key);
    writer.tag(4, 2).bytes(concat(bundle)).tag(5, 2).string(hint).join();
  }
  writer.tag(2, 2).bytes(Buffer.from("a CRL"));
  for (const [id, roots] of Object.entries(federated))
    writer.tag(3, 2).fork().tag(1, 2).string(id).tag(2, 2).bytes(concat(roots)).join();
  // A field of a later version of the API.
  return Buffer.from(writer.tag(99, 0).uint32(7).finish());
}

type Stream = ServerWritableStream<Buffer, Buffer>;

export interface WorkloadApiServer {
  /** `unix:///…`. */
  readonly endpoint: string;
  /** Number of streams opened so far. */
  streams(): number;
  /** Resolves when `count` streams have been opened since the start. */
  opened(count: number): Promise<void>;
  /** Sends this to every open stream, and to those opened later at once. */
  send(response: Buffer): void;
  /** Refuses streams from now on, as SPIRE does without a registration entry. */
  refuse(): void;
  /** Cuts all streams, takes the socket away, and makes it anew with `start`. */
  stop(): void;
  start(): Promise<void>;
  close(): void;
}

export async function workloadApiServer(): Promise<WorkloadApiServer> {
  const directory = mkdtempSync(path.join(tmpdir(), "workload-"));
  const socket = path.join(directory, "agent.sock");
  const open = new Set<Stream>();
  const waiting = new Set<() => void>();
  let latest: Buffer | undefined;
  let refused = false;
  let count = 0;
  let server: Server | undefined;

  const fetch = (stream: Stream) => {
    count += 1;
    waiting.forEach((check) => check());
    const fail = (code: status, details: string) => void stream.emit("error", { code, details });
    if (stream.metadata.get("workload.spiffe.io")[0] !== "true")
      return fail(status.INVALID_ARGUMENT, "security header missing from request");
    if (refused) return fail(status.PERMISSION_DENIED, "no identity issued");
    open.add(stream);
    stream.on("cancelled", () => open.delete(stream));
    if (latest) stream.write(latest);
  };
  const asIs = (bytes: Buffer) => bytes;
  const service = {
    FetchX509SVID: {
      path: "/SpiffeWorkloadAPI/FetchX509SVID",
      requestStream: false,
      responseStream: true,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    },
  };
  const start = async () => {
    const next = new Server();
    next.addService(service, { FetchX509SVID: fetch });
    await new Promise<void>((resolve, reject) =>
      next.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      ),
    );
    server = next;
  };
  const stop = () => {
    open.clear();
    server?.forceShutdown();
    rmSync(socket, { force: true });
  };
  await start();
  return {
    endpoint: `unix://${socket}`,
    streams: () => count,
    opened: (wanted) =>
      new Promise((resolve) => {
        const check = () => {
          if (count < wanted) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    send(response) {
      latest = response;
      refused = false;
      open.forEach((stream) => stream.write(response));
    },
    refuse: () => (refused = true),
    stop,
    start,
    close() {
      stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
