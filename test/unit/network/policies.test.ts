import { NETWORK_MODES } from "../../../components/network/mode";
import { PARTIES } from "../../../components/network/parties";
import { namespacePolicies } from "../../../components/network/policies";
import { ENGINE_NAMES, selects, type Policy } from "../../support/network-policy";
import type { Passing } from "./flows-needed";
import { deniedIn, neededIn, SCENARIOS } from "./flows-needed-observability";
import { allowed, made, MESH_NAMESPACES, policiesIn, standAll } from "./flows-trial";
import { contextOf, PLANS, policiesOf, worldOf, type Plan } from "./flows-world";

const CASES = SCENARIOS.flatMap((scenario) =>
  (Object.keys(PLANS) as Plan[]).flatMap((plan) =>
    ENGINE_NAMES.map((engine) => ({ ...scenario, plan, engine })),
  ),
);

beforeAll(standAll);

test.each(NETWORK_MODES)("what the components make in mode %s is what is looked at here", (mode) => {
  for (const plan of Object.keys(PLANS) as Plan[]) {
    const tidy = (policies: readonly Policy[]) =>
      policies
        .map(({ metadata: { namespace, name }, spec }) => ({ namespace, name, spec }))
        .sort((a, b) => `${a.namespace} ${a.name}`.localeCompare(`${b.namespace} ${b.name}`));
    expect(tidy(policiesOf(made(mode, plan)))).toEqual(tidy(policiesIn({ mode, part: "home", plan })));
  }
});

describe.each(CASES)(
  "in mode $mode, in a cluster of part '$part', where pods are $plan and $engine decides",
  (where) => {
    const needed = neededIn(where.mode, where.part);
    const denied = deniedIn(where.mode, where.part);

    test("everything that the mesh needs passes", () => {
      expect(allowed(policiesIn(where), needed, where)).toEqual(needed);
    });

    test("nothing passes that must not", () => {
      expect(allowed(policiesIn(where), denied, where)).toEqual([]);
    });

    test("nothing at all would be denied without the policies", () => {
      expect(allowed([], denied, where)).toEqual(denied);
    });
  },
);

test.each<Passing>([
  ["agent", "prometheus", "TCP", 9090],
  ["agent", "traceStore", "TCP", 16686],
  ["agent", "traceStore", "TCP", 4317],
  ["grafana", "agent", "TCP", 9090],
  ["grafana", "agent", "TCP", 8443],
  ["otelCollector", "traceStore", "TCP", 16686],
  ["internet", "grafana", "TCP", 3000],
  ["stranger", "otelCollector", "TCP", 4318],
  ["internet", "traceStore", "TCP", 16686],
  ["peer", "traceStore", "TCP", 16686],
])("%s never reaches %s at %s %i, whatever the mode and the part", (...passing) => {
  for (const scenario of SCENARIOS) expect(deniedIn(scenario.mode, scenario.part)).toContainEqual(passing);
});

test("nobody but Prometheus and Grafana reaches Prometheus, unless it is read by its API server", () => {
  for (const { mode, part } of SCENARIOS) {
    if (part === "home, read by its API server") continue;
    const reaching = neededIn(mode, part).flatMap(([from, to, , port]) =>
      to === "prometheus" && port === 9090 ? [from] : [],
    );
    expect(["prometheus", "grafana"]).toEqual(expect.arrayContaining(reaching));
  }
});

test("in mode direct the agents' port is open to everybody, as their load balancers are", () => {
  for (const engine of ENGINE_NAMES) {
    const where = { mode: "direct", part: "none", plan: "overlay", engine } as const;
    const published: Passing[] = ["stranger", "internet", "node"].map((from) => [from, "agent", "TCP", 8443]);
    expect(allowed(policiesIn(where), published, where)).toEqual(published);
  }
});

describe("the policies", () => {
  test.each(NETWORK_MODES)("of every namespace deny what they do not name, in mode %s", (mode) => {
    for (const namespace of MESH_NAMESPACES) {
      expect(
        policiesOf(made(mode)).filter(({ metadata }) => metadata.namespace === namespace),
      ).toContainEqual(
        expect.objectContaining({ spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] } }),
      );
    }
  });

  test("have no empty list, which Kubernetes takes for everything", () => {
    for (const mode of NETWORK_MODES) {
      for (const { spec } of policiesOf(made(mode))) {
        for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
          for (const list of Object.values(rule)) expect(list).not.toEqual([]);
        }
      }
    }
  });

  test("of a cloud that is alone in mode vpn let nobody in from the tunnels that there are not", () => {
    const alone = { ...contextOf("vpn"), peerRanges: [], workloadNamespaces: [] };
    const [, , agents] = namespacePolicies("agentweave", alone, PLANS.overlay);
    expect(agents!.spec).toMatchObject({
      ingress: [
        { from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "agentweave" } } }] },
      ],
    });
  });

  test("select by labels that the pods have, and all pods of a party", () => {
    const world = worldOf(made("tailscale"), "tailscale", "overlay");
    const pods = Object.entries(world).flatMap(([name, end]) =>
      end.kind === "pod" ? [{ name, ...end }] : [],
    );
    const chosen = Object.fromEntries(
      Object.entries(PARTIES).flatMap(([party, details]) =>
        details.kind !== "pods"
          ? []
          : [
              [
                party,
                pods
                  .filter(
                    ({ namespace, labels }) =>
                      namespace === details.namespace && selects({ matchLabels: details.labels }, labels),
                  )
                  .map(({ name }) => name),
              ],
            ],
      ),
    );
    expect(chosen).toEqual({
      agents: ["agent", "otherAgent"],
      opa: ["opa"],
      spireServer: ["spireServer"],
      spireAgents: ["spireAgent"],
      oidc: ["oidc"],
      routers: ["router"],
      collectors: ["otelCollector"],
      traceStore: ["traceStore"],
      prometheus: ["prometheus"],
      trustExporter: ["trustExporter"],
      tokenRenewer: ["tokenRenewer"],
      grafana: ["grafana"],
    });
  });

  test.each(NETWORK_MODES)("let in at ports at which the pods listen, in mode %s", (mode) => {
    const listening = (namespace: string, selector: object) =>
      made(mode).resources.flatMap(({ inputs }) => {
        const template = inputs.metadata?.namespace === namespace ? inputs.spec?.template : undefined;
        if (!template?.spec || !selects(selector, template.metadata.labels)) return [];
        return [...(template.spec.initContainers ?? []), ...template.spec.containers].flatMap(
          ({ ports = [] }: { ports?: { containerPort: number }[] }) =>
            ports.map(({ containerPort }) => containerPort),
        );
      });
    // Observability is not in this world.
    const policies = policiesOf(made(mode)).filter(({ metadata }) => metadata.namespace !== "observability");
    const tried = policies.flatMap(({ metadata: { namespace }, spec }) =>
      (spec.ingress ?? []).flatMap(({ ports }: { ports: { port: number }[] }) =>
        ports.map(({ port }) => [namespace, port, listening(namespace, spec.podSelector).includes(port)]),
      ),
    );
    expect(tried.length).toBeGreaterThan(8);
    expect(tried.filter(([, , listens]) => !listens)).toEqual([]);
  });

  test("would not be heeded by pods of the host's network, and there are none", () => {
    const workloads = made("tailscale").resources.filter(({ inputs }) => inputs.spec?.template?.spec);
    expect(workloads).toHaveLength(8);
    for (const { inputs } of workloads) expect(inputs.spec.template.spec.hostNetwork).toBeUndefined();
  });

  test.each([
    ["http://collector:4318", undefined, 4318],
    ["http://collector.tracing.svc:4318", "tracing", 4318],
    ["https://collector.example", undefined, 443],
    ["http://collector.example", undefined, 80],
    ["http://svc.example.org", undefined, 80],
  ])("let agents send traces to %s", (tracingEndpoint, namespace, port) => {
    const to = namespace && [
      { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } } },
    ];
    const context = { mode: "direct", peerRanges: [] } as const;
    const egress = (more: object) =>
      namespacePolicies("agentweave", { ...context, ...more }, PLANS.overlay)[2]!.spec.egress;
    const rule = { ...(to && { to }), ports: [{ protocol: "TCP", port }] };
    expect(egress({ tracingEndpoint })).toContainEqual(rule);
    expect(egress({})).not.toContainEqual(rule);
  });
});
