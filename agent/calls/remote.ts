// A capability run by another agent, as capabilities that call others need it: its result, or an error that says whose.
import type { AgentConfig } from "../config";
import type { Calls } from "./index";
import { listed } from "./registry";
import type { CallResult, Target } from "./target";

/** What another agent made of a capability. */
export interface RemoteResult {
  readonly call: CallResult;
  readonly result: unknown;
}

/** @throws CallFailed, the signal's reason, or an Error with the peer's own words when its task failed. */
export async function runRemote(
  calls: Calls,
  target: Target,
  capability: string,
  params: unknown,
  options: { readonly signal: AbortSignal; readonly fresh?: boolean | undefined },
): Promise<RemoteResult> {
  const call = await calls.call(target, { task_type: capability, payload: params }, options);
  const { state, error, result } = call.task;
  if (state !== "completed") {
    throw new Error(`${capability} ${state} at ${call.agent}${error ? `: ${error}` : ""}`);
  }
  return { call, result };
}

/**
 * The id that a call will reach, for the policy; "" when the registry has several agents or none of that name. Several endpoints of one id,
 * such as the pods of one role, are one agent.
 */
export function idOf(target: Target, config: AgentConfig): string {
  if (!("name" in target)) return target.spiffeId;
  const [id, ...others] = new Set(listed(config, target.name)?.map(({ spiffeId }) => spiffeId));
  return id !== undefined && others.length === 0 ? id : "";
}

/** Milliseconds as answers show them: a tenth is enough. */
export const rounded = (milliseconds: number) => Math.round(milliseconds * 10) / 10;
