// The checks of one cloud by itself: its SPIRE server is healthy, its agents are ready, its OPA decides, it is on the tailnet.
import { agentAdvice, pingAdvice, serverAdvice } from "../advice";
import { sendTask } from "../agent-client";
import { CliError, lineOf } from "../errors";
import { eachOf, within } from "../limits";
import type { Member } from "../member";
import { type MeshAgent, type MeshNetwork, usualAgent } from "../mesh-outputs";
import { type Check, type CloudCheck, type CloudReport, passed } from "../report";
import { checkTailnet } from "./network";

const failed = (check: CloudCheck, detail: string, error: unknown, next: string): Check<CloudCheck> => ({
  check,
  status: "failed",
  detail,
  cause: lineOf(error),
  next,
});

const NO_AGENTS = "the outputs of the stack name no agent here; `pulumi up` makes them";

async function checkServer({ cloud, server }: Member, limitMs: number): Promise<Check<CloudCheck>> {
  try {
    await within(limitMs, `${cloud.name}: spire-server healthcheck`, () => server.healthcheck());
    return passed("spire-server", cloud.serverCloud ? `healthy, in ${cloud.serverCloud.name}` : "healthy");
  } catch (error) {
    return failed("spire-server", "not healthy", error, serverAdvice(cloud.serverCloud ?? cloud, error));
  }
}

async function checkAgents({ cloud, cluster }: Member, limitMs: number): Promise<Check<CloudCheck>> {
  if (cloud.agents.length === 0) return { check: "agents", status: "failed", detail: NO_AGENTS };
  const ready = async (agent: MeshAgent) => {
    const { namespace, role, workload } = agent;
    const { kind, name } = workload;
    const found = await within(limitMs, `${cloud.name}: reading ${namespace}/${name}`, () =>
      cluster.workload(kind, namespace, name),
    );
    if (found && found.ready >= found.desired && found.desired > 0)
      return `${role} ${found.ready}/${found.desired}`;
    const count = found ? `${found.ready} of ${found.desired} pods are ready` : `there is no such ${kind}`;
    throw Object.assign(new CliError(`${cloud.name}: ${namespace}/${name}: ${count}`), { agent });
  };
  try {
    return passed("agents", (await Promise.all(cloud.agents.map(ready))).join(", "));
  } catch (error) {
    const { agent } = error as { agent?: MeshAgent };
    const next = agent ? agentAdvice(cloud, agent) : serverAdvice(cloud, error);
    return failed("agents", "not ready", error, next);
  }
}

async function checkPolicy(
  { cloud, cluster, operator }: Member,
  limitMs: number,
): Promise<Check<CloudCheck>> {
  const agent = usualAgent(cloud);
  if (!agent) return { check: "policy", status: "failed", detail: NO_AGENTS };
  try {
    await within(limitMs, `a ping of ${cloud.name}/${agent.role} as the operator`, async (signal) =>
      sendTask({ cloud, cluster, identity: await operator() }, agent, { skill: "ping" }, signal),
    );
    return passed("policy", "decides");
  } catch (error) {
    return failed("policy", "no decision", error, pingAdvice([cloud, agent], error));
  }
}

/** Checks every cloud; each check ends after `limitMs` milliseconds. */
export async function verifyClouds(
  members: readonly Member[],
  network: MeshNetwork | undefined,
  limitMs: number,
): Promise<CloudReport[]> {
  return eachOf(members, async (member) => ({
    cloud: member.cloud.name,
    checks: await Promise.all([
      checkServer(member, limitMs),
      checkAgents(member, limitMs),
      checkPolicy(member, limitMs),
      ...(network?.mode === "tailscale" ? [checkTailnet(member, limitMs)] : []),
    ]),
  }));
}
