// Alerts on calls between agents, on what decides and carries them, and on whole clouds.
import { METRICS } from "../agent-metrics";
import type { AuthKeyLife } from "../../network/tailscale/keys";
import { JOBS, LABELS, RECORDED, SEVERITIES } from "./names";
import {
  type Alert,
  asPeer,
  atLeastThreeScrapes,
  cloudSilent,
  firing,
  jobSilent,
  MINUTE,
  rateWindow,
  type RulesArgs,
} from "./rule";

/** From when on calls are worth an alert: a matter of judgement, not of the configuration. */
export const CALL_LIMITS = {
  /** Share of decisions that deny, and how many they must be within the rate's window: a single one is no wave. */
  denials: 0.1,
  deniedAtLeast: 5,
  /** Share of tries at another cloud that fail. */
  errors: 0.1,
  /** Seconds: 95th percentile of a probe, which is a whole call without work. */
  probeSeconds: 1,
} as const;

const { cloud, peerCloud, job } = LABELS;
const RUNBOOK = "calls";
const LINK = `{{ $labels.${cloud} }} → {{ $labels.${peerCloud} }}`;
const CALLERS = `agents of {{ $labels.${cloud} }} to agents of {{ $labels.${peerCloud} }}`;

/** On calls, between clouds and within one. */
export function callAlerts(args: RulesArgs): Alert[] {
  const window = rateWindow(args);
  const forSeconds = atLeastThreeScrapes(10 * MINUTE, args);
  const policyDown = firing(["PolicyEngineDown"]);
  // Pairs with a cloud that no other reaches: neither way works. Agents without OPA refuse everybody.
  const cutOff = firing(["CloudUnreachable"], { seen_by: "agents" });
  const unlessCutOff = `unless on (${peerCloud}) ${asPeer(`(${cutOff} or ${policyDown})`)} unless on (${cloud}) ${cutOff}`;
  const denied = `sum by (${cloud}) (increase(${METRICS.decisions}{allow="false"}[${window}]))`;

  return [
    {
      alert: "DenialRateHigh",
      expr: `${RECORDED.cloudDenials} > ${CALL_LIMITS.denials} and on (${cloud}) ${denied} > ${CALL_LIMITS.deniedAtLeast} unless on (${cloud}) ${policyDown}`,
      forSeconds,
      severity: SEVERITIES.ticket,
      summary: `The policy of {{ $labels.${cloud} }} denies {{ $value | humanizePercentage }} of what it is asked`,
      description: `A caller asks for what it may not do, or the policy says less than it should. OPA that cannot be asked counts as a denial.`,
      runbook: RUNBOOK,
    },
    {
      alert: "CrossCloudErrorsHigh",
      expr: `${RECORDED.pairErrors} > ${CALL_LIMITS.errors} unless on (${cloud}, ${peerCloud}) ${firing(["LinkCut"])} ${unlessCutOff}`,
      forSeconds,
      severity: SEVERITIES.ticket,
      summary: `${LINK}: {{ $value | humanizePercentage }} of the calls fail`,
      description: `Tries of ${CALLERS} that were not answered, took too long, met somebody else, or were not made because the last ones failed. Calls to a role go on to the next cloud that has it.`,
      runbook: RUNBOOK,
    },
    {
      alert: "CrossCloudLatencyHigh",
      expr: `${RECORDED.pairProbeP95} > ${CALL_LIMITS.probeSeconds}`,
      forSeconds,
      severity: SEVERITIES.ticket,
      summary: `${LINK}: a call without work takes {{ $value | humanizeDuration }}`,
      description: `One in twenty probes of ${CALLERS} took longer than that.`,
      runbook: RUNBOOK,
    },
    {
      alert: "LinkCut",
      expr: `${RECORDED.pairReachable} == 0 ${unlessCutOff}`,
      forSeconds: atLeastThreeScrapes(7 * MINUTE, args),
      severity: SEVERITIES.ticket,
      summary: `${LINK}: no probe is answered`,
      description: `No probe of ${CALLERS} was answered the last time it was made. Calls to a role go on to the next cloud that has it; trust goes on for a third of the life of a CA.`,
      runbook: RUNBOOK,
    },
  ];
}

/** On what each cloud must have, and on whole clouds. */
export function cloudAlerts(args: RulesArgs): Alert[] {
  const forSeconds = atLeastThreeScrapes(5 * MINUTE, args);
  const onTailnet = args.networkMode === "tailscale";

  const ofClouds = args.clouds.flatMap(({ name }): Alert[] => [
    {
      alert: "CloudUnreachable",
      expr: cloudSilent(name),
      forSeconds,
      severity: SEVERITIES.page,
      labels: { [cloud]: name, seen_by: "prometheus" },
      summary: `Prometheus reaches nothing in ${name}`,
      description: `None of its pods answers, or none is known: its API server, the token for it, or the way to it is lost. Whether its agents work is told by the probes of the others.`,
      runbook: RUNBOOK,
    },
    {
      alert: "CloudUnreachable",
      // Agents without OPA refuse everybody.
      expr: `max(${RECORDED.pairReachable}{${cloud}!="${name}", ${peerCloud}="${name}"}) == 0 unless on () ${firing(["PolicyEngineDown"], { [cloud]: name })}`,
      forSeconds,
      severity: SEVERITIES.page,
      labels: { [cloud]: name, seen_by: "agents" },
      summary: `No other cloud reaches the agents of ${name}`,
      description: `The probes of all other clouds to ${name} fail: it is cut off, or its agents are down or refuse everybody.`,
      runbook: RUNBOOK,
    },
    {
      alert: "PolicyEngineDown",
      expr: jobSilent(name, JOBS.opa),
      forSeconds: atLeastThreeScrapes(3 * MINUTE, args),
      severity: SEVERITIES.page,
      labels: { [cloud]: name, [job]: JOBS.opa },
      summary: `No OPA of ${name} answers`,
      description: `Agents there deny every call while nobody decides.`,
      runbook: RUNBOOK,
    },
    ...(onTailnet
      ? [
          {
            alert: "SubnetRouterDown",
            expr: jobSilent(name, JOBS.subnetRouter),
            forSeconds,
            severity: SEVERITIES.ticket,
            labels: { [cloud]: name, [job]: JOBS.subnetRouter },
            summary: `No subnet router of ${name} answers`,
            description: `Nothing on the tailnet reaches the addresses of ${name}'s pods and Services. Agents have devices of their own and go on.`,
            runbook: RUNBOOK,
          },
        ]
      : []),
  ]);
  return args.authKeys === undefined ? ofClouds : [...ofClouds, authKeysEnd(args.authKeys)];
}

/** On auth keys, where half of the time has gone by in which an update would have made new ones. */
function authKeysEnd({ endSeconds, lifeSeconds }: AuthKeyLife): Alert {
  return {
    alert: "AuthKeysExpiring",
    expr: `vector(${endSeconds}) - time() < ${lifeSeconds / 4}`,
    // It goes by the clock alone.
    forSeconds: 5 * MINUTE,
    severity: SEVERITIES.ticket,
    summary: "The tailnet's auth keys are not renewed",
    description: `{{ if gt $value 0.0 }}They end in {{ $value | humanizeDuration }} at the earliest{{ else }}They may have ended{{ end }}: no pulumi up has made new ones in this half of their life. When they have ended no new device joins the tailnet; those that have joined stay.`,
    runbook: RUNBOOK,
  };
}
