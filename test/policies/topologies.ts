// The mesh of the tutorial for tests of the policy, and what its members are called.
import {
  defaultCalls,
  defaultRelays,
  type PolicyMember,
  type PolicyTopology,
} from "../../components/workloads/policy-data";
import { agentSpiffeId, operatorSpiffeId } from "../../spiffe/spiffe-id";

const MEMBERS: readonly PolicyMember[] = [
  {
    cloud: "aws",
    region: "us-east-1",
    trustDomain: "aws.example.org",
    roles: ["agent", "orchestrator"],
  },
  { cloud: "gcp", region: "us-central1", trustDomain: "gcp.example.org", roles: ["agent", "worker"] },
  { cloud: "azure", region: "eastus", trustDomain: "azure.example.org", roles: ["agent", "worker"] },
];

export const MESH: PolicyTopology = {
  members: MEMBERS,
  calls: defaultCalls(MEMBERS),
  relays: defaultRelays(MEMBERS),
};

/** SPIFFE ids of all agents of a mesh. */
export function agentIds({ members }: PolicyTopology): string[] {
  return members.flatMap(({ cloud, region, trustDomain, roles }) =>
    roles.map((role) => agentSpiffeId(trustDomain, cloud, region, role)),
  );
}

/** SPIFFE ids of all operators of a mesh. */
export function operatorIds({ members }: PolicyTopology): string[] {
  return [...new Set(members.map(({ trustDomain }) => operatorSpiffeId(trustDomain)))];
}
