// The token for one cluster: known from its file, renewed with itself at half of its life, and written back to where the file comes from.
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { ExponentialBackoff } from "cockatiel";
import type { Logger } from "pino";
import { withTimeout } from "../../agent/calls/timeout";
import { CLUSTER_FILES, clusterSecret } from "../../components/observability/prometheus/files";
import { type Access, patchSecret, requestToken } from "./kubernetes";
import { parseToken, renewalTime, type Token } from "./token";

/** What a renewal needs. */
export interface RenewalArgs {
  /** The cloud that the token is for, and its API server. */
  readonly cluster: { readonly cloud: string; readonly server: string };
  /** Paths of the files that the Secret becomes. */
  readonly files: Readonly<Record<keyof typeof CLUSTER_FILES, string>>;
  /** How the home cloud's API server is asked. */
  readonly home: () => Access;
  readonly namespace: string;
  readonly account: string;
  readonly lifetimeSeconds: number;
  readonly log: Logger;
  /** Told how each try came out. */
  readonly onOutcome: (outcome: "ok" | "failed") => void;
}

/** Longest time for one answer of an API server. */
const LIMIT_SECONDS = 20;
/** After this long the file is looked at again: somebody else may have written a token. */
const LOOK_AGAIN_MS = 5 * 60_000;
/** Pauses between tries that fail double, at random, from the first to the second. */
const PAUSE_MS = { first: 1000, longest: 5 * 60_000 } as const;

/** Looks after the token of one cluster. */
export class Renewal {
  /** The newest of its own making: the file follows when the kubelet gets to it, a minute or two later. */
  private made: Token | undefined;

  constructor(private readonly args: RenewalArgs) {}

  get cloud(): string {
    return this.args.cluster.cloud;
  }

  /** The token that is the newest, of the file or of its own making. Throws an Error when the file has none. */
  current(): Token {
    let ofFile: Token;
    try {
      ofFile = parseToken(readFileSync(this.args.files.token, "utf8"));
    } catch (error) {
      if (this.made) return this.made;
      throw error;
    }
    return this.made && this.made.issued > ofFile.issued ? this.made : ofFile;
  }

  /** When the token expires, in milliseconds since 1970; 0 without one. */
  expires(): number {
    try {
      return this.current().expires;
    } catch {
      return 0;
    }
  }

  /** Renews the token for as long as the signal is not aborted; then throws. */
  async run(signal: AbortSignal): Promise<never> {
    const { first, longest } = PAUSE_MS;
    const backoff = new ExponentialBackoff({ initialDelay: first, maxDelay: longest });
    let pause = backoff.next();
    for (;;) {
      const wait = this.due() - Date.now();
      if (wait > 0) {
        await setTimeout(Math.min(wait, LOOK_AGAIN_MS), undefined, { signal });
      } else if (await this.attempt(signal)) {
        pause = backoff.next();
      } else {
        await setTimeout(pause.duration, undefined, { signal });
        pause = pause.next(undefined);
      }
    }
  }

  /** When the next renewal is due; at once without a token, which then says why. */
  private due(): number {
    try {
      return renewalTime(this.current());
    } catch {
      return 0;
    }
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
    const access = { server: cluster.server, ca: readFileSync(files.ca, "utf8"), token };
    const text = await requestToken(access, { namespace, name: account }, lifetimeSeconds, signal);
    const made = parseToken(text);
    const secret = { namespace, name: clusterSecret(cluster.cloud) };
    await patchSecret(home(), secret, { [CLUSTER_FILES.token]: text }, signal);
    return (this.made = made);
  }
}
