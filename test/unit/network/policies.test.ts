import { FLOWS } from "../../../components/network/flows";
import { NETWORK_MODES, type NetworkMode } from "../../../components/network/mode";
import { PARTIES } from "../../../components/network/parties";
import { namespacePolicies } from "../../../components/network/policies";
import { allows, selects, type Policy, type Ranges } from "../../support/network-policy";
import type { Recording } from "../../support/recorder";
import { DENIED, NEEDED, type Passing } from "./flows-needed";
import { contextOf, PLANS, policiesOf, stand, worldOf, type Plan } from "./flows-world";

const NAMESPACES = ["agentweave", "opa", "spire", "spire-system", "tailscale"];
const RANGES: readonly Ranges[] = ["match all addresses", "match no pod and no node"];
const CASES = NETWORK_MODES.flatMap((mode) =>
  (Object.keys(PLANS) as Plan[]).flatMap((plan) => RANGES.map((ranges) => ({ mode, plan, ranges }))),
);

const recordings = new Map<string, Recording>();
beforeAll(async () => {
  for (const mode of NETWORK_MODES) {
    for (const plan of Object.keys(PLANS) as Plan[]) {
      recordings.set(`${mode} ${plan}`, await stand(mode, plan));
    }
  }
});
const made = (mode: NetworkMode, plan: Plan = "overlay") => recordings.get(`${mode} ${plan}`)!;

/** The connections among `wanted` that these policies allow. */
function allowed(
  policies: readonly Policy[],
  wanted: readonly Passing[],
  { mode, plan, ranges }: { mode: NetworkMode; plan: Plan; ranges: Ranges },
): Passing[] {
  const world = worldOf(made(mode, plan), mode, plan);
  const end = (name: string) => {
    if (world[name] === undefined) throw new Error(`the world has no ${name}`);
    return world[name];
  };
  return wanted.filter(([from, to, protocol, port]) =>
    allows(policies, { from: end(from), to: end(to), protocol, port }, ranges),
  );
}

describe.each(CASES)("in mode $mode, where pods are $plan and ranges $ranges", (where) => {
  const policies = () => policiesOf(made(where.mode, where.plan));

  test("everything that the mesh needs passes", () => {
    expect(allowed(policies(), NEEDED[where.mode], where)).toEqual(NEEDED[where.mode]);
  });

  test("nothing passes that must not", () => {
    expect(allowed(policies(), DENIED[where.mode], where)).toEqual([]);
  });

  test("nothing at all would be denied without the policies", () => {
    expect(allowed([], DENIED[where.mode], where)).toEqual(DENIED[where.mode]);
  });
});

test("in mode direct the agents' port is open to everybody, as their load balancers are", () => {
  for (const ranges of RANGES) {
    const where = { mode: "direct", plan: "overlay", ranges } as const;
    const published: Passing[] = ["stranger", "internet", "node"].map((from) => [from, "agent", "TCP", 8443]);
    expect(allowed(policiesOf(made("direct")), published, where)).toEqual(published);
  }
});

describe("no row of the table is dead or too wide:", () => {
  /** The same policies as the components make, but of these flows. */
  const policiesFor = (mode: NetworkMode, flows: typeof FLOWS): Policy[] =>
    NAMESPACES.flatMap((namespace) =>
      namespacePolicies(namespace, contextOf(mode), PLANS.overlay, flows).map(({ name, spec }) => ({
        metadata: { namespace, name },
        spec,
      })),
    );
  const missing = (flows: typeof FLOWS) =>
    NETWORK_MODES.flatMap((mode) => {
      const where = { mode, plan: "overlay", ranges: RANGES[0]! } as const;
      const passing = allowed(policiesFor(mode, flows), NEEDED[mode], where);
      return NEEDED[mode].filter((flow) => !passing.includes(flow));
    });

  test("with all of them nothing is missing", () => {
    expect(missing(FLOWS)).toEqual([]);
  });

  test.each(FLOWS.map((flow, index) => ({ ...flow, index })))(
    "without $from → $to $protocol $ports something is missing",
    ({ index }) => {
      expect(missing(FLOWS.filter((_, other) => other !== index))).not.toEqual([]);
    },
  );

  test.each(
    FLOWS.flatMap((flow, index) =>
      flow.ports === "any" ? [] : flow.ports.map((port) => ({ ...flow, index, port })),
    )
      // A tailnet's device has 443 to anywhere twice: for the API server, and for control server and relays.
      .filter(({ from, port }) => port !== 443 || from === "spireServer"),
  )("without port $port of $from → $to something is missing", ({ index, port }) => {
    const fewer = FLOWS.map((flow, other) =>
      other !== index || flow.ports === "any"
        ? flow
        : { ...flow, ports: flow.ports.filter((kept) => kept !== port) },
    );
    expect(missing(fewer)).not.toEqual([]);
  });

  test.each(FLOWS.flatMap((flow, index) => (flow.modes ? [{ ...flow, index }] : [])))(
    "with $from → $to $protocol $ports in every mode something passes that must not",
    ({ index }) => {
      const everywhere = FLOWS.map((flow, other) => (other === index ? { ...flow, modes: undefined } : flow));
      const passing = NETWORK_MODES.flatMap((mode) => {
        const where = { mode, plan: "overlay", ranges: RANGES[0]! } as const;
        return allowed(policiesFor(mode, everywhere), DENIED[mode], where);
      });
      expect(passing).not.toEqual([]);
    },
  );
});

describe("the policies", () => {
  test.each(NETWORK_MODES)("of every namespace deny what they do not name, in mode %s", (mode) => {
    for (const namespace of NAMESPACES) {
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
    const alone = { ...contextOf("vpn"), peerRanges: [] };
    const [, , agents] = namespacePolicies("agentweave", alone, PLANS.overlay);
    expect(agents!.spec).toMatchObject({
      ingress: [
        { from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "agentweave" } } }] },
        {
          from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "observability" } } }],
        },
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
      routers: ["router"],
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
    const tried = policiesOf(made(mode)).flatMap(({ metadata: { namespace }, spec }) =>
      (spec.ingress ?? []).flatMap(({ ports }: { ports: { port: number }[] }) =>
        ports.map(({ port }) => [namespace, port, listening(namespace, spec.podSelector).includes(port)]),
      ),
    );
    expect(tried.length).toBeGreaterThan(8);
    expect(tried.filter(([, , listens]) => !listens)).toEqual([]);
  });

  test("would not be heeded by pods of the host's network, and there are none", () => {
    const workloads = made("tailscale").resources.filter(({ inputs }) => inputs.spec?.template?.spec);
    expect(workloads).toHaveLength(7);
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

describe("the judge of the tests", () => {
  const pod = (namespace: string, labels = {}) =>
    ({ kind: "pod", namespace, labels, ip: "10.0.0.1" }) as const;
  const policy = (spec: object): Policy => ({ metadata: { namespace: "a", name: "p" }, spec });
  const to = (spec: object, from = pod("b", { app: "x" }), port = 80) =>
    allows(
      [policy(spec)],
      { from, to: pod("a", { app: "y" }), protocol: "TCP", port },
      "match all addresses",
    );

  test.each<[string, object, boolean]>([
    ["a policy for other pods says nothing", { podSelector: { matchLabels: { app: "z" } } }, true],
    ["ingress is denied by a policy without rules", { podSelector: {} }, false],
    ["ingress is not touched by a policy of egress", { podSelector: {}, policyTypes: ["Egress"] }, true],
    ["an empty rule allows everything", { podSelector: {}, ingress: [{}] }, true],
    ["an empty list of peers is all of them", { podSelector: {}, ingress: [{ from: [] }] }, true],
    [
      "a pod selector alone is of the policy's namespace",
      { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] },
      false,
    ],
    [
      "both selectors of a peer must match",
      {
        podSelector: {},
        ingress: [{ from: [{ namespaceSelector: {}, podSelector: { matchLabels: { app: "w" } } }] }],
      },
      false,
    ],
    [
      "one of two peers is enough",
      {
        podSelector: {},
        ingress: [{ from: [{ podSelector: {} }, { namespaceSelector: {} }] }],
      },
      true,
    ],
    [
      "an exception of a range is none of it",
      {
        podSelector: {},
        ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["10.0.0.0/24"] } }] }],
      },
      false,
    ],
    ["a port is of TCP by default", { podSelector: {}, ingress: [{ ports: [{ port: 80 }] }] }, true],
    [
      "another protocol is another port",
      { podSelector: {}, ingress: [{ ports: [{ protocol: "UDP" }] }] },
      false,
    ],
    [
      "a range of ports ends where it says",
      { podSelector: {}, ingress: [{ ports: [{ port: 70, endPort: 79 }] }] },
      false,
    ],
  ])("knows that %s", (_, spec, expected) => {
    expect(to(spec)).toBe(expected);
  });
});
