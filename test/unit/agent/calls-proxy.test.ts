import dns from "node:dns";
import { once } from "node:events";
import type { Socket } from "node:net";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { ProxyFailed, Tunnel } from "../../../agent/calls/proxy";
import { isBelow } from "../../../agent/dns-name";
import { type ConnectProxy, connectProxy, type Misbehave } from "../../support/agent/connect-proxy";
import {
  callsTo,
  closeAll,
  done,
  failed,
  forward,
  idOf,
  nobody,
  outcomes,
  peer,
  ping,
  reply,
  self,
  well,
} from "./calls-world";

const TAILNET = "tail1a2b3c.ts.net";
const GCP = `gcp-agent.${TAILNET}`;

let proxy: ConnectProxy;
const hosts: Record<string, number> = {};
beforeEach(async () => {
  for (const host of Object.keys(hosts)) delete hosts[host];
  proxy = await connectProxy(hosts);
});
afterEach(async () => {
  await closeAll();
  await proxy.close();
});

type Peer = Awaited<ReturnType<typeof peer>>;
const portOf = ({ address }: { address: string }) => Number(new URL(address).port);
/** The peer under a name of the tailnet, as the proxy alone can reach it. */
const named = (there: Peer, host = GCP) => {
  hosts[`${host}:8443`] = portOf(there);
  return { cloud: there.cloud, spiffe_id: there.spiffe_id, address: `https://${host}:8443` };
};
const over = (url = proxy.url) => ({ proxy: { url, domains: [TAILNET] } });
const gone = async (sockets: ReadonlySet<Socket>) => {
  for (const socket of sockets) if (!socket.closed) await once(socket, "close");
};

describe("a name is in a domain", () => {
  test.each([
    [GCP, true],
    [TAILNET, true],
    [`GCP-Agent.Tail1A2B3C.TS.net.`, true],
    [`a.b.${TAILNET}`, true],
    [`x${TAILNET}`, false],
    ["ts.net", false],
    [`${TAILNET}.example.org`, false],
    ["127.0.0.1", false],
    ["agentweave-agent.agentweave.svc.cluster.local", false],
  ])("%s: %p", (host, expected) => {
    expect(isBelow(host, [TAILNET])).toBe(expected);
    expect(isBelow(host, ["other.ts.net.", `${TAILNET.toUpperCase()}.`])).toBe(expected);
  });
});

describe("a call to a name of the tailnet", () => {
  test("goes through the proxy, which alone resolves the name", async () => {
    const there = await peer("gcp");
    const lookup = jest.spyOn(dns, "lookup");
    const { calls } = callsTo([named(there)], over());
    const { agent, address } = await ping(calls);
    expect([agent, address]).toEqual([idOf("gcp"), `https://${GCP}:8443`]);
    expect(proxy.asked).toEqual([`${GCP}:8443`]);
    expect(there.asked[0]!.socket.getPeerCertificate().subjectaltname).toContain("/aws-us-east-1/agent");
    expect(lookup.mock.calls.map(([host]) => host)).not.toContain(GCP);
  });

  test("may have the name's dot at the end, and capitals", async () => {
    const there = await peer("gcp");
    const { calls } = callsTo(
      [{ ...named(there), address: "https://GCP-agent.tail1a2b3c.ts.net.:8443" }],
      over(),
    );
    await ping(calls);
    expect(proxy.asked).toEqual([`${GCP}:8443`]);
  });

  test("leaves all other hosts to be dialled directly", async () => {
    const there = await peer("azure");
    await ping(callsTo([there], over()).calls);
    expect(proxy.asked).toEqual([]);
  });

  test("uses a tunnel again, and never has more of them than connections are allowed", async () => {
    const there = await peer("gcp");
    const { calls } = callsTo([named(there)], { ...over(), connection_pool: { max_connections: 2 } });
    await Promise.all(Array.from({ length: 12 }, () => ping(calls)));
    await ping(calls);
    expect(there.asked).toHaveLength(13);
    expect(proxy.asked.length).toBeLessThanOrEqual(2);
  });

  test("carries large payloads both ways", async () => {
    const there = await peer("gcp");
    const { calls } = callsTo([named(there)], over());
    const payload = "x".repeat(900_000);
    there.respond((asked, response) => {
      reply((id) => done(id, { result: asked.params["payload"] }))(asked, response);
    });
    const { task } = await calls.call({ name: "agent" }, { task_type: "echo", payload });
    expect(task.result).toBe(payload);
  });

  test("is refused by the caller when the proxy connects it to somebody else", async () => {
    const there = await peer("gcp", well, { as: "spiffe://gcp.example.org/region/gcp-r/worker" });
    const other = await peer("azure");
    const { calls, telemetry } = callsTo([named(there)], over());
    expect((await failed(ping(calls))).message).toMatch(/worker answered instead of .*agent/);
    hosts[`${GCP}:8443`] = portOf(other);
    expect((await failed(ping(calls))).message).toMatch(/certificate/);
    expect(await outcomes(telemetry)).toEqual({ refused: 2 });
    expect([...there.asked, ...other.asked]).toEqual([]);
    await gone(proxy.clients);
  });

  test("goes on to the next endpoint when the way to the first is cut", async () => {
    const second = await peer("azure");
    const lost = { ...nobody("gcp"), address: `https://${GCP}:8443` };
    const { agent, attempts } = await ping(callsTo([lost, second], over()).calls);
    expect(agent).toBe(idOf("azure"));
    expect(attempts[0]!.error).toContain("HTTP 500 Internal Server Error: no such host");
  });
});

describe("what went wrong on the way names the hop", () => {
  const answer =
    (text: string): Misbehave =>
    (socket) =>
      void socket.end(text);
  test.each<[string, Misbehave, RegExp]>([
    [
      "the proxy cannot reach the peer",
      answer("HTTP/1.1 502 Bad Gateway\r\n\r\n"),
      /the proxy http:\S+ did not reach gcp-agent\.tail1a2b3c\.ts\.net:8443: HTTP 502 Bad Gateway$/,
    ],
    [
      "the proxy wants a password",
      answer("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
      /HTTP 407 Proxy/,
    ],
    [
      "the proxy answers garbage",
      answer("SSH-2.0-OpenSSH_9\r\n"),
      /the proxy \S+ gave no answer.*Parse Error/,
    ],
    [
      "the proxy's headers have no end",
      (socket) => void socket.write(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(20_000)}`),
      /the proxy \S+ gave no answer.*Header overflow/i,
    ],
    ["the proxy hangs up", (socket) => void socket.destroy(), /the proxy \S+ does not answer/],
    [
      "the proxy hangs",
      () => undefined,
      /no answer within 0\.3 s from the proxy http:\S+ to connect to gcp-agent\.tail1a2b3c\.ts\.net:8443/,
    ],
    [
      "the tunnel ends before the peer speaks",
      answer("HTTP/1.1 200 OK\r\n\r\n"),
      /the tunnel of the proxy \S+ to gcp-agent\S+ ended before/,
    ],
    [
      "the peer does not speak",
      (socket) => void socket.write("HTTP/1.1 200 OK\r\n\r\n"),
      /: no answer within 0\.3 s$/,
    ],
    [
      "something else than TLS is behind the proxy",
      (socket) => void socket.write("HTTP/1.1 200 OK\r\n\r\nSSH-2.0-OpenSSH_9\r\n"),
      /wrong version number|packet length too long|record/i,
    ],
  ])("when %s, and leaves no connection behind", async (_, misbehave, words) => {
    proxy.misbehave = misbehave;
    const endpoint = { ...nobody("gcp"), address: `https://${GCP}:8443` };
    const { calls, telemetry } = callsTo([endpoint], { ...over(), timeout_seconds: 0.3 });
    expect((await failed(ping(calls))).message).toMatch(words);
    expect(await outcomes(telemetry)).not.toHaveProperty("refused");
    await gone(proxy.clients);
    expect(proxy.clients.size).toBe(0);
  });

  test("when there is no proxy: it says that the sidecar is not up", async () => {
    const endpoint = { ...nobody("gcp"), address: `https://${GCP}:8443` };
    const { message } = await failed(ping(callsTo([endpoint], over("http://127.0.0.1:9")).calls));
    expect(message).toContain("the proxy http://127.0.0.1:9 does not answer (connect ECONNREFUSED");
    expect(message).toContain("is the pod's tailscale sidecar up?");
  });

  test("and the sidecar that comes back is used without a restart", async () => {
    const there = await peer("gcp");
    const { calls } = callsTo([named(there)], { ...over(), circuit_breaker: { failure_threshold: 1 } });
    proxy.misbehave = (socket) => void socket.destroy();
    await failed(ping(calls));
    proxy.misbehave = undefined;
    forward(31_000);
    expect((await ping(calls)).agent).toBe(idOf("gcp"));
  });
});

describe("a caller that goes away", () => {
  test("while the proxy connects ends the connection to the proxy at once, and blames nobody", async () => {
    proxy.misbehave = () => undefined;
    const endpoint = { ...nobody("gcp"), address: `https://${GCP}:8443` };
    const { calls } = callsTo([endpoint], { ...over(), circuit_breaker: { failure_threshold: 1 } });
    const caller = new AbortController();
    const asked = proxy.next();
    const call = ping(calls, undefined, caller.signal);
    await asked;
    const [client] = proxy.clients;
    caller.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
    await once(client!, "close");
    expect(calls.endpoints()[0]!.breaker).toBe("closed");
  });
});

describe("a rotation of the caller's identity", () => {
  test("makes later calls through new tunnels, and ends the idle ones", async () => {
    const there = await peer("gcp");
    const { calls, identity } = callsTo([named(there)], over());
    const serials: string[] = [];
    there.respond((asked, response) => {
      serials.push(asked.socket.getPeerCertificate().serialNumber);
      well(asked, response);
    });
    await ping(calls);
    const [tunnel] = proxy.clients;
    const closed = once(tunnel!, "close");
    identity.set(self());
    await closed;
    await ping(calls);
    expect(proxy.asked).toHaveLength(2);
    expect(there.connections()).toBe(2);
    expect(new Set(serials).size).toBe(2);
  });

  test("loses no call under load", async () => {
    const there = await peer("gcp");
    const { calls, identity } = callsTo([named(there)], {
      ...over(),
      connection_pool: { max_connections: 3 },
    });
    let next = 0;
    const worker = async () => {
      while (next < 100) {
        if (next++ % 20 === 0) identity.set(self());
        expect((await ping(calls)).attempts).toHaveLength(1);
      }
    };
    await Promise.all(Array.from({ length: 6 }, worker));
    expect(there.connections()).toBeGreaterThan(3);
  });

  test("is not needed for a peer that closed a kept tunnel: another one is opened", async () => {
    const there = await peer("gcp");
    const { calls } = callsTo([named(there)], { ...over(), circuit_breaker: { failure_threshold: 1 } });
    await ping(calls);
    const [first] = there.asked;
    there.respond((asked, response) => {
      if (asked.socket === first!.socket) asked.socket.destroy();
      else well(asked, response);
    });
    expect((await ping(calls)).attempts).toHaveLength(1);
  });
});

describe("the trace of a call", () => {
  const spansOf = (spans: ReadableSpan[], name: string) => spans.filter((span) => span.name === name);

  test("says which proxy was used, and tells the way to the peer from the handshake", async () => {
    const there = await peer("gcp");
    const { calls, telemetry, spans } = callsTo([named(there)], over());
    await ping(calls);
    await telemetry.close();
    const [dial] = spansOf(spans, "network.dial");
    const [handshake] = spansOf(spans, "mtls.handshake");
    expect(dial!.attributes).toEqual({
      "server.address": GCP,
      "server.port": 8443,
      "agentweave.proxy": proxy.url,
    });
    expect(handshake!.attributes).toEqual(dial!.attributes);
  });

  test("has no handshake when the proxy opened no tunnel", async () => {
    const endpoint = { ...nobody("gcp"), address: `https://${GCP}:8443` };
    const { calls, telemetry, spans } = callsTo([endpoint], over());
    await failed(ping(calls));
    await telemetry.close();
    expect(spansOf(spans, "mtls.handshake")).toEqual([]);
    expect(spansOf(spans, "network.dial")[0]!.status.message).toContain("no such host");
  });
});

describe("a tunnel", () => {
  const opened = (misbehave: Misbehave) => {
    proxy.misbehave = misbehave;
    return new Tunnel(proxy.url, { host: GCP, port: 8443 });
  };

  test("loses none of the bytes that come with the proxy's answer", async () => {
    const tunnel = opened((socket) => void socket.end("HTTP/1.1 200 OK\r\n\r\nhello"));
    const chunks = await tunnel.setEncoding("utf8").toArray();
    expect(chunks.join("")).toBe("hello");
  });

  test("loses none of the bytes that came before the other side's end, however late they are read", async () => {
    const sent = "x".repeat(300_000);
    const tunnel = opened((socket) => void socket.end(`HTTP/1.1 200 OK\r\n\r\n${sent}`));
    await once(tunnel, "connect");
    const [client] = proxy.clients;
    let received = "";
    for await (const chunk of tunnel.setEncoding("utf8")) {
      received += String(chunk);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(received).toHaveLength(sent.length);
    if (!client!.closed) await once(client!, "close");
  });

  test("sends what was written before it was open, once it is", async () => {
    const tunnel = opened((socket) => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(socket);
    });
    tunnel.write("a");
    tunnel.write("b");
    await once(tunnel, "connect");
    tunnel.write("c");
    let text = "";
    for await (const chunk of tunnel.setEncoding("utf8")) {
      text += String(chunk);
      if (text === "abc") break;
    }
    expect(text).toBe("abc");
  });

  test("ends when the other side does, and lets go of the connection", async () => {
    const tunnel = opened((socket) => void socket.write("HTTP/1.1 200 OK\r\n\r\n"));
    await once(tunnel, "connect");
    const [client] = proxy.clients;
    tunnel.resume();
    client!.end();
    await once(tunnel, "close");
    await gone(proxy.clients);
  });

  test("fails as one of the proxy's, with the cause", async () => {
    const tunnel = opened((socket) => void socket.end("HTTP/1.1 503 Busy\r\n\r\n"));
    const [error] = (await once(tunnel, "error").catch((thrown: unknown) => [thrown])) as [Error];
    expect(error).toBeInstanceOf(ProxyFailed);
    expect(error.message).toContain("HTTP 503 Busy");
  });
});
