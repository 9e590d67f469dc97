// exec against an HTTP server on loopback that answers as a Kubernetes API server does (protocol v5.channel.k8s.io).
import { once } from "node:events";
import { createServer, type Server as HttpServer, type ServerResponse } from "node:http";
import { createServer as createSecureServer, type Server as HttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { execInPod } from "../../../components/trust/exec";
import { factsOf } from "../../../components/trust/fault";
import { SPIRE_SERVER } from "../../../components/well-known";
import { type ConnectProxy, connectProxy } from "../../support/agent/connect-proxy";
import { pemOf } from "../../support/agent/pki";
import { issue } from "../../support/certificate";

const server = { cloud: "aws", namespace: "spire", pod: "spire-server-0", container: "spire-server" };
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
const CLOSE = 255;

/** What the API server does with an exec whose connection is open; it is given the input when that has ended. */
type Exec = (socket: WebSocket, input: string) => void;
let http: HttpServer;
let exec: Exec;
/** Refuses the connection with this HTTP code when set. */
let refuseWith: number | undefined;
let pod: (response: ServerResponse) => void;
/** What it answers when it is asked for the server's StatefulSet: an HTTP code, and the object. */
let statefulSet: { code: number; body?: object };
let asked: URL;
let protocols: string[];

const frame = (channel: number, text: string) => Buffer.concat([Buffer.from([channel]), Buffer.from(text)]);
const answer = (response: ServerResponse, code: number, body: object = { kind: "Status", code }) =>
  void response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
const success = (socket: WebSocket) => socket.send(frame(STATUS, JSON.stringify({ status: "Success" })));
const failWith = (socket: WebSocket, status: object) =>
  socket.send(frame(STATUS, JSON.stringify({ status: "Failure", ...status })));

// The client is large, and turned into CommonJS when it is first loaded.
beforeAll(() => import("@kubernetes/client-node"), 120_000);

beforeEach(async () => {
  refuseWith = undefined;
  protocols = ["v5.channel.k8s.io"];
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => protocols.find((protocol) => offered.has(protocol)) ?? false,
  });
  statefulSet = { code: 500 };
  http = createServer(({ url }, response) => {
    if (url !== "/apis/apps/v1/namespaces/spire/statefulsets/spire-server") return pod(response);
    answer(response, statefulSet.code, statefulSet.body);
  }).listen(0, "127.0.0.1");
  http.on("upgrade", (request, stream, head) => {
    asked = new URL(request.url ?? "", "http://api");
    if (refuseWith)
      return void stream.end(`HTTP/1.1 ${refuseWith} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    sockets.handleUpgrade(request, stream, head, (socket) => {
      let input = "";
      socket.on("message", (data: Buffer) => {
        if (data[0] === 0) input += data.subarray(1).toString();
        if (data[0] === CLOSE && data[1] === 0) exec(socket, input);
      });
      if (!asked.searchParams.get("stdin") || asked.searchParams.get("stdin") === "false") exec(socket, "");
    });
  });
  await once(http, "listening");
});

afterEach(async () => {
  http.closeAllConnections();
  http.close();
  await once(http, "close");
});

const kubeconfig = () => {
  const { port } = http.address() as AddressInfo;
  return `apiVersion: v1
clusters: [{name: c, cluster: {server: "http://127.0.0.1:${port}", insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: hunter2}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`;
};
const run = (stdin?: string, limitMs = 5000) =>
  execInPod(server, kubeconfig(), ["spire-server", "healthcheck"], stdin, limitMs);

describe("exec in a pod", () => {
  it("takes a long answer, but not one without end", async () => {
    const mebibyte = "x".repeat(1024 * 1024);
    exec = (socket) => {
      for (let i = 0; i < 20; i++) socket.send(frame(STDOUT, mebibyte));
      success(socket);
    };
    expect((await run()).stdout).toHaveLength(20 * mebibyte.length);

    let closed = false;
    exec = (socket) => {
      const timer = setInterval(() => socket.send(frame(STDOUT, mebibyte)), 1);
      socket.on("close", () => {
        clearInterval(timer);
        closed = true;
      });
    };
    await expect(run(undefined, 60_000)).rejects.toThrow(
      /^aws: spire-server healthcheck printed more than 32 MiB\.$/,
    );
    while (!closed) await new Promise((resolve) => setImmediate(resolve));
  }, 60_000);

  it("returns what the command printed, and asks for the right container and command", async () => {
    exec = (socket) => {
      socket.send(frame(STDOUT, "Server is "));
      socket.send(frame(STDERR, "a warning"));
      socket.send(frame(STDOUT, "healthy."));
      success(socket);
    };
    expect(await run()).toEqual({ exitCode: 0, stdout: "Server is healthy.", stderr: "a warning" });
    expect(asked.pathname).toBe("/api/v1/namespaces/spire/pods/spire-server-0/exec");
    expect(asked.searchParams.getAll("command")).toEqual(["spire-server", "healthcheck"]);
    expect(asked.searchParams.get("container")).toBe("spire-server");
  });

  it("gives the command its whole input and then the end of it", async () => {
    const text = "bundle é ".repeat(20_000);
    exec = (socket, input) => {
      socket.send(frame(STDOUT, input));
      success(socket);
    };
    expect((await run(text)).stdout).toBe(text);
  });

  it("returns the exit code of a command that failed", async () => {
    exec = (socket) => {
      socket.send(frame(STDERR, "Error: no"));
      failWith(socket, {
        reason: "NonZeroExitCode",
        details: { causes: [{ reason: "ExitCode", message: "3" }] },
      });
    };
    expect(await run()).toEqual({ exitCode: 3, stdout: "", stderr: "Error: no" });
  });

  it.each([
    [
      "for a while",
      'Internal error occurred: unable to upgrade connection: container not found ("spire-server")',
      true,
    ],
    [
      "because its container has just died",
      "Internal error occurred: error executing command in container: failed to exec in container: cannot exec in a stopped state: unknown",
      true,
    ],
    [
      "because its container has died and is gone",
      "Internal error occurred: error executing command in container: failed to exec in container: task ab64f2e7943890cc not found",
      true,
    ],
    [
      "because its image has no such program",
      "Internal error occurred: failed to exec in container: OCI runtime exec failed: exec: no such file or directory",
      false,
    ],
    ["for good", "Internal error occurred: failed to exec: no such file or directory", false],
  ])("says what a node says that cannot run the command %s", async (_how, message, transient) => {
    exec = (socket) => failWith(socket, { reason: "InternalError", message });
    await expect(run()).rejects.toMatchObject({
      message: `aws: spire-server healthcheck could not be run: ${message}`,
      transient,
    });
  });

  it("is worth another try when the connection closes before the command ends", async () => {
    exec = (socket) => socket.close();
    await expect(run()).rejects.toMatchObject({
      message: expect.stringMatching(/^aws: the connection closed before/) as string,
      transient: true,
    });
  });

  it("is worth another try when the connection breaks", async () => {
    exec = (socket) => socket.terminate();
    await expect(run("input")).rejects.toMatchObject({ transient: true });
  });

  it("ends at its time limit", async () => {
    exec = () => undefined;
    await expect(run(undefined, 200)).rejects.toMatchObject({
      message: "aws: spire-server healthcheck did not end within 0.2 s.",
      transient: true,
    });
  });

  it("says that Kubernetes is too old when it cannot be told the end of the input", async () => {
    protocols = ["v4.channel.k8s.io"];
    await expect(run("input")).rejects.toMatchObject({
      message: expect.stringMatching(/too old: 1\.30 or newer/) as string,
      transient: false,
    });
  });

  describe("in a pod that does not exist, by the API server's word", () => {
    const set = (replicas?: number) => ({
      code: 200,
      body: {
        apiVersion: "apps/v1",
        kind: "StatefulSet",
        spec: { ...(replicas === undefined ? {} : { replicas }) },
      },
    });
    const fail = async (place: Parameters<typeof execInPod>[0]) => {
      refuseWith = 404;
      pod = (response) => answer(response, 404);
      const thrown = await execInPod(place, kubeconfig(), ["spire-server"], undefined, 5000).catch(
        (error: unknown) => error,
      );
      return { message: (thrown as Error).message, facts: { ...factsOf(thrown) } };
    };
    const away = { transient: true, podMissing: true };
    const spireServer = { ...server, statefulSet: SPIRE_SERVER.name };

    it("says no more of a pod whose StatefulSet is not known", async () => {
      statefulSet = { code: 404 };
      expect(await fail(server)).toEqual({
        message: "aws: there is no pod spire/spire-server-0.",
        facts: away,
      });
    });

    it("says that the server is gone when there is no StatefulSet either", async () => {
      statefulSet = { code: 404 };
      expect(await fail(spireServer)).toEqual({
        message: "aws: there is no pod spire/spire-server-0, nor StatefulSet spire/spire-server.",
        facts: { ...away, serverGone: true },
      });
    });

    it("says how to start a server that is scaled to 0, which is not gone", async () => {
      statefulSet = set(0);
      expect(await fail(spireServer)).toEqual({
        message:
          "aws: there is no pod spire/spire-server-0: StatefulSet spire/spire-server is scaled to 0. `kubectl -n spire scale statefulset spire-server --replicas=1` starts it again.",
        facts: away,
      });
    });

    it.each([1, undefined])("says where to look when %s replicas are asked for", async (replicas) => {
      statefulSet = set(replicas);
      expect(await fail(spireServer)).toEqual({
        message:
          "aws: there is no pod spire/spire-server-0, though there is StatefulSet spire/spire-server. Wait for it, or see why with `kubectl -n spire get statefulset,pods,pvc,events`.",
        facts: away,
      });
    });

    it.each([401, 403, 500])("takes no answer (HTTP %i) for gone", async (code) => {
      statefulSet = { code };
      expect(await fail(spireServer)).toEqual({
        message: `aws: there is no pod spire/spire-server-0, and the Kubernetes API does not tell whether there is StatefulSet spire/spire-server (HTTP ${code}). Check that the kubeconfig's user may get statefulsets there.`,
        facts: away,
      });
    });
  });

  it("says how the pod is while exec is not possible", async () => {
    refuseWith = 500;
    const status = {
      phase: "Pending",
      containerStatuses: [{ name: "spire-server", state: { waiting: { reason: "ImagePullBackOff" } } }],
    };
    pod = (response) =>
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ kind: "Pod", apiVersion: "v1", status }));
    const error = await run().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      message:
        "aws: exec is not possible yet (HTTP 500): pod spire/spire-server-0 is Pending, container spire-server ImagePullBackOff.",
      transient: true,
    });
    expect(error).not.toHaveProperty("podMissing");
  });

  it.each([401, 403])("does not wait for a permission that is not there (HTTP %i)", async (code) => {
    refuseWith = code;
    pod = (response) => answer(response, 200);
    const error = (await run().catch((thrown: unknown) => thrown)) as Error & { transient?: boolean };
    expect(error.message).toBe(
      `aws: the Kubernetes API refuses exec in pod spire/spire-server-0 (HTTP ${code}). Check that the kubeconfig's user may create pods/exec there.`,
    );
    expect(error.transient).toBeFalsy();
  });

  it("waits for an API server that refuses everybody since it has just started", async () => {
    refuseWith = 403;
    pod = (response) => answer(response, 403);
    const error = (await run().catch((thrown: unknown) => thrown)) as Error;
    expect(error.message).toMatch(/refuses exec .* Nor is it ready: it may have just started\.$/);
    expect(factsOf(error).transient).toBe(true);
  });

  it("quotes nothing of a kubeconfig that cannot be read, and names the context that is missing", async () => {
    const broken = execInPod(server, "users: [{token: hunter2", ["x"], undefined, 1000);
    await expect(broken).rejects.toThrow(/^aws: its kubeconfig cannot be used: not a kubeconfig: [^{]*$/);
    const other = kubeconfig().replace("current-context: x", "current-context: y");
    await expect(execInPod(server, other, ["x"], undefined, 1000)).rejects.toThrow(
      'aws: its kubeconfig cannot be used: no context "y" in the kubeconfig; it has: x',
    );
  });

  describe("of a server behind a proxy", () => {
    const HOST = "api.example:6443";
    let secure: HttpsServer;
    let proxy: ConnectProxy;
    let ca: string;

    beforeEach(async () => {
      const { cert, key } = pemOf(issue({ dns: "api.example" }));
      ca = cert;
      secure = createSecureServer({ cert, key }, (...call) => void http.emit("request", ...call))
        .on("upgrade", (...call) => void http.emit("upgrade", ...call))
        .listen(0, "127.0.0.1");
      await once(secure, "listening");
      proxy = await connectProxy({ [HOST]: (secure.address() as AddressInfo).port });
      exec = (socket) => {
        socket.send(frame(STDOUT, "healthy"));
        success(socket);
      };
    });
    afterEach(async () => {
      delete process.env["HTTPS_PROXY"];
      delete process.env["NO_PROXY"];
      await proxy.close();
      secure.closeAllConnections();
      secure.close();
      await once(secure, "close");
    });

    const behind = (cluster: object = {}) =>
      JSON.stringify({
        clusters: [
          {
            name: "c",
            cluster: {
              server: `https://${HOST}`,
              "certificate-authority-data": Buffer.from(ca).toString("base64"),
              ...cluster,
            },
          },
        ],
        users: [{ name: "u", user: { token: "hunter2" } }],
        contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
        "current-context": "x",
      });
    const runBehind = (cluster?: object) => execInPod(server, behind(cluster), ["x"], undefined, 5000);

    it("goes through the one that the kubeconfig names, whatever the environment says", async () => {
      process.env["HTTPS_PROXY"] = "http://127.0.0.1:1";
      expect((await runBehind({ "proxy-url": proxy.url })).stdout).toBe("healthy");
      expect(proxy.asked).toEqual([HOST]);
    });

    it("goes through that of the environment, as what else is asked of the server does", async () => {
      process.env["HTTPS_PROXY"] = proxy.url;
      expect((await runBehind()).stdout).toBe("healthy");
      refuseWith = 500;
      pod = (response) =>
        answer(response, 200, { kind: "Pod", apiVersion: "v1", status: { phase: "Failed" } });
      await expect(runBehind()).rejects.toThrow(/pod spire\/spire-server-0 is Failed/);
      expect(proxy.asked).toEqual([HOST, HOST, HOST]);
    });

    it.each([
      [503, true],
      [407, false],
    ])(
      "tells what its proxy says instead (HTTP %i), and waits for what may pass: %s",
      async (code, transient) => {
        proxy.misbehave = (client) => void client.end(`HTTP/1.1 ${code} No\r\nContent-Length: 0\r\n\r\n`);
        await expect(runBehind({ "proxy-url": proxy.url })).rejects.toMatchObject({
          message: expect.stringMatching(
            new RegExp(`cannot be reached .*: Bad response: ${code}\\.`),
          ) as string,
          transient,
        });
      },
    );

    it("goes past it where NO_PROXY says so", async () => {
      process.env["HTTPS_PROXY"] = proxy.url;
      process.env["NO_PROXY"] = "example";
      await expect(runBehind()).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/);
      expect(proxy.asked).toEqual([]);
    });
  });
});
