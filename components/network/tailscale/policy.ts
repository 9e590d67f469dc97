// What the mesh needs of the tailnet's policy: a pure function from clouds to tags, approved routes, grants and tests.
import { AGENT_PORTS, routerTag, TAILNET } from "../../well-known";
import { destinations, tailnetPorts, tcpRules, telemetryPolicy } from "./telemetry-policy";
import { PolicyArgs, PolicyTest, TailnetPolicy } from "./policy-syntax";

/**
 * Administrators give out the mesh's tags. An OAuth client that runs the program has to have the tags itself, or a tag that owns them.
 */
const OWNERS = ["autogroup:admin"];

/** Ports that listen in an agent's pod and are none of the tailnet's business, and what is open on many machines. */
const CLOSED = [22, AGENT_PORTS.health, AGENT_PORTS.metrics, TAILNET.proxyPort, TAILNET.healthPort] as const;

/** Port that subnet routers must not answer at for agents: any will do, and this one is there. */
const ROUTER_PORT = TAILNET.healthPort;

/**
 * The mesh's part of the policy. Agents reach agents, by name, at the ports that the table of flows has for other clouds. `callers` do so,
 * too, and also at the addresses behind the subnet routers. Observability has a part of its own. Everything else is denied, as a policy
 * does by itself.
 */
export function tailnetPolicy({ clouds, callers, global, parts }: PolicyArgs): TailnetPolicy {
  const ports = tailnetPorts("agents", undefined);
  const ip = tcpRules(ports);
  const agents = [TAILNET.agentTag];
  const everybody = [...agents, ...callers];
  const telemetry = telemetryPolicy({ clouds, parts });
  const tags = [...agents, ...telemetry.tags, ...clouds.map(({ name }) => routerTag(name))];
  const routes = clouds.flatMap(({ name, podCidr, serviceCidr }) =>
    [podCidr, serviceCidr].map((cidr) => [cidr, [routerTag(name)]] as const),
  );
  return {
    tagOwners: Object.fromEntries(tags.map((tag) => [tag, OWNERS])),
    autoApprovers: {
      routes: Object.fromEntries(routes),
      services: global ? { [TAILNET.globalService]: agents } : {},
    },
    grants: [
      { src: everybody, dst: agents, ip },
      ...(global ? [{ src: everybody, dst: [TAILNET.globalService], ip }] : []),
      ...(callers.length > 0 ? [{ src: callers, dst: routes.map(([cidr]) => cidr), ip }] : []),
      ...telemetry.grants,
    ],
    tests: [
      {
        src: TAILNET.agentTag,
        proto: "tcp",
        accept: destinations(TAILNET.agentTag, ports),
        deny: [
          ...destinations(TAILNET.agentTag, CLOSED),
          ...clouds.flatMap(({ name }) => destinations(routerTag(name), [ROUTER_PORT])),
        ],
      },
      ...clouds.map(({ name }): PolicyTest => ({
        src: routerTag(name),
        proto: "tcp",
        deny: destinations(TAILNET.agentTag, ports),
      })),
      ...telemetry.tests,
    ],
  };
}

/** The policy as the text of a whole policy file. */
export function renderPolicy(policy: TailnetPolicy): string {
  return `// Written by agentweave-mesh, which replaces what is changed here by hand.\n${JSON.stringify(policy, null, 2)}\n`;
}
