// Who answers at an address of the tailnet, seen from where this program runs: `dial.ts <host> <port> <port of the HTTP CONNECT proxy>` prints the
// SPIFFE id of the certificate that is shown there.
import { request } from "node:http";
import type { Socket } from "node:net";
import { connect } from "node:tls";

const LIMIT_MS = 10_000;

function fail(why: string): never {
  process.stderr.write(`${why}\n`);
  process.exit(1);
}

const [host, port, proxyPort] = process.argv.slice(2);
setTimeout(() => fail(`no answer within ${LIMIT_MS / 1000} s`), LIMIT_MS);
request({ host: "127.0.0.1", port: proxyPort, method: "CONNECT", path: `${host}:${port}` })
  .once("error", ({ message }) => fail(`the proxy: ${message}`))
  .once("connect", ({ statusCode }, socket: Socket) => {
    if (statusCode !== 200) fail(`the proxy answers ${statusCode}`);
    // Only looks: whom the certificate belongs to is what is asked here.
    const tls = connect({ socket, rejectUnauthorized: false, minVersion: "TLSv1.3" }, () => {
      const id = /URI:(spiffe:[^,\s]+)/.exec(tls.getPeerCertificate().subjectaltname ?? "")?.[1];
      if (id === undefined) fail("its certificate has no SPIFFE id");
      process.stdout.write(`${id}\n`);
      process.exit(0);
    }).once("error", ({ message }) => fail(message));
  })
  .end();
