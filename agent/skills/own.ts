// The skills that an agent needs no other agent for.
import { skill } from "./skill";

/** → `{pong, agent, caller, cloud, region, role, time}`. */
export const ping = skill({
  name: "ping",
  description: "Answers with the verified identities of both sides",
  run: (_payload, { settings: { cloud, region, role }, call: { own, caller } }) => ({
    pong: true,
    agent: own,
    caller,
    cloud,
    region,
    role,
    time: new Date().toISOString(),
  }),
});

/** → `{healthy, agent, caller}`. Who is answered has shown that identity and policy work. */
export const healthCheck = skill({
  name: "health_check",
  description: "Whether the agent can be called",
  run: (_payload, { call: { own, caller } }) => ({ healthy: true, agent: own, caller }),
});

/** → what the agent is, for how long, and the caller's tasks by state. */
export const status = skill({
  name: "status",
  description: "Name, place and uptime of the agent, and the caller's own tasks",
  run: (_payload, { settings: { name, cloud, region, role }, call, uptime, tasks }) => ({
    agent: call.own,
    caller: call.caller,
    name,
    cloud,
    region,
    role,
    uptime_seconds: Math.round(uptime()),
    tasks: tasks(),
  }),
});

/** → `{echo: <payload>, agent, caller}`. The least a skill can be, and an example of how one is added. */
export const echo = skill({
  name: "echo",
  description: "Answers with what it was sent",
  run: (payload, { call: { own, caller } }) => ({ echo: payload ?? null, agent: own, caller }),
});
