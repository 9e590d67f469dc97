// One object behind TLS on loopback, as everybody reads it from a bucket. What signs its certificate stands for a public authority while it is there.
import { once } from "node:events";
import https from "node:https";
import type { AddressInfo } from "node:net";
import tls from "node:tls";
import { pemOf } from "../../spiffe/pem";
import { issue } from "./certificate";

/** Serves `state.body` with `state.status` until it is closed. */
export async function objectStore(body: string) {
  const state = { body, status: 200 };
  const authority = issue();
  const leaf = issue({ ip: "127.0.0.1", ca: false, issuer: authority });
  const server = https.createServer(
    { cert: pemOf("CERTIFICATE", leaf.der), key: leaf.key.export({ format: "pem", type: "pkcs8" }) },
    (_request, response) => response.writeHead(state.status).end(state.body),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const connect = tls.connect;
  const known = jest
    .spyOn(tls, "connect")
    .mockImplementation(((options: tls.ConnectionOptions, then: () => void) =>
      connect(
        "ca" in options ? options : { ...options, ca: pemOf("CERTIFICATE", authority.der) },
        then,
      )) as never);
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/mesh/bundle.json`,
    state,
    /** The authority is nobody's any more. */
    distrust: () => known.mockRestore(),
    close: () => {
      known.mockRestore();
      server.closeAllConnections();
      server.close();
    },
  };
}
