import { allows, type Policy } from "../../support/network-policy";

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
