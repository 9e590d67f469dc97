// A port-forward to a pod as a stream: no local port is opened, so nothing else on this machine can use it.
import type { PortForward } from "@kubernetes/client-node";
import { Duplex, PassThrough, Writable } from "node:stream";

/** WebSocket as the Kubernetes library hands it out. */
interface Socket {
  close(): void;
  onclose: unknown;
}

/** A writable that hands every chunk to `take`. */
const sink = (take: (chunk: Buffer) => void): Writable =>
  new Writable({
    write(chunk: Buffer, _encoding, done) {
      take(chunk);
      done();
    },
  });

/**
 * Connects to `port` of a pod through the API server. What the node says about a failure (nobody listens there) destroys the stream with
 * those words; destroying the stream ends the forward.
 */
export async function forwardToPod(
  forwarder: PortForward,
  namespace: string,
  pod: string,
  port: number,
): Promise<Duplex> {
  let socket = undefined as Socket | undefined;
  const toPod = new PassThrough();
  const stream = new Duplex({
    read: () => {}, // the other side pushes
    write: (chunk: Buffer, _encoding, done) => void toPod.write(chunk, done),
    final: (done) => void toPod.end(done),
    destroy: (error, done) => {
      socket?.close();
      done(error);
    },
  });
  const fromPod = sink((chunk) => void stream.push(chunk));
  const failure = sink((chunk) => {
    const words = chunk.toString("utf8").trim();
    if (words !== "") stream.destroy(new Error(`port-forward to ${namespace}/${pod}: ${words}`));
  });
  socket = (await forwarder.portForward(namespace, pod, [port], fromPod, failure, toPod)) as Socket;
  socket.onclose = () => void stream.push(null);
  return stream;
}
