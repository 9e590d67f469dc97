// The agents of one role in one cloud: their configuration, their pods, and how many of them there are.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import { checksum } from "../kubernetes/checksum";
import { disruptionBudget } from "../kubernetes/disruption-budget";
import { childOptions, type DependentOptions } from "../kubernetes/options";
import type { ContainerSize } from "../kubernetes/container";
import { AGENT, agentObjectName, NAMESPACES } from "../well-known";
import { selector } from "../kubernetes/metadata";
import { agentLabels, agentPod } from "./agent-pod";
import { ENVOY } from "../envoy/pod";
import { programPod, type ProgramPodArgs } from "./program-pod";

/** How many pods of a role there are, by the CPU they use. */
export interface Autoscaling {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** In percent of the CPU that a pod requests. */
  readonly cpuPercent: number;
}

/** Kinds of workload that agents can be. */
export type AgentWorkloadKind = "Deployment" | "StatefulSet";

/** What is alike for all agents' pods. */
export interface AgentPods {
  /** Number of pods of each role, where `autoscaling` does not decide it. */
  readonly replicas: number;
  /** Default: none. */
  readonly autoscaling?: Autoscaling;
  /** An image that is an agent by itself. Default: the reference agent. */
  readonly image?: string;
  /** Default: `AGENT_SIZE`. */
  readonly resources?: ContainerSize;
}

/** What `Agent` needs. */
export interface AgentArgs {
  readonly cluster: Cluster;
  readonly role: string;
  /** Text of config.yaml, or of Envoy's configuration where the role has a program of its own. */
  readonly config: pulumi.Input<string>;
  /** A program of the user's own with Envoy at its side. Default: an agent that has an identity of its own. */
  readonly program?: Pick<ProgramPodArgs, "program" | "envoyImage" | "callable">;
  readonly pods: AgentPods;
  /** The stock Node image, in which the bundle runs. */
  readonly nodeImage: string;
  /**
   * `Deployment`: none leaves before its successor is ready. `StatefulSet`: pods that keep their names, each of which leaves before it
   * comes again. Default: Deployment.
   */
  readonly kind?: AgentWorkloadKind;
  /** What the network adds to the pods. Default: nothing. */
  readonly withNetwork?: (
    template: k8s.types.input.core.v1.PodTemplateSpec,
  ) => k8s.types.input.core.v1.PodTemplateSpec;
  /** Digest of the bundle; undefined with an image of the user's own. */
  readonly bundleDigest?: string;
}

/** The agents of one role in one cloud. They depend on everything they need to become ready: pods have an identity, or do not start. */
export class Agent extends pulumi.ComponentResource {
  constructor(name: string, args: AgentArgs, opts?: DependentOptions) {
    super("agentweave:workloads:Agent", name, {}, opts);
    const { cluster, role, pods, program, nodeImage, bundleDigest, kind = "Deployment" } = args;
    const { withNetwork = (template) => template } = args;
    const { autoscaling } = pods;
    const self = childOptions(this, cluster, opts);
    const object = agentObjectName(role);
    const metadata = {
      name: object,
      namespace: NAMESPACES.agents,
      labels: agentLabels(cluster.name, role),
    };
    const text = pulumi.output(args.config);

    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      // An agent has nothing to ask of Kubernetes.
      { metadata, automountServiceAccountToken: false },
      self,
    );
    const config = new k8s.core.v1.ConfigMap(
      `${name}-config`,
      { metadata, data: { [program ? ENVOY.configFile : AGENT.configFile]: text } },
      self,
    );
    const spec = {
      // Left to the autoscaler where there is one, whose number an update must not reset.
      replicas: autoscaling === undefined ? pods.replicas : undefined,
      selector: { matchLabels: selector(object) },
      template: text.apply((config) =>
        withNetwork(
          program
            ? programPod({ cloud: cluster.name, role, ...program, checksum: checksum([config]) })
            : agentPod({
                cloud: cluster.name,
                role,
                image: pods.image ?? nodeImage,
                ownImage: pods.image !== undefined,
                size: pods.resources,
                checksum: checksum([config, bundleDigest ?? ""]),
              }),
        ),
      ),
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
    if ((autoscaling?.minReplicas ?? pods.replicas) > 1) {
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
