// A port of a Service, at which its pods listen, too.
import type * as k8s from "@pulumi/kubernetes";

/**
 * The same number before and behind the Service, as Amazon's VPC CNI wants it of Services that NetworkPolicies let pass
 * (https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html, "Considerations"). A number and no name: its controller looks names
 * up among a pod's `containers`, and a sidecar is one of the `initContainers` (aws/amazon-network-policy-controller-k8s, `pkg/k8s/pod_utils.go`).
 */
export function servicePort(name: string, port: number): k8s.types.input.core.v1.ServicePort {
  return { name, port, targetPort: port };
}
