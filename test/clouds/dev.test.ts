// Stack dev by the real engine, on clouds that echo.
import { PINNED } from "../../components/images";
import type { Properties } from "./properties";
import { refusal } from "./refusals";
import { EchoStack, MINUTES, stepsOf } from "./suite";

jest.setTimeout(5 * MINUTES);

let dev: EchoStack;
beforeAll(async () => {
  dev = await EchoStack.of("dev", ({ clouds }) => {
    clouds.gcp.project = "a-project-of-mine";
  });
});
afterAll(() => dev?.clouds.stop());

it("is stood up as it was previewed with unknowns, and nothing is to be changed then", async () => {
  const engine = await dev.engine();
  const first = await engine.preview();
  expect(dev.clouds.unknown.size).toBeGreaterThan(50);
  const made = await engine.up();
  expect(stepsOf(made)).toEqual(stepsOf(first));
  expect(Object.keys(made.changes)).toEqual(["create"]);
  dev.clouds.unknown.clear();
  const then = await engine.preview();
  expect([stepsOf(then), [...dev.clouds.unknown]]).toEqual([[], []]);
});

/**
 * What the engine would do, which the plan has to foretell.
 *
 * @param beyond names of what a plan does not see: what a cloud gives it anew. Default: of nothing.
 */
async function foreseen(change: (settings: Properties) => void, beyond = /(?!)/): Promise<string[]> {
  const steps = await dev.foreseen(change);
  const { steps: foretold, names } = await dev.foretold(change);
  const nameOf = (step: string) => step.slice(step.indexOf(" ") + 1);
  const seen = steps.filter((step) => names.has(nameOf(step)) && !beyond.test(nameOf(step)));
  expect(foretold.filter((step) => !beyond.test(nameOf(step)))).toEqual(seen);
  return steps;
}

test("another size of nodes makes these anew, or changes them where the cloud can, and nothing else", async () => {
  const steps = await foreseen(({ clouds }) => {
    clouds.aws.nodes.instanceType = "t3.large";
    clouds.gcp.nodes.machineType = "e2-standard-4";
    clouds.azure.nodes.vmSize = "Standard_D4s_v5";
  });
  expect(steps).toEqual(["replace aws-nodes-group", "replace azure-nodes", "update gcp-nodes"]);
});

const CLOUDS = ["aws", "azure", "gcp"];
const AGENTS = [
  ...["aws-agentweave-agent", "aws-agentweave-orchestrator", "azure-agentweave-agent"],
  ...["azure-agentweave-worker", "gcp-agentweave-agent", "gcp-agentweave-worker"],
];
const inAll = (...parts: string[]) => CLOUDS.flatMap((cloud) => parts.map((part) => `${cloud}-${part}`));

/** Names of what is to be changed in one way. */
const named = (steps: readonly string[], operation: string) =>
  steps.flatMap((step) => (step.startsWith(`${operation} `) ? [step.slice(operation.length + 1)] : []));
const unlike = (names: readonly string[], pattern: RegExp) => names.filter((name) => !pattern.test(name));

test("a new role is made, and made known to all agents and to what decides on their calls", async () => {
  const steps = await foreseen(({ clouds }) => clouds.gcp.roles.push("researcher"));
  const created = named(steps, "create");
  expect(unlike(created, /^gcp-agentweave-(tailnet-)?researcher\b/)).toEqual([]);
  const updated = [...AGENTS.flatMap((agent) => [agent, `${agent}-envoy`]), ...inAll("opa", "opa-files")];
  expect(named(steps, "update")).toEqual(updated.sort());
  expect(steps).toHaveLength(created.length + updated.length);
});

test("a new cloud is made, and the others learn whom to trust, to call and to watch", async () => {
  const steps = await foreseen(({ clouds }) => {
    const network = { vpcCidr: "10.40.0.0/16", serviceCidr: "10.41.0.0/16" };
    const own = { region: "us-west-2", clusterName: "agentweave-west", roles: ["agent"], network };
    clouds.west = { ...clouds.aws, ...own };
  });
  const created = named(steps, "create");
  expect(unlike(created, /^west\b/)).toEqual(inAll("trusts-west"));
  const observing = [
    ...["grafana-dashboards", "metrics-prometheus", "metrics-prometheus-config", "metrics-prometheus-rules"],
    ...["metrics-token-renewer", "metrics-token-renewer-config", "metrics-token-renewer-role"],
    ...["trace-store", "trace-store-config", "jaeger-entry"],
  ];
  const updated = [
    ...AGENTS.flatMap((agent) => [agent, `${agent}-entry`, `${agent}-envoy`]),
    ...inAll("opa", "opa-files", "otel-collector-entry"),
    ...inAll("trust-exporter", "trust-exporter-config", "trust-exporter-entry"),
    ...observing.map((part) => `aws-${part}`),
    "network-tailnet-policy",
  ];
  expect(named(steps, "update")).toEqual(updated.sort());
  expect(steps).toHaveLength(created.length + updated.length);
});

test("tunnels in place of the tailnet leave clusters, nodes and servers as they are", async () => {
  // Their bundle endpoints get other addresses.
  const steps = await foreseen(
    (settings) => (settings["network"] = { mode: "vpn" }),
    /-trusts-|-trust-exporter(-config)?$/,
  );
  const [created, updated, replaced, deleted] = ["create", "update", "replace", "delete"].map((operation) =>
    named(steps, operation),
  );
  // Pods with a device of the tailnet are of a StatefulSet, others of a Deployment.
  const pods = /^\w+-agentweave-\w+$/;
  expect(unlike(unlike(created!, pods), /^(network-vpn|(\w+-)?names|\w+-vpn)\b/)).toEqual([]);
  expect(
    unlike(
      unlike(deleted!, pods),
      /^(network-tailnet|\w+-(subnet-routers|\w+-key$)|.*-(tailnet|tailscale))\b/,
    ),
  ).toEqual([]);
  expect(replaced).toEqual(
    [
      ...AGENTS.map((agent) => `${agent}-service`),
      ...inAll("spire-server-federation"),
      "aws-trace-store-intake",
    ].sort(),
  );
  expect(
    unlike(
      updated!,
      /^\w+-(trusts-\w+|\S+-network-\S+|agentweave-\w+-envoy|(trust-exporter|collector)(-config)?|trace-store|grafana-dashboards|metrics-prometheus-(config|rules))$/,
    ),
  ).toEqual([]);
});

test("SPIRE goes on by one minor version: servers and agents are changed, and nothing else", async () => {
  const [, major, minor] = /:(\d+)\.(\d+)\./.exec(PINNED.spireServer.reference)!;
  const version = `${major}.${Number(minor) + 1}.0`;
  const at = (name: string) => `ghcr.io/spiffe/${name}:${version}`;
  const steps = await foreseen((settings) => {
    settings["images"] = { overrides: { spireServer: at("spire-server"), spireAgent: at("spire-agent") } };
  });
  expect(steps).toEqual(inAll("spire-agent", "spire-server").map((name) => `update ${name}`));
});

test.each([
  ["aws-spire-csi-driver", /while there is kubernetes:apps\/v1:\w+ aws-\S+: its pods would hang/],
  ["gcp-spire-server", /while there is kubernetes:apps\/v1:DaemonSet gcp-spire-csi-driver/],
  ["azure-nodes", /nobody would stop them/],
  ["aws-control-plane-eksCluster", /its API could not be asked/],
  ["aws-network-igw", /mapped public addresses/],
  ["gcp-network-subnet", /which uses it/],
  ["azure-group", /the group has resources/],
])("%s cannot be deleted while all is there", (name, why) => {
  const there = [...dev.clouds.made.values()];
  const refusals = there.flatMap((made) => (made.name === name ? [refusal(made, there)] : []));
  expect(refusals).toContainEqual(expect.stringMatching(why));
});

it("is destroyed in an order that no cloud refuses", async () => {
  expect(dev.unordered()).toEqual([]);
  await (await dev.engine()).destroy();
  // The setting of a tailnet for everybody in it stays.
  expect([...dev.clouds.made.values()].map(({ name }) => name)).toEqual(["network-tailnet-dns"]);
});
