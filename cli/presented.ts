// The certificate that a pod of an agent presents now.
import type { Duplex } from "node:stream";
import tls from "node:tls";
import { AGENT_PORTS } from "../components/well-known";
import type { Cluster } from "./cluster";

/**
 * DER of the certificate that the agent in a pod presents. Nothing is sent to it, and whose it is is not judged: the way to the pod is the cluster's own.
 *
 * @throws an error when there is no handshake before the signal is aborted.
 */
export async function presentedBy(
  cluster: Cluster,
  namespace: string,
  pod: string,
  signal: AbortSignal,
): Promise<Buffer> {
  const connection: Duplex = await cluster.portForward(namespace, pod, AGENT_PORTS.mtls);
  const cut = () => connection.destroy(signal.reason as Error);
  signal.addEventListener("abort", cut, { once: true });
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      signal.throwIfAborted();
      connection.on("error", reject);
      connection.on("close", () => reject(new Error("the connection was closed before a certificate came")));
      const secure = tls.connect(
        { socket: connection, rejectUnauthorized: false, minVersion: "TLSv1.3" },
        () => resolve(secure.getPeerCertificate().raw),
      );
      secure.on("error", reject);
    });
  } finally {
    signal.removeEventListener("abort", cut);
    connection.destroy();
  }
}
