// status: what the agent is, until when, and how it sees its peers.
import type { Capability } from "./capability";

/** → identity, uptime, tasks by state, and the endpoints it calls with their circuit breakers. */
export const status: Capability = {
  name: "status",
  description: "Identity, tasks and endpoints of the agent",
  run(_payload, { config, identity, calls, agent }) {
    const { name, cloud, region, role } = config.metadata;
    return Promise.resolve({
      agent: identity.spiffeId,
      name,
      cloud,
      region,
      role,
      uptime_seconds: Math.round(agent.uptimeSeconds()),
      identity: {
        expires_at: identity.notAfter.toISOString(),
        trust_domains: [...identity.bundles.keys()].sort(),
      },
      tasks: agent.tasks(),
      endpoints: calls.endpoints(),
    });
  },
};
