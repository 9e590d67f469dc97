// What the mesh needs of the tailnet's policy: a pure function from clouds to tags, approved routes, grants and tests.
import { AGENT_PORTS, routerTag, TAILNET } from "../../well-known";
import type { ObservabilityPart } from "../part";
import { destinations, tailnetPorts, tcpRules, telemetryPolicy } from "./telemetry-policy";

/** A cloud as far as the tailnet's policy knows it. */
export interface TailnetCloud {
  readonly name: string;
  /** Ranges of its pods and Services in CIDR notation. */
  readonly podCidr: string;
  readonly serviceCidr: string;
}

/** What decides the policy. */
export interface PolicyArgs {
  readonly clouds: readonly TailnetCloud[];
  /** Users, groups and tags who may call the agents. */
  readonly callers: readonly string[];
  /** Whether agents answer under a common name. */
  readonly global: boolean;
  /** By cloud, its part in observability. Default: there is none. */
  readonly parts?: ReadonlyMap<string, ObservabilityPart>;
}

/** Who may send what to whom. `ip` has entries `protocol:port` (https://tailscale.com/docs/reference/syntax/grants). */
export interface Grant {
  readonly src: readonly string[];
  readonly dst: readonly string[];
  readonly ip: readonly string[];
}

/** What Tailscale checks before it takes a policy: destinations are `selector:port`. */
export interface PolicyTest {
  readonly src: string;
  readonly proto: "tcp";
  readonly accept?: readonly string[];
  readonly deny?: readonly string[];
}

/** The sections that the mesh needs (https://tailscale.com/docs/reference/syntax/policy-file). */
export interface TailnetPolicy {
  readonly tagOwners: Readonly<Record<string, readonly string[]>>;
  readonly autoApprovers: {
    /** By range: who may route it without being asked. */
    readonly routes: Readonly<Record<string, readonly string[]>>;
    /** By name of a Tailscale Service: who may answer under it. */
    readonly services: Readonly<Record<string, readonly string[]>>;
  };
  readonly grants: readonly Grant[];
  readonly tests: readonly PolicyTest[];
}

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
 * too, and also at the addresses behind the subnet routers. What shows the mesh has a part of its own. Everything else is denied, as a policy
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
