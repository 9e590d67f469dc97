// What a relay is told by its arguments.
import { parseArgs } from "node:util";
import { ConfigError } from "../../agent/config/config-error";
import type { HostPort } from "../../agent/calls/address";
import { isWorkloadId } from "../../agent/identity/spiffe-id";

/** What both ends have. */
interface EndSettings {
  /** Of port 0: any that is free. */
  readonly listen: HostPort;
  readonly target: HostPort;
  /** SPIFFE ids of those who may be at the other end; of a sender exactly one. */
  readonly peers: readonly string[];
  readonly status: HostPort;
  readonly cloud: string;
  readonly region: string;
}

/** The end beside a collector: from an address in the pod to `target`. */
export interface SendSettings extends EndSettings {
  readonly direction: "send";
  /** URL of an HTTP CONNECT proxy on the way. */
  readonly proxy?: string | undefined;
}

/** The end beside the trace store: from everywhere to an address in the pod. */
export interface ReceiveSettings extends EndSettings {
  readonly direction: "receive";
}

export type RelaySettings = SendSettings | ReceiveSettings;

const OPTIONS = {
  listen: { type: "string" },
  target: { type: "string" },
  peer: { type: "string", multiple: true },
  proxy: { type: "string" },
  status: { type: "string" },
  cloud: { type: "string" },
  region: { type: "string" },
} as const;

function hostPort(text: string): HostPort | undefined {
  const url = URL.canParse(`tcp://${text}`) ? new URL(`tcp://${text}`) : undefined;
  if (!url || url.host !== text || url.port === "" || url.hostname === "") return undefined;
  // IPv6 addresses stand in brackets before a port, and nowhere else.
  return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(url.port) };
}

function proxyUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === "http:" && url.href === `http://${url.host}/` ? url.href : undefined;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new ConfigError([`the arguments: ${(error as Error).message}`]);
  }
}

/** @throws ConfigError that lists everything that is missing or wrong. */
export function parseSettings(args: readonly string[]): RelaySettings {
  const { values, positionals } = parse(args);
  const problems: string[] = [];
  const read = <T>(
    name: keyof typeof OPTIONS,
    text: string | undefined,
    as: (text: string) => T | undefined,
    form: string,
  ): T => {
    const value = text === undefined ? undefined : as(text);
    if (value === undefined)
      problems.push(`--${name}: ${text === undefined ? "is missing" : `is "${text}"`}; write ${form}`);
    return value as T;
  };
  const filled = (text: string) => (text === "" ? undefined : text);
  const workload = (text: string) => (isWorkloadId(text) ? text : undefined);
  const form = "host:port";

  const [direction, ...more] = positionals;
  if ((direction !== "send" && direction !== "receive") || more.length > 0)
    problems.push(`the arguments: "${positionals.join(" ")}" is no direction; write send or receive`);
  const texts = values.peer ?? [undefined];
  const peers = texts.map((text) => read("peer", text, workload, "spiffe://trust.domain/path"));
  if (direction === "send" && peers.length > 1)
    problems.push("--peer: a sender has one; write receive, or one");
  const common = {
    peers,
    listen: read("listen", values.listen, hostPort, form),
    target: read("target", values.target, hostPort, form),
    status: read("status", values.status, hostPort, form),
    cloud: read("cloud", values.cloud, filled, "its name"),
    region: read("region", values.region, filled, "its name"),
  };
  const settings: RelaySettings =
    direction === "send"
      ? {
          ...common,
          direction,
          proxy:
            values.proxy === undefined
              ? undefined
              : read("proxy", values.proxy, proxyUrl, "http://host:port"),
        }
      : { ...common, direction: "receive" };
  if (problems.length > 0) throw new ConfigError(problems);
  return settings;
}
