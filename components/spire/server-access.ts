// What a SPIRE server may do in a cluster: review the tokens of agents, look up their pods and nodes, and publish
// its bundle to one ConfigMap. Nothing else.
import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { NAMESPACES } from "../well-known";
import type { ChildOptions } from "../kubernetes/options";
import { ATTESTED, type Attested } from "./attested";

/**
 * Makes the server's ServiceAccount and its roles, named after the component `name`.
 *
 * @param attested Whom it attests. Default: the cluster's nodes.
 * @returns all of them, for the server's pod to depend on.
 */
export function grantServerAccess(
  name: string,
  labels: Record<string, string>,
  self: ChildOptions,
  annotations?: Readonly<Record<string, pulumi.Input<string>>>,
  { namespace, bundleConfigMap, account: accountName, role }: Attested = ATTESTED.nodes,
): pulumi.Resource[] {
  const account = { kind: "ServiceAccount", name: accountName, namespace: NAMESPACES.spireServer };
  const clusterWide = { name: role, labels };
  const inAgentNamespace = { ...clusterWide, namespace };
  const roleRef = (kind: string) => ({ apiGroup: "rbac.authorization.k8s.io", kind, name: role });

  return [
    new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      {
        metadata: { name: account.name, namespace: account.namespace, labels, annotations },
        automountServiceAccountToken: false,
      },
      self,
    ),
    new k8s.rbac.v1.ClusterRole(
      `${name}-cluster-role`,
      {
        metadata: clusterWide,
        rules: [
          { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
          { apiGroups: [""], resources: ["nodes"], verbs: ["get"] },
        ],
      },
      self,
    ),
    new k8s.rbac.v1.ClusterRoleBinding(
      `${name}-cluster-role-binding`,
      { metadata: clusterWide, roleRef: roleRef("ClusterRole"), subjects: [account] },
      self,
    ),
    // The pods to look up are those of agents, and the bundle is published where agents mount it: a pod mounts
    // ConfigMaps of its own namespace only.
    new k8s.rbac.v1.Role(
      `${name}-role`,
      {
        metadata: inAgentNamespace,
        rules: [
          { apiGroups: [""], resources: ["pods"], verbs: ["get"] },
          {
            apiGroups: [""],
            resources: ["configmaps"],
            resourceNames: [bundleConfigMap],
            // The server publishes by server-side apply, which creates the ConfigMap too, and there names it.
            verbs: ["get", "create", "patch"],
          },
        ],
      },
      self,
    ),
    new k8s.rbac.v1.RoleBinding(
      `${name}-role-binding`,
      { metadata: inAgentNamespace, roleRef: roleRef("Role"), subjects: [account] },
      self,
    ),
  ];
}
