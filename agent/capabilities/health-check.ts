// health_check: whether the agent has what it needs to serve.
import { isValid } from "../identity/source";
import type { Capability } from "./index";

/** → `{healthy, agent, checks: {identity, policy}}`. */
export const healthCheck: Capability = {
  name: "health_check",
  description: "Whether the agent has an identity and its policy answers",
  async run(_payload, { identity, self }) {
    const checks = { identity: isValid(identity), policy: await self.policyAnswers() };
    return { healthy: checks.identity && checks.policy, agent: identity.spiffeId, checks };
  },
};
