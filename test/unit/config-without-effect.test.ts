// Settings that others leave without effect: refused where they are so, and taken where they are not.
import { parseConfig } from "../../infra/config";
import { problemsOf } from "../support/problems";

const aws = { provider: "aws", nodes: { checkCapacity: false } };
const TAILNET = { tailnet: "tail1a2b3c.ts.net" };
const GIVEN = { manageTailnet: false, authKey: "tskey-hidden" };
const tailnet = (settings: object) => ({ network: { tailscale: { ...TAILNET, ...settings } } });
const agents = { autoscaling: { minReplicas: 2, maxReplicas: 4 } };
const image = "registry.example.org/worker:1.0.0";
const worker = (role: object, more: object = {}) => ({
  clouds: { aws: { ...aws, roles: ["worker"] } },
  agents: { ...more, roles: { worker: role } },
});
const sampling = (settings: object) => ({ observability: { traces: { sampling: settings } } });
const pinned = { clouds: { aws: { ...aws, addonVersions: { "metrics-server": "v0.8.0-eksbuild.1" } } } };

const problems = (settings: object) =>
  problemsOf(() =>
    parseConfig({ clouds: { aws }, ...tailnet({}), ...settings }, { stack: "test", projectDir: "/srv" }),
  );

test.each<[path: string, idle: object, instead: string, taken: object]>([
  [
    "network.tailscale.keys.expiryDays",
    tailnet({ keys: { expiryDays: 30 } }),
    "write keys.kind: authKey",
    tailnet({ keys: { kind: "authKey", expiryDays: 30 } }),
  ],
  ...["authKey", "routerAuthKey", "observabilityAuthKey"].map((key): [string, object, string, object] => [
    `network.tailscale.${key}`,
    tailnet({ [key]: "tskey-hidden" }),
    "write manageTailnet: false",
    tailnet({ ...GIVEN, [key]: "tskey-hidden" }),
  ]),
  ...Object.entries({ keys: { kind: "authKey" }, policy: "merge", callers: ["group:ops"] }).map(
    ([key, value]): [string, object, string, object] => [
      key === "keys" ? "network.tailscale.keys.kind" : `network.tailscale.${key}`,
      tailnet({ ...GIVEN, [key]: value }),
      "remove it",
      tailnet({ [key]: value }),
    ],
  ),
  [
    "network.tailscale.callers",
    tailnet({ policy: "leave", callers: ["group:ops"] }),
    "write policy: merge",
    tailnet({ policy: "merge", callers: ["group:ops"] }),
  ],
  ["agents.replicas", { agents: { ...agents, replicas: 2 } }, "or autoscaling", { agents: { replicas: 2 } }],
  [
    "agents.roles.worker.replicas",
    worker({ replicas: 3 }, agents),
    "or autoscaling",
    worker({ replicas: 3 }),
  ],
  [
    "agents.roles.worker.protocol",
    worker({ protocol: "a2a" }),
    "or write an image",
    worker({ protocol: "a2a", image }),
  ],
  [
    "agents.routing",
    worker({ image }, { routing: "latency" }),
    "remove it",
    worker({ image, sidecar: "none" }, { routing: "latency" }),
  ],
  [
    "agents.routing",
    { agents: { routing: "latency" } },
    "remove it",
    { agents: { routing: "latency", image } },
  ],
  ["clouds.aws.addonVersions.metrics-server", pinned, "remove it", { ...pinned, agents }],
  [
    "observability.traces.sampling.slowerThan",
    sampling({ slowerThan: "2s" }),
    "write mode: tail",
    sampling({ mode: "tail", slowerThan: "2s" }),
  ],
])("%s is refused without effect, and taken with one: %j", (path, idle, instead, taken) => {
  const found = problems(idle);
  expect(found).toHaveLength(1);
  expect(found[0]!.startsWith(`${path}: has no effect `)).toBe(true);
  expect(found[0]).toContain(instead);
  expect(found[0]).not.toContain("hidden");
  expect(problems(taken)).toEqual([]);
});

test("what is not written, and what is of another mode or of no observability, is no mistake", () => {
  const { network } = tailnet({ keys: { expiryDays: 30 }, authKey: "tskey-hidden" });
  expect(problems({ network: { ...network, mode: "direct" } })).toEqual([]);
  const { observability } = sampling({ slowerThan: "2s" });
  expect(problems({ observability: { ...observability, enabled: false } })).toEqual([]);
});
