// A port-forward to a pod as a stream: no local port is opened, so nothing else on this machine can use it.
import type { PortForward } from "@kubernetes/client-node";
import { Duplex, PassThrough } from "node:stream";

/** WebSocket as the Kubernetes library hands it out. */
interface Socket {
  close(): void;
  onclose: unknown;
}

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
  const toPod = new PassThrough();
  const fromPod = new PassThrough();
  const failure = new PassThrough();
  const socket = (await forwarder.portForward(namespace, pod, [port], fromPod, failure, toPod)) as Socket;
  const stream = Duplex.from({ readable: fromPod, writable: toPod }) as Duplex;
  failure.once("data", (words: Buffer) => {
    const text = words.toString("utf8").trim();
    stream.destroy(new Error(`port-forward to ${namespace}/${pod}: ${text}`));
  });
  socket.onclose = () => fromPod.end();
  stream.once("close", () => socket.close());
  return stream;
}
