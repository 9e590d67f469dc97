// call_remote: has another agent run a capability, and tells who answered and what was tried.
import { z } from "zod";
import { parsePayload } from "./payload";
import { idOf, rounded, runRemote } from "../calls/remote";
import type { Target } from "../calls";
import type { Capability } from "./capability";

const payloadSchema = z
  .strictObject({
    target_agent: z.string().min(1),
    target_address: z.string().optional(),
    capability: z.string().min(1),
    params: z.unknown().optional(),
    // Whether the call opens a connection of its own.
    fresh: z.boolean().optional(),
  })
  .refine(({ target_agent, target_address }) => isId(target_agent) === (target_address !== undefined), {
    error: "a SPIFFE id needs an address, and a name of the registry has its own",
    path: ["target_address"],
  });

function isId(target: string): boolean {
  return target.startsWith("spiffe://");
}

function targetOf({ target_agent, target_address }: z.infer<typeof payloadSchema>): Target {
  return target_address === undefined
    ? { name: target_agent }
    : { spiffeId: target_agent, address: target_address };
}

/** `{target_agent, target_address?, capability, params?, fresh?}` → `{agent, caller, target, attempts, milliseconds, result}`. */
export const callRemote: Capability = {
  name: "call_remote",
  description:
    "Calls a capability of another agent, by its name in the registry or by its SPIFFE id and address",

  policyContext(payload, config) {
    const asked = parsePayload(payloadSchema, payload);
    return { target: idOf(targetOf(asked), config), capability: asked.capability };
  },

  async run(payload, { calls, caller, identity, signal }) {
    const asked = parsePayload(payloadSchema, payload);
    const { capability, params, fresh } = asked;
    const { call, result } = await runRemote(calls, targetOf(asked), capability, params, { signal, fresh });
    return {
      agent: identity.spiffeId,
      caller,
      target: { agent: call.agent, address: call.address },
      attempts: call.attempts.map(({ address, spiffe_id, error }) => ({
        address,
        spiffe_id,
        ...(error === undefined ? {} : { error }),
      })),
      milliseconds: rounded(call.milliseconds),
      result,
    };
  },
};
