// Open Policy Agent in one cluster: it decides what the agents there answer, by the policy of this repository.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import type { Images } from "../images";
import { checksum } from "../kubernetes/checksum";
import { disruptionBudget } from "../kubernetes/disruption-budget";
import { GeneratedConfigMap } from "../kubernetes/generated-config-map";
import { childOptions, type DependentOptions } from "../kubernetes/options";
import { servicePort } from "../kubernetes/service-port";
import type { ContainerSize } from "../kubernetes/container";
import { NamespacePolicies } from "../network/namespace-policies";
import type { FlowContext } from "../network/policies";
import { NAMESPACES, OPA } from "../well-known";
import { labels, namespaceMetadata, selector } from "../kubernetes/metadata";
import { opaContent } from "./opa-files";
import { DEFAULT_OPA_REPLICAS, OPA_CONFIG_MAP, opaPod } from "./opa-pod";
import type { PolicyTopology } from "./policy-data";

/** What `Opa` needs. */
export interface OpaArgs {
  readonly cluster: Cluster;
  /** The whole mesh, as every OPA of it knows it. */
  readonly topology: PolicyTopology;
  readonly images: Pick<Images, "opa">;
  readonly flows: FlowContext;
  /** Number of pods. Default 2: while none answers, agents refuse every call. */
  readonly replicas?: number;
  /** Resources of each pod. Default 50m of CPU and 128Mi of memory. */
  readonly size?: ContainerSize;
}

/** OPA with its namespace. Agents depend on it, since they refuse all calls until it answers. */
export class Opa extends pulumi.ComponentResource {
  /** URL of the API for agents of the same cluster, `http://opa.opa.svc.cluster.local:8181`. */
  readonly endpoint = `http://${OPA.name}.${NAMESPACES.opa}.svc.cluster.local:${OPA.port}`;
  readonly namespace: pulumi.Resource;
  /** What agents depend on: it answers. */
  readonly ready: pulumi.Resource;

  constructor(name: string, args: OpaArgs, opts?: DependentOptions) {
    super("agentweave:workloads:Opa", name, {}, opts);
    const { cluster, topology, images, flows, replicas = DEFAULT_OPA_REPLICAS, size } = args;
    const own = childOptions(this, cluster, opts);
    const metadata = { name: OPA.name, namespace: NAMESPACES.opa, labels: labels(OPA.name, "policy") };

    this.namespace = new k8s.core.v1.Namespace(
      `${name}-namespace`,
      { metadata: namespaceMetadata(NAMESPACES.opa, "restricted") },
      own,
    );
    const self = { ...own, dependsOn: [...own.dependsOn, this.namespace] };

    const policies = new NamespacePolicies(
      `${name}-network`,
      { cluster, namespace: NAMESPACES.opa, flows },
      { parent: this, dependsOn: self.dependsOn },
    );
    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata, automountServiceAccountToken: false },
      self,
    );
    const files = { location: { cloud: cluster.name, region: cluster.region }, topology };
    const configMap = new GeneratedConfigMap(
      `${name}-files`,
      {
        cluster,
        namespace: NAMESPACES.opa,
        within: this.namespace,
        configMap: OPA_CONFIG_MAP,
        labels: metadata.labels,
        recipe: { name: "opa", args: files },
      },
      { parent: this, dependsOn: self.dependsOn },
    );
    const matchLabels = selector(OPA.name);
    const deployment = new k8s.apps.v1.Deployment(
      name,
      {
        metadata,
        spec: {
          replicas,
          selector: { matchLabels },
          strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
          template: opaPod({ image: images.opa, size, checksum: checksum(opaContent(files).data) }),
        },
      },
      { ...self, dependsOn: [...self.dependsOn, account, configMap, policies.ready] },
    );
    disruptionBudget(`${name}-disruption-budget`, metadata, matchLabels, { maxUnavailable: 1 }, self);
    // After the Deployment, because Pulumi waits until a Service has endpoints.
    this.ready = new k8s.core.v1.Service(
      `${name}-service`,
      {
        metadata,
        spec: { selector: matchLabels, ports: [servicePort("http", OPA.port)] },
      },
      { ...self, dependsOn: [...self.dependsOn, deployment] },
    );
    this.registerOutputs({ endpoint: this.endpoint });
  }
}
