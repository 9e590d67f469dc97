// What the devices of one workload keep in Kubernetes: a Secret for the state of each pod, and the right to it and to nothing else.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../clouds/cluster";
import { childOptions, type DependentOptions } from "../../kubernetes/options";
import { labels } from "../../kubernetes/metadata";

/** What `DeviceSecrets` needs. */
export interface DeviceSecretsArgs {
  readonly cluster: Cluster;
  readonly namespace: string;
  /** The StatefulSet, whose pods are `<workload>-<n>`. */
  readonly workload: string;
  /** Most pods that there may be. */
  readonly pods: number;
  /** Their ServiceAccount. */
  readonly account: string;
}

/**
 * Secrets for the state of a StatefulSet's pods, made beforehand: a right to create Secrets cannot be limited to names
 * (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources).
 */
export class DeviceSecrets extends pulumi.ComponentResource {
  constructor(name: string, args: DeviceSecretsArgs, opts?: DependentOptions) {
    super("agentweave:network:DeviceSecrets", name, {}, opts);
    const { cluster, namespace, workload, pods, account } = args;
    const self = childOptions(this, cluster, opts);
    const names = Array.from({ length: pods }, (_, index) => `${workload}-${index}`);
    for (const [index, secret] of names.entries()) {
      new k8s.core.v1.Secret(
        `${name}-${index}`,
        { metadata: { name: secret, namespace, labels: labels(workload, "tailnet") }, type: "Opaque" },
        // The device writes it: what it keeps there is its own.
        { ...self, ignoreChanges: ["data", "stringData"] },
      );
    }
    const metadata = { name: `${workload}-tailnet`, namespace, labels: labels(workload, "tailnet") };
    const role = new k8s.rbac.v1.Role(
      `${name}-role`,
      {
        metadata,
        rules: [
          {
            apiGroups: [""],
            resources: ["secrets"],
            resourceNames: names,
            verbs: ["get", "update", "patch"],
          },
        ],
      },
      self,
    );
    new k8s.rbac.v1.RoleBinding(
      `${name}-binding`,
      {
        metadata,
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: metadata.name },
        subjects: [{ kind: "ServiceAccount", name: account, namespace }],
      },
      { ...self, dependsOn: [...self.dependsOn, role] },
    );
    this.registerOutputs({});
  }
}

/** The Secret with the auth key of a namespace's devices. */
export function authKeySecret(
  name: string,
  secret: { readonly name: string; readonly key: string; readonly namespace: string },
  authKey: pulumi.Input<string>,
  opts: pulumi.CustomResourceOptions,
): k8s.core.v1.Secret {
  return new k8s.core.v1.Secret(
    name,
    {
      metadata: {
        name: secret.name,
        namespace: secret.namespace,
        labels: labels(secret.name, "tailnet"),
      },
      type: "Opaque",
      stringData: { [secret.key]: pulumi.secret(authKey) },
    },
    opts,
  );
}
