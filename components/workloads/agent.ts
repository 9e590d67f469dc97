// The agents of one role in one cloud: their configuration, their pods, and how many of them there are.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import { disruptionBudget } from "../kubernetes/disruption-budget";
import { childOptions, type DependentOptions } from "../kubernetes/options";
import { GeneratedConfigMap } from "../kubernetes/generated-config-map";
import type { Recipe } from "../kubernetes/generated-config-map-provider";
import { AGENT, agentObjectName, NAMESPACES } from "../well-known";
import { selector } from "../kubernetes/metadata";
import { agentLabels } from "./agent-pod";
import { envoyConfigMap } from "./program-pod";

/** How many pods of a role there are, by the CPU they use. */
export interface Autoscaling {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** In percent of the CPU that a pod requests. */
  readonly cpuPercent: number;
}

/** Kinds of workload that agents can be. */
export type AgentWorkloadKind = "Deployment" | "StatefulSet";

/** A pod of an agent, with the configuration that it mounts. */
export interface AgentPod {
  /** Text of config.yaml, or how Envoy's configuration is made. */
  readonly config: string | Recipe;
  readonly template: k8s.types.input.core.v1.PodTemplateSpec;
}

/** What `Agent` needs. */
export interface AgentArgs {
  readonly cluster: Cluster;
  readonly role: string;
  /** Resource of the namespace. */
  readonly within: pulumi.Resource;
  readonly pod: pulumi.Output<AgentPod>;
  /** Whether the pod has an identity itself, and no Envoy. */
  readonly ownIdentity: boolean;
  /** Number of pods, where `autoscaling` does not decide it. */
  readonly replicas: number;
  /** Default: none. */
  readonly autoscaling?: Autoscaling;
  /**
   * `Deployment`: none leaves before its successor is ready. `StatefulSet`: pods that keep their names, each of which leaves before it
   * comes again. Default: Deployment.
   */
  readonly kind?: AgentWorkloadKind;
}

/** The agents of one role in one cloud. They depend on everything they need to become ready: pods have an identity, or do not start. */
export class Agent extends pulumi.ComponentResource {
  constructor(name: string, args: AgentArgs, opts?: DependentOptions) {
    super("agentweave:workloads:Agent", name, {}, opts);
    const { cluster, role, within, pod, ownIdentity, replicas, autoscaling, kind = "Deployment" } = args;
    const self = childOptions(this, cluster, opts);
    const object = agentObjectName(role);
    const metadata = {
      name: object,
      namespace: NAMESPACES.agents,
      labels: agentLabels(cluster.name, role),
    };

    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      // An agent has nothing to ask of Kubernetes.
      { metadata, automountServiceAccountToken: false },
      self,
    );
    const config = ownIdentity
      ? new k8s.core.v1.ConfigMap(
          `${name}-config`,
          { metadata, data: { [AGENT.configFile]: pod.apply(({ config }) => config as string) } },
          self,
        )
      : new GeneratedConfigMap(
          `${name}-envoy`,
          {
            cluster,
            namespace: NAMESPACES.agents,
            within,
            configMap: envoyConfigMap(role),
            labels: metadata.labels,
            recipe: pod.apply(({ config }) => config as Recipe),
          },
          { parent: this, dependsOn: self.dependsOn },
        );
    const spec = {
      // Left to the autoscaler where there is one, whose number an update must not reset.
      replicas: autoscaling === undefined ? replicas : undefined,
      selector: { matchLabels: selector(object) },
      template: pod.apply(({ template }) => template),
    };
    const ready = { ...self, dependsOn: [...self.dependsOn, account, config] };
    const workload =
      kind === "StatefulSet"
        ? new k8s.apps.v1.StatefulSet(name, { metadata, spec: { ...spec, serviceName: object } }, ready)
        : new k8s.apps.v1.Deployment(
            name,
            {
              metadata,
              spec: {
                ...spec,
                strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
              },
            },
            ready,
          );

    // With one pod, a budget either allows every eviction, and says nothing, or blocks every node drain.
    if ((autoscaling?.minReplicas ?? replicas) > 1) {
      disruptionBudget(`${name}-budget`, metadata, selector(object), { minAvailable: 1 }, self);
    }
    if (autoscaling !== undefined) {
      const { minReplicas, maxReplicas, cpuPercent } = autoscaling;
      const target = { type: "Utilization", averageUtilization: cpuPercent };
      new k8s.autoscaling.v2.HorizontalPodAutoscaler(
        `${name}-autoscaler`,
        {
          metadata,
          spec: {
            scaleTargetRef: { apiVersion: "apps/v1", kind, name: object },
            minReplicas,
            maxReplicas,
            metrics: [{ type: "Resource", resource: { name: "cpu", target } }],
          },
        },
        { ...self, dependsOn: [...self.dependsOn, workload] },
      );
    }
    this.registerOutputs({});
  }
}
