// relay: a chain of calls from agent to agent, each leg a call of its own, whose answer names every hop.
import { z } from "zod";
import type { Target } from "../calls";
import { parsePayload } from "./payload";
import { placeOf } from "../calls/registry";
import { idOf, rounded, runRemote } from "../calls/remote";
import type { Capability } from "./capability";

/** How many agents a relay may pass after the one it starts at. */
export const HOP_LIMIT = 8;

const stopSchema = z.union([
  z.string().min(1),
  z.strictObject({ spiffe_id: z.string().startsWith("spiffe://"), address: z.string().min(1) }),
]);
type Stop = z.infer<typeof stopSchema>;

const payloadSchema = z.strictObject({
  via: z.array(stopSchema).min(1).max(HOP_LIMIT),
  // A relay at the end of a relay would make the limit meaningless.
  capability: z
    .string()
    .min(1)
    .refine((name) => name !== "relay", "a relay ends with another capability"),
  params: z.unknown().optional(),
  // Whether each leg opens a connection of its own.
  fresh: z.boolean().optional(),
});

const hopSchema = z.object({
  agent: z.string(),
  caller: z.string(),
  cloud: z.string(),
  region: z.string(),
  milliseconds: z.number(),
});
const answerSchema = z.object({ hops: z.array(hopSchema).min(1), result: z.unknown() });

/** One agent that a relay passed: its own verified id, and that of its caller as it verified it. */
export type Hop = z.infer<typeof hopSchema>;

const targetOf = (stop: Stop): Target =>
  typeof stop === "string" ? { name: stop } : { spiffeId: stop.spiffe_id, address: stop.address };

const nameOf = (stop: Stop) => (typeof stop === "string" ? stop : stop.spiffe_id);

/** What the rest of the chain answered, which must begin with the agent that was reached and name this one as caller. */
function hopsAfter(answer: unknown, agent: string, caller: string): z.infer<typeof answerSchema> {
  const { success, data } = answerSchema.safeParse(answer);
  if (!success) throw new Error(`${agent} answered a relay without hops`);
  const [first] = data.hops;
  if (first!.agent !== agent || first!.caller !== caller) {
    throw new Error(`${agent} calls itself ${first!.agent}, called by ${first!.caller}`);
  }
  return data;
}

/** `{via, capability, params?, fresh?}` → `{hops, result}`: this agent's hop first, then every other in the order of the calls. */
export const relay: Capability = {
  name: "relay",
  description: "Calls a capability through a chain of agents, each of which calls the next",

  policyContext(payload, config) {
    const { via, capability } = parsePayload(payloadSchema, payload);
    return { via: via.map(nameOf), capability, next: idOf(targetOf(via[0]!), config) };
  },

  async run(payload, { calls, caller, config, identity, signal }) {
    const { via, capability, params, fresh } = parsePayload(payloadSchema, payload);
    const options = { signal, fresh };
    const [next, ...rest] = via as [Stop, ...Stop[]];
    const self = identity.spiffeId;
    const started = performance.now();
    const own = () => ({
      agent: self,
      caller,
      cloud: config.metadata.cloud,
      region: config.metadata.region,
      milliseconds: rounded(performance.now() - started),
    });
    try {
      if (rest.length > 0) {
        const remainder = {
          via: rest,
          capability,
          ...(params === undefined ? {} : { params }),
          ...(fresh === undefined ? {} : { fresh }),
        };
        const { call, result } = await runRemote(calls, targetOf(next), "relay", remainder, options);
        const answer = hopsAfter(result, call.agent, self);
        return { hops: [own(), ...answer.hops], result: answer.result };
      }
      const { call, result } = await runRemote(calls, targetOf(next), capability, params, options);
      const endpoint =
        typeof next === "string"
          ? calls.resolve(next).find(({ spiffeId }) => spiffeId === call.agent)
          : undefined;
      const { cloud, region } = placeOf({ spiffeId: call.agent, cloud: endpoint?.cloud }) ?? {
        cloud: "",
        region: "",
      };
      const last: Hop = {
        agent: call.agent,
        caller: self,
        cloud,
        region,
        milliseconds: rounded(call.milliseconds),
      };
      return { hops: [own(), last], result };
    } catch (error) {
      // Each agent on the way back adds its leg, so that the caller reads the way to the hop that failed.
      throw new Error(`via ${nameOf(next)}: ${(error as Error).message}`, { cause: error });
    }
  },
};
