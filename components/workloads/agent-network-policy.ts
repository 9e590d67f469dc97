// What may reach the agents, and what they may reach: a pure function.
import type * as k8s from "@pulumi/kubernetes";
import { AGENT_PORTS, NAMESPACES, OPA } from "../well-known";

/**
 * Spec of the NetworkPolicy for all pods of the agents' namespace. In: mutual TLS from everywhere, since a load balancer's traffic
 * comes from addresses of its own; a kubelet's probes are let through by Kubernetes itself. Out: names, OPA, other agents, and the
 * collector of traces. The Workload API is a socket and needs no rule.
 *
 * @param tracingEndpoint URL where traces are sent. Default: nowhere.
 */
export function agentNetworkPolicy(
  tracingEndpoint?: string,
): k8s.types.input.networking.v1.NetworkPolicySpec {
  const tcp = (port: number) => ({ protocol: "TCP", port });
  return {
    podSelector: {},
    policyTypes: ["Ingress", "Egress"],
    ingress: [{ ports: [tcp(AGENT_PORTS.mtls)] }],
    egress: [
      // Anywhere, because a node's own DNS cache is no pod.
      { ports: [tcp(53), { protocol: "UDP", port: 53 }] },
      { ports: [tcp(AGENT_PORTS.mtls)] },
      {
        to: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": NAMESPACES.opa } } }],
        ports: [tcp(OPA.port)],
      },
      ...(tracingEndpoint === undefined ? [] : [{ ports: [tcp(portOf(tracingEndpoint))] }]),
    ],
  };
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}
