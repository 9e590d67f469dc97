// ping: proves a call's two identities to both sides.
import type { Capability } from "./capability";

/** → `{pong, agent, caller, cloud, region, role, time}`. */
export const ping: Capability = {
  name: "ping",
  description: "Answers with the verified identities of both sides",
  run: (_payload, { config, identity, caller }) => {
    const { cloud, region, role } = config.metadata;
    const time = new Date().toISOString();
    return Promise.resolve({ pong: true, agent: identity.spiffeId, caller, cloud, region, role, time });
  },
};
