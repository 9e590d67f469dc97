// The token for one cluster: known from its file, renewed with itself at half of its life, and written back to where the file comes from, whether or
// not that is still there.
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { ExponentialBackoff } from "cockatiel";
import type { Logger } from "pino";
import { withTimeout } from "../timeout";
import { CLUSTER_FILES, clusterSecret } from "../../components/observability/prometheus/files";
import { type Access, requestToken, writeSecret } from "./kubernetes";
import type { TokenRenewerConfig } from "./config";
import { parseToken, renewalTime, type Token } from "./token";

/** What a renewal needs. */
export interface RenewalArgs {
  /** The cloud that the token is for, and its API server. */
  readonly cluster: TokenRenewerConfig["clusters"][number];
  /** Paths of its authorities, and of what the Secret becomes. */
  readonly files: Readonly<Record<keyof typeof CLUSTER_FILES, string>>;
  /** How the home cloud's API server is asked. */
  readonly home: () => Access;
  readonly namespace: string;
  readonly account: string;
  readonly lifetimeSeconds: number;
  /** After so long the file is looked at again: somebody else may have written a token, or deleted the Secret. Default: a minute. */
  readonly lookAgainMs?: number | undefined;
  readonly log: Logger;
  /** Told how each try came out. */
  readonly onOutcome: (outcome: "ok" | "failed") => void;
}

/** Longest time for one answer of an API server. */
const LIMIT_SECONDS = 20;
const LOOK_AGAIN_MS = 60_000;
/** For this long after a Secret was written its file may be missing: the kubelet brings it within a minute or two. */
const FILE_FOLLOWS_MS = 5 * 60_000;
/** Pauses between tries that fail double, at random, from the first to the second. */
const PAUSE_MS = { first: 1000, longest: 5 * 60_000 } as const;

/** Looks after the token of one cluster. */
export class Renewal {
  /** The newest that was in the file, or is of its own making: the file follows later, and may go when somebody deletes the Secret. */
  private newest: Token | undefined;
  /** When the Secret was last written, in milliseconds since 1970. */
  private written = 0;

  constructor(private readonly args: RenewalArgs) {}

  get cloud(): string {
    return this.args.cluster.cloud;
  }

  /** The newest token that is known. Throws an Error that says what is wrong with the file when none ever was. */
  current(): Token {
    try {
      const ofFile = this.read();
      if (!this.newest || ofFile.issued >= this.newest.issued) this.newest = ofFile;
    } catch (error) {
      if (!this.newest) throw error;
    }
    return this.newest;
  }

  /** When the token that Prometheus has expires, or is about to have, in milliseconds since 1970; 0 without one. */
  expires(): number {
    return this.isLost() ? 0 : this.current().expires;
  }

  private read(): Token {
    return parseToken(readFileSync(this.args.files.token, "utf8"));
  }

  /** Whether there is no token in the file, and none is on its way there. */
  private isLost(): boolean {
    try {
      this.read();
      return false;
    } catch {
      return Date.now() >= this.written + FILE_FOLLOWS_MS;
    }
  }

  /** Renews the token for as long as the signal is not aborted; then throws. */
  async run(signal: AbortSignal): Promise<never> {
    const { lookAgainMs = LOOK_AGAIN_MS } = this.args;
    const { first, longest } = PAUSE_MS;
    const backoff = new ExponentialBackoff({ initialDelay: first, maxDelay: longest });
    let pause = backoff.next();
    for (;;) {
      const wait = this.due() - Date.now();
      if (wait > 0) {
        await setTimeout(Math.min(wait, lookAgainMs), undefined, { signal });
      } else if (await this.attempt(signal)) {
        pause = backoff.next();
      } else {
        await setTimeout(pause.duration, undefined, { signal });
        pause = pause.next(undefined);
      }
    }
  }

  /** When the next renewal is due; at once without a token in the file, which then comes back or says why not. */
  private due(): number {
    return this.isLost() ? 0 : renewalTime(this.current());
  }

  /** One try; false when it failed. Throws only when the signal is aborted. */
  private async attempt(signal: AbortSignal): Promise<boolean> {
    const { cluster, log, onOutcome } = this.args;
    try {
      const token = await withTimeout(LIMIT_SECONDS, signal, (limit) => this.renew(limit));
      onOutcome("ok");
      log.info({ cluster: cluster.cloud, expires: new Date(token.expires).toISOString() }, "token renewed");
      return true;
    } catch (error) {
      signal.throwIfAborted();
      onOutcome("failed");
      log.warn({ cluster: cluster.cloud, error: (error as Error).message }, "token not renewed");
      return false;
    }
  }

  private async renew(signal: AbortSignal): Promise<Token> {
    const { cluster, files, home, namespace, account, lifetimeSeconds } = this.args;
    const { text: token } = this.current();
    const access = { ...cluster, ca: readFileSync(files.ca, "utf8"), token };
    const text = await requestToken(access, { namespace, name: account }, lifetimeSeconds, signal);
    const made = parseToken(text);
    const secret = { namespace, name: clusterSecret(cluster.cloud) };
    await writeSecret(home(), secret, { [CLUSTER_FILES.token]: text }, signal);
    this.written = Date.now();
    return (this.newest = made);
  }
}
