// Who reaches OPA: agents, and nobody else. OPA itself reaches nobody.
import * as k8s from "@pulumi/kubernetes";
import type { ChildOptions } from "../kubernetes/options";
import { labels, NAMESPACES, OPA, selector } from "../well-known";

/**
 * Makes the NetworkPolicies of OPA's namespace, named after the component `name`. Probes need no rule: a node always
 * reaches its own pods.
 *
 * @returns all of them, for OPA's pods to depend on.
 */
export function restrictOpaNetwork(name: string, self: ChildOptions): k8s.networking.v1.NetworkPolicy[] {
  const metadata = (policy: string) => ({
    name: policy,
    namespace: NAMESPACES.opa,
    labels: labels(OPA.name, "policy"),
  });
  return [
    new k8s.networking.v1.NetworkPolicy(
      `${name}-deny-all`,
      { metadata: metadata("deny-all"), spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] } },
      self,
    ),
    new k8s.networking.v1.NetworkPolicy(
      `${name}-from-agents`,
      {
        metadata: metadata("opa-from-agents"),
        spec: {
          podSelector: { matchLabels: selector(OPA.name) },
          policyTypes: ["Ingress"],
          ingress: [
            {
              from: [
                {
                  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": NAMESPACES.agents } },
                },
              ],
              ports: [{ protocol: "TCP", port: OPA.port }],
            },
          ],
        },
      },
      self,
    ),
  ];
}
