// Who may call whom, by the policy that a plan brings. The rules are those of policies/authz.rego.
import { RULED_ACTIONS } from "../../../components/workloads/policy-data";
import type { Plan } from "../plan";
import { sorted, type Table } from "../table";

const ANY = "all but CreateTaskPushNotificationConfig and call_remote";

/** What the policy allows: by its own rules, and by what the configuration lists. */
export const callsTable = ({ config: { policy, clouds } }: Plan): Table => {
  const name = ({ cloud, role }: { cloud: string; role: string }) => `${cloud}/${role}`;
  const regions = clouds.map((cloud) => `${cloud.name}/${cloud.region}`).sort();
  return {
    key: "calls",
    title: "Who may call whom",
    head: ["from", "to", "what", "by"],
    rows: sorted([
      ["any agent", "any agent", "GetAgentCard, health_check, ping, status", "rule public-action"],
      ...regions.map((region) => [`agents in ${region}`, `agents in ${region}`, ANY, "rule same-region"]),
      ...clouds.map(({ trustDomain }) => [
        `operator of ${trustDomain}`,
        `agents of ${trustDomain}`,
        "all",
        "rule operator",
      ]),
      ...policy.calls.flatMap(({ from, to, actions }) => [
        [name(from), name(to), [...(actions ?? [ANY])].sort().join(", "), "policy.calls"],
        [
          name(from),
          name(to),
          `${RULED_ACTIONS[1]}, ${RULED_ACTIONS[2]} of its own tasks`,
          "rule task-owner",
        ],
      ]),
      ...policy.relays.map(({ from, to }) => [name(from), name(to), "relay", "policy.relays"]),
    ]),
    none: "nobody may call anybody",
  };
};
