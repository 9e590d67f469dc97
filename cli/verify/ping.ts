// A real call between two clouds' agents: the operator has the target's agent ping the source's, and checks who answered whom.
import { z } from "zod";
import { registryName } from "../../components/well-known";
import { answered, hungUp, pingAdvice, unreachable } from "../advice";
import { Denied, sendTask } from "../agent-client";
import { CliError, lineOf } from "../errors";
import { within } from "../limits";
import type { Member } from "../member";
import { usualAgent } from "../mesh-outputs";
import { type Check, type PairCheck, passed, skipped } from "../report";

// call_remote's result, with ping's inside (the agents' protocol).
const answerSchema = z.object({ result: z.object({ agent: z.string(), caller: z.string() }) });

/** @throws CliError unless the answer comes from `expected`, which saw `caller`. */
function checkIds(answer: unknown, expected: string, caller: string): void {
  const parsed = answerSchema.safeParse(answer);
  if (!parsed.success) throw new CliError("the agent's answer to call_remote has no ids in it");
  const { agent, caller: seen } = parsed.data.result;
  if (agent !== expected) throw new CliError(`the ping was answered by ${agent} instead of ${expected}`);
  if (seen !== caller) throw new CliError(`${agent} was called by ${seen} instead of ${caller}`);
}

/** A ping, and what it tells of the link from the target to the source; nothing, when it did not come to that. */
export interface Ping {
  readonly check: Check<PairCheck>;
  readonly link?: "up" | "cut";
}

/** What a failed ping tells of the link: a peer that refuses has been reached, one of which nothing came has not. */
function linkAfter(error: unknown): Ping["link"] {
  if (error instanceof Denied) return error.by === "peer" ? "up" : undefined;
  const words = lineOf(error);
  if (answered.test(words)) return "up";
  if (hungUp.test(words)) return undefined;
  return unreachable.test(words) ? "cut" : undefined;
}

/** Pings the source's agent from the target's; it ends after `limitMs` milliseconds. */
export async function verifyPing(target: Member, source: Member, limitMs: number): Promise<Ping> {
  const { cloud, cluster, operator } = target;
  const agent = usualAgent(cloud);
  const peer = usualAgent(source.cloud);
  if (!agent || !peer)
    return { check: skipped("ping", `${(agent ? source.cloud : cloud).name} has no agent`) };
  const payload = { target_agent: registryName(source.cloud.name, peer.role), capability: "ping" };
  const started = performance.now();
  try {
    const what = `${cloud.name}/${agent.role}: a ping of ${source.cloud.name}/${peer.role}`;
    const answer = await within(limitMs, what, async (signal) =>
      sendTask(
        { cloud, cluster, identity: await operator() },
        agent,
        { skill: "call_remote", payload },
        signal,
      ),
    );
    checkIds(answer, peer.spiffeId, agent.spiffeId);
    return { check: passed("ping", `${Math.round(performance.now() - started)} ms`), link: "up" };
  } catch (error) {
    const next = pingAdvice([cloud, agent], error, [source.cloud, peer]);
    return {
      check: { check: "ping", status: "failed", detail: "no answer", cause: lineOf(error), next },
      link: linkAfter(error),
    };
  }
}
