// health_check: whether the agent has what it needs to serve.
import { isValid } from "../identity/source";
import type { Capability } from "./capability";

/** → `{healthy, agent, checks: {identity, policy}}`. */
export const healthCheck: Capability = {
  name: "health_check",
  description: "Whether the agent has an identity and its policy answers",
  async run(_payload, { identity, agent }) {
    const policyProblem = await agent.policyProblem();
    const checks = { identity: isValid(identity), policy: policyProblem === undefined };
    return { healthy: checks.identity && checks.policy, agent: identity.spiffeId, checks };
  },
};
