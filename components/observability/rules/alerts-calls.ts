// Alerts on calls between agents, on what decides and carries them, and on whole clouds.
import type { AuthKeyLife } from "../../network/tailscale/keys";
import { ENVOY_METRICS, type RequestOutcome } from "../../envoy/metrics";
import { JOBS, LABELS, RECORDED, select, SEVERITIES } from "./names";
import {
  type Alert,
  asPeer,
  atLeastThreeScrapes,
  cloudSilent,
  firing,
  jobSilent,
  MINUTE,
  rateSeconds,
  rateWindow,
  type RulesArgs,
} from "./rule";

/** From when on calls are worth an alert: a matter of judgement, not of the configuration. */
export const CALL_LIMITS = {
  /** Share of requests that are denied, and how many they must be within the rate's window: a single one is no wave. */
  denials: 0.1,
  deniedAtLeast: 5,
  /** Share of attempts at another cloud that fail. */
  errors: 0.1,
  /** Share of requests of which the policy could not be asked. */
  undecided: 0.1,
  /** Seconds: 95th percentile of the time that a connection takes to open. */
  connectSeconds: 1,
} as const;

const { cloud, peerCloud, role, job } = LABELS;
const RUNBOOK = "calls";
const LINK = `{{ $labels.${cloud} }} → {{ $labels.${peerCloud} }}`;
const counted = (outcome: RequestOutcome) => select(ENVOY_METRICS.requests, { outcome });
const CALLERS = `agents of {{ $labels.${cloud} }} to agents of {{ $labels.${peerCloud} }}`;

/** On calls, between clouds and within one. */
export function callAlerts(args: RulesArgs): Alert[] {
  const window = rateWindow(args);
  const forSeconds = atLeastThreeScrapes(10 * MINUTE, args);
  // Beyond the window of a rate, so that one request that is seen for as long is not told.
  const goesOn = Math.max(atLeastThreeScrapes(7 * MINUTE, args), rateSeconds(args) + 2 * MINUTE);
  // Pairs with a cloud that no other reaches: neither way works.
  const cutOff = firing(["CloudUnreachable"], { seen_by: "agents" });
  const unlessCutOff = `unless on (${peerCloud}) ${asPeer(cutOff)} unless on (${cloud}) ${cutOff}`;
  const denied = `sum by (${cloud}) (increase(${counted("denied")}[${window}]))`;
  const undecided = `sum by (${cloud}) (rate(${counted("undecided")}[${window}]))`;

  return [
    {
      alert: "DenialRateHigh",
      expr: `${RECORDED.cloudDenials} > ${CALL_LIMITS.denials} and on (${cloud}) ${denied} > ${CALL_LIMITS.deniedAtLeast}`,
      forSeconds,
      severity: SEVERITIES.ticket,
      summary: `The policy of {{ $labels.${cloud} }} denies {{ $value | humanizePercentage }} of what it is asked`,
      description: `A caller asks for what it may not do, or the policy says less than it should.`,
      runbook: RUNBOOK,
    },
    {
      alert: "PolicyUndecided",
      expr: `${undecided} / ${RECORDED.cloudRequests} > ${CALL_LIMITS.undecided} unless on (${cloud}) ${firing(["PolicyEngineDown"])}`,
      forSeconds: goesOn,
      severity: SEVERITIES.page,
      summary: `{{ $labels.${cloud} }} cannot decide on {{ $value | humanizePercentage }} of what its agents are asked`,
      description: `Their Envoys get no answer from OPA, or none that they can read, and let nobody pass. Callers of a role go on to the next cloud that has it.`,
      runbook: RUNBOOK,
    },
    {
      alert: "CallersLimited",
      expr: `sum by (${cloud}, ${role}) (rate(${counted("limited")}[${window}])) > 0`,
      forSeconds: goesOn,
      severity: SEVERITIES.ticket,
      summary: `{{ $labels.${role} }} of {{ $labels.${cloud} }} turns requests away`,
      description: `{{ $value | humanize }} requests a second are more than a caller may make, or than the program, or its Envoy, takes at a time.`,
      runbook: RUNBOOK,
    },
    {
      alert: "CrossCloudErrorsHigh",
      expr: `${RECORDED.pairErrors} > ${CALL_LIMITS.errors} unless on (${cloud}, ${peerCloud}) ${firing(["LinkCut"])} ${unlessCutOff}`,
      forSeconds,
      severity: SEVERITIES.ticket,
      summary: `${LINK}: {{ $value | humanizePercentage }} of the calls fail`,
      description: `Attempts of ${CALLERS} that were not answered, took too long, or met somebody else. Calls to a role go on to the next cloud that has it.`,
      runbook: RUNBOOK,
    },
    {
      alert: "CrossCloudLatencyHigh",
      expr: `${RECORDED.pairConnectP95} > ${CALL_LIMITS.connectSeconds}`,
      forSeconds,
      severity: SEVERITIES.ticket,
      summary: `${LINK}: a connection takes {{ $value | humanizeDuration }} to open`,
      description: `One in twenty connections of ${CALLERS} took longer than that, with the handshake of TLS.`,
      runbook: RUNBOOK,
    },
    {
      alert: "LinkCut",
      expr: `${RECORDED.pairReachable} == 0 ${unlessCutOff}`,
      forSeconds: atLeastThreeScrapes(7 * MINUTE, args),
      severity: SEVERITIES.ticket,
      summary: `${LINK}: no health check is answered`,
      description: `No health check of ${CALLERS} is answered well. Calls to a role go on to the next cloud that has it; trust goes on for a third of the life of a CA.`,
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
      description: `None of its pods answers, or none is known: its API server, the token for it, or the way to it is lost. Whether its agents work is told by the health checks of the others.`,
      runbook: RUNBOOK,
    },
    {
      alert: "CloudUnreachable",
      expr: `max(${RECORDED.pairReachable}{${cloud}!="${name}", ${peerCloud}="${name}"}) == 0`,
      forSeconds,
      severity: SEVERITIES.page,
      labels: { [cloud]: name, seen_by: "agents" },
      summary: `No other cloud reaches the agents of ${name}`,
      description: `The health checks of all other clouds to ${name} fail: it is cut off, or its agents are down or trust nobody.`,
      runbook: RUNBOOK,
    },
    {
      alert: "PolicyEngineDown",
      expr: jobSilent(name, JOBS.opa),
      forSeconds: atLeastThreeScrapes(3 * MINUTE, args),
      severity: SEVERITIES.page,
      labels: { [cloud]: name, [job]: JOBS.opa },
      summary: `No OPA of ${name} answers`,
      description: `Agents there answer no call while nobody decides.`,
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
