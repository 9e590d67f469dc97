// What spire-controller-manager has in its cluster: the kind that it reads, who may be what by it, and what it may read.
import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { ChildOptions } from "../kubernetes/options";
import { CONTROLLER_MANAGER, NAMESPACES, SPIRE_SERVER } from "../well-known";
import { LEASE } from "./controller-manager";

const GROUP = "spire.spiffe.io";
const KIND = "clusterspiffeids";
/** Name of what it has in the cluster's own scope, where it must not meet another's. */
const NAME = "agentweave-spire-controller-manager";

const escaped = (text: string) => text.replace(/[.]/g, "\\$&");
const action = (field: string) => `\\{\\{ *${escaped(field)} *\\}\\}`;

/**
 * What an id's template begins with: `spiffe://<trust domain>/ns/<the pod's own namespace>/`, as a regular expression (RE2). What a template has there as text
 * is what the id has there, whatever follows.
 */
export function idTemplatePattern(trustDomain: string): string {
  const own = `(${action(".TrustDomain")}|${escaped(trustDomain)})`;
  return `^spiffe://${own}/${CONTROLLER_MANAGER.pathBegin}/${action(".PodMeta.Namespace")}/`;
}

const TEXT = { type: "string" };
const TEXTS = { type: "array", items: TEXT };
const FLAG = { type: "boolean" };
const COUNT = { type: "integer" };
/** A LabelSelector of Kubernetes. */
const SELECTOR = {
  type: "object",
  "x-kubernetes-map-type": "atomic",
  properties: {
    matchLabels: { type: "object", additionalProperties: TEXT },
    matchExpressions: {
      type: "array",
      items: {
        type: "object",
        required: ["key", "operator"],
        properties: { key: TEXT, operator: TEXT, values: TEXTS },
      },
    },
  },
};

/** ClusterSPIFFEID with all fields that the manager reads and writes (its `api/v1alpha1/clusterspiffeid_types.go`); docs/clusterspiffeid-crd.md there says what they mean. */
const CLUSTER_SPIFFE_ID: k8s.types.input.apiextensions.v1.CustomResourceDefinitionSpec = {
  group: GROUP,
  scope: "Cluster",
  names: {
    kind: "ClusterSPIFFEID",
    listKind: "ClusterSPIFFEIDList",
    plural: KIND,
    singular: "clusterspiffeid",
  },
  versions: [
    {
      name: "v1alpha1",
      served: true,
      storage: true,
      subresources: { status: {} },
      schema: {
        openAPIV3Schema: {
          type: "object",
          required: ["metadata", "spec"],
          properties: {
            apiVersion: TEXT,
            kind: TEXT,
            metadata: { type: "object" },
            spec: {
              type: "object",
              required: ["spiffeIDTemplate"],
              properties: {
                spiffeIDTemplate: TEXT,
                podSelector: SELECTOR,
                namespaceSelector: SELECTOR,
                className: TEXT,
                fallback: FLAG,
                hint: TEXT,
                ttl: TEXT,
                jwtTtl: TEXT,
                dnsNameTemplates: TEXTS,
                autoPopulateDNSNames: FLAG,
                workloadSelectorTemplates: TEXTS,
                federatesWith: TEXTS,
                admin: FLAG,
                downstream: FLAG,
              },
            },
            status: {
              type: "object",
              properties: {
                stats: {
                  type: "object",
                  properties: {
                    namespacesSelected: COUNT,
                    namespacesIgnored: COUNT,
                    podsSelected: COUNT,
                    podEntryRenderFailures: COUNT,
                    entriesMasked: COUNT,
                    entriesToSet: COUNT,
                    entryFailures: COUNT,
                  },
                },
              },
            },
          },
        },
      },
    },
  ],
};

/** What `controllerManagerObjects` needs. */
export interface ControllerManagerObjectsArgs {
  readonly trustDomain: string;
  readonly labels: Record<string, string>;
  /** Pods of the server, with a manager each. */
  readonly replicas: number;
}

/** Makes all that it has in the cluster, for the server's pod to depend on. */
export function controllerManagerObjects(
  name: string,
  { trustDomain, labels, replicas }: ControllerManagerObjectsArgs,
  self: ChildOptions,
): pulumi.Resource[] {
  const clusterWide = { name: NAME, labels };
  const inNamespace = { ...clusterWide, namespace: NAMESPACES.spireServer };
  const roleRef = (kind: string) => ({ apiGroup: "rbac.authorization.k8s.io", kind, name: NAME });
  const subjects = [
    { kind: "ServiceAccount", name: SPIRE_SERVER.serviceAccount, namespace: NAMESPACES.spireServer },
  ];

  const policy = new k8s.admissionregistration.v1.ValidatingAdmissionPolicy(
    `${name}-ids`,
    {
      metadata: clusterWide,
      spec: {
        failurePolicy: "Fail",
        matchConstraints: {
          resourceRules: [
            { apiGroups: [GROUP], apiVersions: ["*"], operations: ["CREATE", "UPDATE"], resources: [KIND] },
          ],
        },
        validations: [
          {
            expression: `object.spec.spiffeIDTemplate.matches(${JSON.stringify(idTemplatePattern(trustDomain))})`,
            message: `spiffeIDTemplate must begin with spiffe://{{ .TrustDomain }}/${CONTROLLER_MANAGER.pathBegin}/{{ .PodMeta.Namespace }}/: other ids are not of the pod's own namespace`,
          },
          ...["admin", "downstream"].map((right) => ({
            expression: `!has(object.spec.${right}) || !object.spec.${right}`,
            message: `${right} must not be true: it is a right over the SPIRE server`,
          })),
        ],
      },
    },
    self,
  );
  const binding = new k8s.admissionregistration.v1.ValidatingAdmissionPolicyBinding(
    `${name}-ids-binding`,
    { metadata: clusterWide, spec: { policyName: NAME, validationActions: ["Deny"] } },
    { ...self, dependsOn: [...self.dependsOn, policy] },
  );
  const kind = new k8s.apiextensions.v1.CustomResourceDefinition(
    `${name}-kind`,
    { metadata: { name: `${KIND}.${GROUP}`, labels }, spec: CLUSTER_SPIFFE_ID },
    // No ClusterSPIFFEID is there before the policy is, and none stays when it goes.
    { ...self, dependsOn: [...self.dependsOn, binding] },
  );

  const reads = ["get", "list", "watch"];
  return [
    kind,
    new k8s.rbac.v1.ClusterRole(
      `${name}-cluster-role`,
      {
        metadata: clusterWide,
        rules: [
          { apiGroups: [""], resources: ["pods", "nodes", "namespaces", "endpoints"], verbs: reads },
          { apiGroups: [GROUP], resources: [KIND], verbs: reads },
          { apiGroups: [GROUP], resources: [`${KIND}/status`], verbs: ["update"] },
        ],
      },
      self,
    ),
    new k8s.rbac.v1.ClusterRoleBinding(
      `${name}-cluster-role-binding`,
      { metadata: clusterWide, roleRef: roleRef("ClusterRole"), subjects },
      self,
    ),
    ...(replicas > 1
      ? [
          new k8s.rbac.v1.Role(
            `${name}-role`,
            {
              metadata: inNamespace,
              rules: [
                { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"] },
                {
                  apiGroups: ["coordination.k8s.io"],
                  resources: ["leases"],
                  resourceNames: [LEASE],
                  verbs: ["get", "update"],
                },
                { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
              ],
            },
            self,
          ),
          new k8s.rbac.v1.RoleBinding(
            `${name}-role-binding`,
            { metadata: inNamespace, roleRef: roleRef("Role"), subjects },
            self,
          ),
        ]
      : []),
  ];
}
