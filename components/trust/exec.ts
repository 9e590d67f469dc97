// Runs a command in a container through the Kubernetes API, authenticated by the cluster's own credentials.
import { Readable, Writable } from "node:stream";
import { loadKubeConfig } from "../clouds/kubeconfig-client";
import { fault, wordsOf } from "./fault";
import { explainNoPod } from "./no-pod";
import type { PodLocation } from "./pod-location";

/** What a command left behind when it ended. */
export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** The part of a Kubernetes `Status` that tells how a command ended. */
interface ExecStatus {
  status?: string;
  reason?: string;
  message?: string;
  details?: { causes?: { reason?: string; message?: string }[] };
}

// Causes that pass by themselves: a node or API server that restarts, a container that is being made or has just died, for which containerd has many
// words, an overloaded API server, a proxy that does not get to it (hpagent has its answer as "Bad response").
export const passing =
  /ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EAI_AGAIN|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|socket hang up|connection re(fused|set)|dialing backend|upgrade connection|bad response: 50[234]|container not found|not running|failed to exec in container(?!.*(?:no such file|executable file not found|permission denied))|timeout|timed out|too many requests|\bEOF\b/i;

/** Longest time in which an API server says that it is ready, in milliseconds. */
const READY_LIMIT_MS = 5_000;

/** Most bytes of each output of a command. A registration entry is less than a thousand. */
const OUTPUT_LIMIT = 32 * 1024 * 1024;

/** Keeps what is written to it. Calls `over`, and keeps nothing more, when that is more than `OUTPUT_LIMIT`. */
function collector(over: () => void): { stream: Writable; text: () => string } {
  const chunks: Buffer[] = [];
  let size = 0;
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size > OUTPUT_LIMIT) over();
      else chunks.push(Buffer.from(chunk));
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString("utf8") };
}

/** Exit code of a finished command; undefined when the status speaks of another failure than the command's own. */
function exitCodeOf(status: ExecStatus): number | undefined {
  if (status.status === "Success") return 0;
  const cause = status.details?.causes?.find(({ reason }) => reason === "ExitCode");
  return status.reason === "NonZeroExitCode" && cause ? Number(cause.message) : undefined;
}

/** Turns a refused connection into an error that says how the pod is, which the WebSocket handshake's bare HTTP code does not. */
async function explain(server: PodLocation, kubeconfig: string, words: string): Promise<Error> {
  const where = `pod ${server.namespace}/${server.pod}`;
  const httpCode = Number(/Unexpected server response: (\d+)/.exec(words)?.[1] ?? 0);
  if (httpCode === 401 || httpCode === 403) {
    const next = "Check that the kubeconfig's user may create pods/exec there.";
    const refusal = `${server.cloud}: the Kubernetes API refuses exec in ${where} (HTTP ${httpCode}). ${next}`;
    if (httpCode === 401) return fault(refusal, {});
    // One that has just started has not read its roles yet: it refuses everybody, and is not ready.
    const { k8s, config } = await loadKubeConfig(server.cloud, kubeconfig);
    const signal = AbortSignal.timeout(READY_LIMIT_MS);
    const ready = await new k8s.Health(config).readyz({ signal }).catch(() => false);
    return ready
      ? fault(refusal, {})
      : fault(`${refusal} Nor is it ready: it may have just started.`, { transient: true });
  }
  if (httpCode === 0) {
    const next = "Check that its API server is up and that the kubeconfig is right.";
    return fault(
      `${server.cloud}: the Kubernetes API cannot be reached for exec in ${where}: ${words}. ${next}`,
      { transient: passing.test(words) },
    );
  }
  const { k8s, config } = await loadKubeConfig(server.cloud, kubeconfig);
  try {
    const api = config.makeApiClient(k8s.CoreV1Api);
    const pod = await api.readNamespacedPod({ name: server.pod, namespace: server.namespace });
    const container = pod.status?.containerStatuses?.find(({ name }) => name === server.container);
    const reason =
      container?.state?.waiting?.reason ??
      container?.state?.terminated?.reason ??
      (container ? "running" : "not started");
    const how = `${where} is ${pod.status?.phase ?? "of unknown phase"}, container ${server.container} ${reason}`;
    return fault(`${server.cloud}: exec is not possible yet (HTTP ${httpCode}): ${how}.`, {
      transient: true,
    });
  } catch (error) {
    if ((error as { code?: unknown }).code === 404)
      return explainNoPod(server, config.makeApiClient(k8s.AppsV1Api));
    return fault(`${server.cloud}: exec in ${where} failed (HTTP ${httpCode}).`, { transient: true });
  }
}

/**
 * Runs `command` in the server's container, with `stdin` as its whole input, and returns when it has ended, whatever its exit code.
 * Throws when it could not be run to its end: no pod, no API server, refused, `limitMs` (milliseconds) over, or an output of more than 32 MiB.
 */
export async function execInPod(
  server: PodLocation,
  kubeconfig: string,
  command: string[],
  stdin: string | undefined,
  limitMs: number,
): Promise<CommandResult> {
  const { k8s, config } = await loadKubeConfig(server.cloud, kubeconfig);
  let fail: (error: Error) => void = () => undefined;
  const over = () =>
    fail(fault(`${server.cloud}: ${command.join(" ")} printed more than ${OUTPUT_LIMIT / 2 ** 20} MiB.`, {}));
  const stdout = collector(over);
  const stderr = collector(over);
  const input = stdin === undefined ? null : Readable.from([Buffer.from(stdin)]);
  let timer: NodeJS.Timeout | undefined;
  let socket: { close(): void } | undefined;
  let timeIsUp = false;
  try {
    const status = await new Promise<ExecStatus>((resolve, reject) => {
      fail = reject;
      timer = setTimeout(() => {
        timeIsUp = true;
        reject(
          fault(`${server.cloud}: ${command.join(" ")} did not end within ${limitMs / 1000} s.`, {
            transient: true,
          }),
        );
      }, limitMs);
      new k8s.Exec(config)
        .exec(
          server.namespace,
          server.pod,
          server.container,
          command,
          stdout.stream,
          stderr.stream,
          input,
          false,
          resolve,
        )
        .then((opened) => {
          socket = opened;
          const cut = () => {
            // Before v5 of the protocol the end of the input can only be told by closing the connection, which also ends the output.
            const old = input !== null && opened.protocol !== "v5.channel.k8s.io";
            const why = old
              ? "Its Kubernetes is too old: 1.30 or newer is needed."
              : "The server or the Kubernetes API may have restarted.";
            reject(
              fault(`${server.cloud}: the connection closed before ${command.join(" ")} ended. ${why}`, {
                transient: !old,
              }),
            );
          };
          opened.onclose = cut;
          if (opened.readyState >= opened.CLOSING) cut();
          if (timeIsUp) opened.close();
        })
        .catch((error: unknown) => {
          const words =
            (error as { message?: string }).message ||
            (error as { error?: { code?: string } }).error?.code ||
            "no connection";
          explain(server, kubeconfig, error instanceof Error ? wordsOf(error) : words).then(reject, reject);
        });
    });
    const exitCode = exitCodeOf(status);
    if (exitCode === undefined) {
      const words = status.message ?? "no reason given";
      throw fault(`${server.cloud}: ${command.join(" ")} could not be run: ${words}`, {
        transient: passing.test(words),
      });
    }
    return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    clearTimeout(timer);
    socket?.close();
  }
}
