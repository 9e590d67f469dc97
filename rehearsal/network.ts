// Which network a rehearsal has: loopback, or one of each cloud's own, in a "world" of network namespaces; and what connects the clouds.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Where the clouds are, and how their agents reach each other: `network.mode` of the stack. */
export interface RehearsalNetwork {
  readonly place: "loopback" | "namespaces";
  readonly mode: "direct" | "tailscale";
}

const LOOPBACK: RehearsalNetwork = { place: "loopback", mode: "direct" };
/** Environment variables that choose; `make rehearse NETWORK=tailscale` sets the second one too. */
const VARIABLES = { place: "REHEARSAL_NET", mode: "NETWORK" } as const;

const fileOf = (root: string) => path.join(root, "network.json");

/** The network that the rehearsal in `root` has; undefined before its first run. */
export function rememberedNetwork(root: string): RehearsalNetwork | undefined {
  const file = fileOf(root);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as RehearsalNetwork) : undefined;
}

/** Keeps the network for later runs, which need not say it again. */
export function rememberNetwork(root: string, network: RehearsalNetwork): void {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  writeFileSync(fileOf(root), JSON.stringify(network));
}

function oneOf<T extends string>(variable: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw new Error(`${variable}=${value}: want ${allowed.join(" or ")}`);
  return found;
}

/**
 * The network that is asked for, else the one that the rehearsal has, else loopback with load balancers.
 *
 * @throws Error that says what to type, when the two do not go together, or are not those that the rehearsal has.
 */
export function chooseNetwork(root: string, env: NodeJS.ProcessEnv = process.env): RehearsalNetwork {
  const before = rememberedNetwork(root);
  const begun = before ?? (existsSync(path.join(root, "engine")) ? LOOPBACK : undefined);
  const asked = { place: env[VARIABLES.place], mode: env[VARIABLES.mode] };
  const place = asked.place && oneOf(VARIABLES.place, asked.place, ["loopback", "namespaces"] as const);
  const mode = asked.mode && oneOf(VARIABLES.mode, asked.mode, ["direct", "tailscale"] as const);
  const network: RehearsalNetwork = {
    place: place || begun?.place || LOOPBACK.place,
    mode: mode || begun?.mode || LOOPBACK.mode,
  };
  if (network.mode === "tailscale" && network.place !== "namespaces") {
    throw new Error(
      "a tailnet needs clouds with networks of their own, on Linux: REHEARSAL_NET=namespaces make rehearse NETWORK=tailscale",
    );
  }
  if (begun && (begun.place !== network.place || begun.mode !== network.mode)) {
    throw new Error(
      `this rehearsal was begun with ${begun.place} and network.mode ${begun.mode}; \`make rehearse-down\` ends it, then the network can be another`,
    );
  }
  return network;
}
