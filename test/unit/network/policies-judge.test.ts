import { allows, type Connection, ENGINE_NAMES, type Policy } from "../../support/network-policy";

const policy = (spec: object): Policy => ({ metadata: { namespace: "a", name: "p" }, spec });

/** The engines that let it pass. */
const passing = (specs: readonly object[], connection: Connection) =>
  ENGINE_NAMES.filter((engine) => allows(specs.map(policy), connection, engine));

describe("every judge of the tests", () => {
  const pod = (namespace: string, labels = {}) =>
    ({ kind: "pod", namespace, labels, ip: "10.0.0.1" }) as const;

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
    const from = pod("b", { app: "x" });
    const connection = { from, to: pod("a", { app: "y" }), protocol: "TCP", port: 80 } as const;
    expect(passing([spec], connection)).toEqual(expected ? ENGINE_NAMES : []);
  });
});

describe("the judges differ:", () => {
  const from = { kind: "pod", namespace: "a", labels: {}, ip: "10.0.0.1" } as const;
  const egress = (...rules: object[]) => ({ podSelector: {}, policyTypes: ["Egress"], egress: rules });
  const to = (ip: string, kind: "outside" | "node" = "outside") => ({ kind, ip }) as const;
  const tcp = { from, protocol: "TCP" } as const;
  const block = (cidr: string, ...except: string[]) => [{ ipBlock: { cidr, except } }];
  const port = (number: number) => [{ protocol: "TCP", port: number }];
  const all = ENGINE_NAMES;
  const butVpcCni = all.filter((name) => name !== "VPC CNI");

  test("no range has nodes, with Cilium", () => {
    const spec = egress({ to: block("0.0.0.0/0") });
    expect(passing([spec], { ...tcp, to: to("10.9.0.1", "node"), port: 443 })).toEqual(
      all.filter((name) => name !== "Cilium"),
    );
  });

  describe("with the VPC CNI", () => {
    const holes = egress({ to: block("0.0.0.0/0", "10.0.0.0/8") });
    const inHole = { ...tcp, to: to("10.9.0.1"), port: 443 };

    test("an exception takes away what any other rule allows", () => {
      expect(passing([holes, egress({ ports: port(443) })], inHole)).toEqual(butVpcCni);
    });

    test("an exception takes nothing from a rule of just its range, or of a part of it", () => {
      for (const cidr of ["10.0.0.0/8", "10.9.0.0/16"])
        expect(passing([holes, egress({ to: block(cidr), ports: port(443) })], inHole)).toEqual(all);
    });

    test("a range has the ports of those around it, but not where they except it", () => {
      const part = egress({ to: block("10.9.0.0/16"), ports: port(80) });
      expect(passing([egress({ ports: port(443) }), part], inHole)).toEqual(all);
      expect(passing([egress({ ports: port(443) }), holes, part], inHole)).toEqual(butVpcCni);
    });

    test("a range has no more than 24 ports", () => {
      const ports = Array.from({ length: 25 }, (_, index) => port(index + 1)).flat();
      expect(() => passing([egress({ ports })], inHole)).toThrow("more than 24 ports");
    });
  });

  describe("with the VPC CNI, before the address of a Service is replaced,", () => {
    const labels = { app: "x", tier: "y" };
    const rule = { to: [{ podSelector: { matchLabels: labels } }], ports: port(8080) };
    const ports = [{ name: "web", containerPort: 8080 }];
    const pod = { kind: "pod", namespace: "a", labels, ip: "10.0.0.2", containers: [{ ports }] } as const;
    const service = { kind: "service", namespace: "a", ip: "10.1.0.1", pod } as const;
    const behind = (selector: Record<string, string>, targetPort: number | string, own: object = pod) =>
      passing([egress(rule)], {
        ...tcp,
        to: { ...service, selector, ports: [{ port: 8080, targetPort }], pod: { ...pod, ...own } },
        port: 8080,
      });

    test("its selector must have the labels of the policy's peer, not its pods alone", () => {
      expect(behind(labels, 8080)).toEqual(all);
      expect(behind({ app: "x" }, 8080)).toEqual(butVpcCni);
    });

    test("the name of a port is one of its pods' containers, not of their sidecars", () => {
      expect(behind(labels, "web")).toEqual(all);
      expect(behind(labels, "web", { containers: [], initContainers: [{ ports }] })).toEqual(butVpcCni);
      expect(behind(labels, 8080, { containers: [], initContainers: [{ ports }] })).toEqual(all);
    });

    test("a range of its pods does not have it", () => {
      const spec = egress({ to: block("10.0.0.0/16") });
      const to = { ...service, selector: labels, ports: [{ port: 8080 }] };
      expect(passing([spec], { ...tcp, to, port: 8080 })).toEqual(["Kubernetes", "Calico"]);
    });
  });
});
