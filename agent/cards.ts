// The two cards by which an agent says who it is and what it can do: A2A's and AgentWeave's.
import { AgentCard } from "@a2a-js/sdk";
import { parseSpiffeId } from "../spiffe/spiffe-id";
import type { Settings } from "./settings";
import { skills } from "./skills";

// A name with at most a port: what a caller's own Envoy leads to.
const PLAIN_HOST = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$/;

/**
 * A2A's card.
 * @param host where it was asked for. Callers go on at the address in the card: asked by the name of a role, the card leads to any agent of the role.
 */
export function a2aCard({ name, description, url }: Settings, host = ""): AgentCard {
  return AgentCard.fromJSON({
    name,
    description,
    version: "1.0.0",
    supportedInterfaces: [
      {
        url: PLAIN_HOST.test(host) ? `http://${host}/` : url,
        protocolBinding: "JSONRPC",
        protocolVersion: "1.0",
      },
    ],
    capabilities: { streaming: true, pushNotifications: false },
    defaultInputModes: ["application/json", "text/plain"],
    defaultOutputModes: ["application/json"],
    skills: [...skills.values()].map(({ name, description }) => ({
      id: name,
      name,
      description,
      tags: ["mesh"],
    })),
  });
}

/** AgentWeave's card, for an agent that has this SPIFFE id. */
export function agentWeaveCard({ name, description, url, cloud, region, role }: Settings, spiffeId: string) {
  return {
    name,
    description,
    url,
    protocol: "a2a",
    spiffe_id: spiffeId,
    trust_domain: parseSpiffeId(spiffeId)?.trustDomain,
    metadata: { name, cloud, region, role },
    capabilities: [...skills.values()].map(({ name, description }) => ({ name, description })),
  };
}
