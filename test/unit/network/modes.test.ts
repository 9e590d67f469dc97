import { isDeepStrictEqual } from "node:util";
import { NETWORK_MODES, type NetworkMode } from "../../../components/network/mode";
import { planOf, type Planned } from "../../../infra/plan/plan";
import { selects } from "../../support/network-policy";

const CHANGES = NETWORK_MODES.flatMap((before) =>
  NETWORK_MODES.filter((after) => after !== before).map((after) => ({ before, after })),
);
const WORKLOADS = /^kubernetes:apps\/v1:/;

const plans = {} as Record<NetworkMode, readonly Planned[]>;
beforeAll(async () => {
  for (const mode of NETWORK_MODES) plans[mode] = (await planOf("dev", { mode })).resources;
});

/** What becomes of a running stack of mode `before` when its mode is changed to `after`. */
function difference(before: NetworkMode, after: NetworkMode) {
  const [old, now] = [before, after].map((mode) => new Map(plans[mode].map((r) => [r.urn, r]))) as [
    Map<string, Planned>,
    Map<string, Planned>,
  ];
  return {
    removed: [...old.values()].filter(({ urn }) => !now.has(urn)),
    added: [...now.values()].filter(({ urn }) => !old.has(urn)),
    changed: [...now.values()].filter(
      ({ urn, inputs }) => old.has(urn) && !isDeepStrictEqual(old.get(urn)!.inputs, inputs),
    ),
  };
}

const names = (resources: readonly Planned[]) => resources.map(({ type, name }) => `${type} ${name}`).sort();

describe.each(CHANGES)("a change from $before to $after", ({ before, after }) => {
  test("leaves every cluster as it is", () => {
    const { removed, changed } = difference(before, after);
    expect(names([...removed, ...changed].filter(({ layer }) => layer === "clouds"))).toEqual([]);
  });

  test("keeps every SPIRE server, agent and OPA running, and every identity", () => {
    const { removed, added, changed } = difference(before, after);
    const touched = [...removed, ...added, ...changed];
    const kept = touched.filter(
      ({ type, layer, name }) =>
        layer === "trust" ||
        /:RegistrationEntry$/.test(type) ||
        (WORKLOADS.test(type) && (layer === "spire" || name.endsWith("-opa"))),
    );
    expect(names(kept)).toEqual([]);
  });

  test("replaces agents only where they become devices of a tailnet, or cease to be", () => {
    const { removed, added } = difference(before, after);
    const agents = (resources: readonly Planned[]) =>
      names(resources.filter(({ type, layer }) => layer === "workloads" && WORKLOADS.test(type)));
    const replaced = [before, after].includes("tailscale");
    expect(agents(removed)).toHaveLength(replaced ? 6 : 0);
    expect(agents(added)).toHaveLength(replaced ? 6 : 0);
  });

  test("gives no object of a cluster to another resource, which would take it away with the first", () => {
    const { removed, added } = difference(before, after);
    const objects = (resources: readonly Planned[]) =>
      resources
        .filter(({ type }) => type.startsWith("kubernetes:"))
        .map(({ type, provider, inputs }) => {
          const { name, namespace } = (inputs as { metadata: { name: string; namespace?: string } }).metadata;
          return [provider, type, namespace, name].join(" ");
        });
    const left = new Set(objects(removed));
    expect(objects(added).filter((object) => left.has(object))).toEqual([]);
  });
});

test("each mode has a network of its own and none of another", () => {
  const network = (mode: NetworkMode) =>
    new Set(plans[mode].filter(({ layer }) => layer === "network").map(({ type }) => type));
  expect([...network("direct")]).toEqual([]);
  expect([...network("tailscale")].some((type) => /vpn/i.test(type))).toBe(false);
  expect([...network("vpn")].some((type) => /tailscale/i.test(type))).toBe(false);
});

test("load balancers that are made anew elsewhere leave before they come again under their names", () => {
  const services = (mode: NetworkMode) =>
    plans[mode].filter(({ type }) => type === "kubernetes:core/v1:Service");
  const internal = ({ inputs }: Planned) =>
    "agentweave.io/internal-load-balancer" in
    ((inputs as { metadata: { annotations?: object } }).metadata.annotations ?? {});
  // The bundle endpoint of each cloud, the Service of each role, and where traces arrive at home.
  expect(
    services("vpn")
      .filter(internal)
      .map(({ name }) => name),
  ).toHaveLength(10);
  for (const mode of ["direct", "tailscale"] as const) expect(services(mode).filter(internal)).toEqual([]);
});

test.each(NETWORK_MODES)(
  "in mode %s, pods that show the mesh listen at the ports that are open to them",
  (mode) => {
    const workloads = plans[mode].filter(
      ({ type, layer }) => layer === "observability" && WORKLOADS.test(type),
    );
    const policies = plans[mode].filter(
      ({ type, inputs }) =>
        type.endsWith(":NetworkPolicy") &&
        inputs.metadata.namespace === "observability" &&
        inputs.spec.podSelector.matchLabels !== undefined,
    );
    const open = policies.map(({ cloud, inputs: { metadata, spec } }) => {
      const pods = workloads.filter(
        ({ cloud: other, inputs }) =>
          other === cloud && selects(spec.podSelector, inputs.spec.template.metadata.labels),
      );
      const listening = pods.flatMap(
        ({
          inputs: {
            spec: { template },
          },
        }) =>
          [...(template.spec.initContainers ?? []), ...template.spec.containers].flatMap(
            ({ ports = [] }: { ports?: { containerPort: number }[] }) =>
              ports.map(({ containerPort }) => containerPort),
          ),
      );
      const ports: number[] = (spec.ingress ?? []).flatMap((rule: { ports: { port: number }[] }) =>
        rule.ports.map(({ port }) => port),
      );
      return {
        policy: `${cloud}/${metadata.name}`,
        pods: pods.length,
        silent: ports.filter((port) => !listening.includes(port)),
      };
    });
    expect(open.map(({ policy }) => policy).sort()).toEqual(
      [
        ...["aws", "gcp", "azure"].flatMap((cloud) => [`${cloud}/otel-collector`, `${cloud}/trust-exporter`]),
        ...["grafana", "jaeger", "prometheus", "token-renewer"].map((name) => `aws/${name}`),
      ].sort(),
    );
    expect(open.filter(({ pods, silent }) => pods !== 1 || silent.length > 0)).toEqual([]);
  },
);
