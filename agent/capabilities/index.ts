// What an agent can be asked to do. A new capability is one file here and one line in the list below.
import { callRemote } from "./call-remote";
import type { Capability } from "./capability";
import { echo } from "./echo";
import { healthCheck } from "./health-check";
import { ping } from "./ping";
import { relay } from "./relay";
import { status } from "./status";

export * from "./capability";

const ALL: readonly Capability[] = [ping, healthCheck, status, echo, callRemote, relay];

/** Every capability by its name. */
export const capabilities: ReadonlyMap<string, Capability> = new Map(
  ALL.map((capability) => [capability.name, capability]),
);
