// Settings that have no effect beside others: who wrote one wants something that would not come.
import type { ConfigDraft } from "../draft";
import { type Path, type Problem, valueAt } from "../problem";

/** A setting, whether others leave it without effect, and what is said of it then. */
type Rule = readonly [path: Path, idle: boolean, message: string];

/**
 * What is written of such settings, its default too. What is written for another `network.mode` is not looked at, nor that of observability where it is off
 * (`observability.enabled`): these are switched back and forth.
 */
export function withoutEffect(raw: unknown, draft: ConfigDraft): Problem[] {
  const rules = [...tailnetRules(draft), ...agentRules(draft), ...traceRules(draft), ...bundleRules(draft)];
  return rules.flatMap(([path, idle, message]) =>
    idle && [raw, draft].every((root) => valueAt(root, path) !== undefined)
      ? [{ path, message: `has no effect ${message}` }]
      : [],
  );
}

function bundleRules({ trust, clouds = {} }: ConfigDraft): Rule[] {
  return Object.keys(clouds).map((name): Rule => [
    ["clouds", name, "spire", "bundleUrl"],
    trust?.endpoint === "server",
    "with trust.endpoint server; remove it, or write trust.endpoint: bucket",
  ]);
}

function tailnetRules({ network }: ConfigDraft): Rule[] {
  if (network?.mode !== "tailscale") return [];
  const { manageTailnet, keys, policy } = network.tailscale ?? {};
  const at = (...path: string[]) => ["network", "tailscale", ...path];
  const unmanaged = "where the tailnet is not managed (manageTailnet: false); remove it";
  const own = "where the program makes keys itself; remove it, or write manageTailnet: false";
  return [
    ...["authKey", "routerAuthKey", "observabilityAuthKey"].map((key): Rule => [
      at(key),
      manageTailnet === true,
      own,
    ]),
    ...[at("keys", "kind"), at("keys", "expiryDays"), at("policy"), at("callers")].map((path): Rule => [
      path,
      manageTailnet === false,
      unmanaged,
    ]),
    [
      at("keys", "expiryDays"),
      manageTailnet === true && keys?.kind === "oauthClient",
      "on OAuth clients, which do not expire; remove it, or write keys.kind: authKey",
    ],
    [
      at("callers"),
      manageTailnet === true && policy === "leave",
      "where the program leaves the policy alone (policy: leave); remove it, or write policy: merge",
    ],
  ];
}

function agentRules({ agents, clouds = {} }: ConfigDraft): Rule[] {
  return [
    [
      ["agents", "replicas"],
      agents?.autoscaling !== undefined,
      "beside autoscaling, which sets the number of pods; remove it, or autoscaling",
    ],
    ...Object.entries(agents?.roles ?? {}).flatMap(([role, is]): Rule[] => [
      [
        ["agents", "roles", role, "replicas"],
        agents?.autoscaling !== undefined,
        "beside autoscaling, which sets the number of pods; remove it, or autoscaling",
      ],
      [
        ["agents", "roles", role, "protocol"],
        is?.image === undefined,
        "on the reference agent, which speaks agentweave; remove it, or write an image",
      ],
    ]),
    [
      ["agents", "routing"],
      agents?.image === undefined &&
        Object.values(agents?.roles ?? {}).every((is) => is?.sidecar !== "none") &&
        agents?.routing === "latency",
      "where every agent calls through Envoy, which goes by order; remove it",
    ],
    ...Object.keys(clouds).map((name): Rule => [
      ["clouds", name, "addonVersions", "metrics-server"],
      agents !== undefined && !("autoscaling" in agents),
      "without agents.autoscaling, for which alone the add-on is made; remove it",
    ]),
  ];
}

function traceRules({ observability: { enabled, traces } = {} }: ConfigDraft): Rule[] {
  return [
    [
      ["observability", "traces", "sampling", "slowerThan"],
      enabled === true && traces?.sampling?.mode === "head",
      "with mode head, which does not know how long a trace takes; remove it, or write mode: tail",
    ],
  ];
}
