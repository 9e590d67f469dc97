// relay: a chain of calls from agent to agent, whose answer names every hop.
import { z } from "zod";
import { agentName } from "./call-remote";
import { SkillFailed } from "../failures";
import { millisecondsSince } from "../mesh";
import { skill } from "./skill";

/** How many agents a relay may pass after the one it starts at. */
const HOP_LIMIT = 8;

const hopSchema = z.object({
  agent: z.string(),
  caller: z.string(),
  cloud: z.string(),
  region: z.string(),
  milliseconds: z.number(),
});
const answerSchema = z.object({ hops: z.array(hopSchema).min(1).max(HOP_LIMIT), result: z.unknown() });

/** What the rest of the chain answered, which must begin with the agent that was reached and name this one as caller. */
function hopsAfter(answer: unknown, agent: string, caller: string): z.infer<typeof answerSchema> {
  const { success, data } = answerSchema.safeParse(answer);
  if (!success) throw new SkillFailed(`${agent} answered a relay without hops`);
  const [first] = data.hops;
  if (first!.agent !== agent || first!.caller !== caller)
    throw new SkillFailed(`${agent} calls itself ${first!.agent}, called by ${first!.caller}`);
  return data;
}

/**
 * Cloud and region in an agent's id, `spiffe://<trust domain>/region/<cloud>-<region>/<role>`. Where the cloud ends, its name tells
 * (`<cloud>_<role>`), or else the answer; a name without dashes needs neither.
 */
function placeOf(id: string, name: string, result: unknown): { cloud: string; region: string } {
  const [, place = "", role = ""] = /^spiffe:\/\/[^/]+\/region\/([^/]+)\/([^/]+)$/.exec(id) ?? [];
  const told = z.object({ cloud: z.string() }).safeParse(result).data?.cloud;
  const named = name.replaceAll("_", "-");
  const candidates = [named.slice(0, -role.length - 1), told ?? "", place.split("-", 1)[0]!];
  const cloud = candidates.find((candidate) => candidate !== "" && place.startsWith(`${candidate}-`)) ?? "";
  return { cloud, region: cloud === "" ? "" : place.slice(cloud.length + 1) };
}

/** `{via, capability, params?}` → `{hops, result}`: this agent's hop first, then every other in the order of the calls. */
export const relay = skill({
  name: "relay",
  description: "Asks for a skill through a chain of agents, each of which calls the next",
  payload: z.strictObject({
    via: z.array(agentName).min(1).max(HOP_LIMIT),
    // A relay at the end of a relay would make the limit meaningless.
    capability: z
      .string()
      .min(1)
      .max(128)
      .refine((name) => name !== "relay", "a relay ends with another capability"),
    params: z.unknown().optional(),
  }),
  async run({ via, capability, params }, { mesh, call, settings: { cloud, region }, signal }) {
    const [next, ...rest] = via as [string, ...string[]];
    const started = performance.now();
    const last = rest.length === 0;
    const payload = last ? params : { via: rest, capability, ...(params !== undefined && { params }) };
    try {
      const answer = await mesh.ask(next, last ? capability : "relay", payload, call, signal);
      const { agent, milliseconds } = answer;
      const { hops, result } = last
        ? {
            hops: [{ agent, caller: call.own, ...placeOf(agent, next, answer.result), milliseconds }],
            result: answer.result,
          }
        : hopsAfter(answer.result, agent, call.own);
      const took = millisecondsSince(started);
      return {
        hops: [{ agent: call.own, caller: call.caller, cloud, region, milliseconds: took }, ...hops],
        result,
      };
    } catch (error) {
      // Each agent on the way back adds its leg, so that the caller reads the way to the hop that failed.
      throw error instanceof SkillFailed ? new SkillFailed(`via ${next}: ${error.message}`) : error;
    }
  },
});
