// echo: the least a capability can be, and an example of how one is added.
import type { Capability } from "./capability";

/** → `{echo: <payload>, agent, caller}`. */
export const echo: Capability = {
  name: "echo",
  description: "Answers with what it was sent",
  run: (payload, { identity, caller }) =>
    Promise.resolve({ echo: payload, agent: identity.spiffeId, caller }),
};
