// call_remote: has another agent do something, and tells who answered.
import { z } from "zod";
import { skill } from "./skill";

/** Name of an agent (`gcp_worker`) or of a role (`worker`); dashes are as good. */
export const agentName = z.string().regex(/^[a-z0-9]+([_-][a-z0-9]+)*$/, {
  error: "write the name of an agent, for example gcp_worker",
});

/** `{target_agent, capability?, params?}` → `{agent, caller, target: {agent, address}, attempts, milliseconds, result}`. */
export const callRemote = skill({
  name: "call_remote",
  description: "Asks another agent, by its name, for one of its skills, or sends it a plain message",
  payload: z.strictObject({
    target_agent: agentName,
    capability: z.string().min(1).max(128).optional(),
    params: z.unknown().optional(),
  }),
  async run({ target_agent, capability, params }, { mesh, call, signal }) {
    const { agent, address, ...answer } = await mesh.ask(target_agent, capability, params, call, signal);
    return { agent: call.own, caller: call.caller, target: { agent, address }, ...answer };
  },
});
