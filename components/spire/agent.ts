// The SPIRE agent of one cluster: on every node, it attests itself to the server and serves the Workload API.
import { createHash } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import type { Images } from "../images";
import { NAMESPACES, SPIRE_AGENT } from "../well-known";
import { labels, selector } from "../kubernetes/metadata";
import { agentPod, AGENT_CONFIG_MAP } from "./agent-pod";
import { renderAgentConf, type LogLevel } from "./conf";
import { childOptions, type DependentOptions } from "../kubernetes/options";
import type { ContainerSize } from "../kubernetes/container";

/** What `SpireAgent` needs. */
export interface SpireAgentArgs {
  readonly cluster: Cluster;
  /** Trust domain of the cluster's server. */
  readonly trustDomain: string;
  /** DNS name or address of the server that attests it, in another cluster. Default: that of its own cluster. */
  readonly serverAddress?: pulumi.Input<string>;
  readonly logLevel: LogLevel;
  readonly size?: ContainerSize;
  readonly images: Images;
  /** What its pods wait for besides, known later. Default: nothing. */
  readonly after?: Promise<readonly pulumi.Resource[]>;
}

/**
 * The permission for `/pods` of a kubelet. nodes/proxy opens all of a kubelet, and a GET there also executes commands in any of its pods. Kubelets know
 * nodes/pods since Kubernetes 1.33 (feature KubeletFineGrainedAuthz, https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/).
 */
function kubeletPods(version: Cluster["kubernetesVersion"]): pulumi.Output<string> {
  return pulumi.output(version).apply((known) => {
    const minor = /^1\.(\d+)/.exec(known ?? "")?.[1];
    return minor !== undefined && Number(minor) < 33 ? "nodes/proxy" : "nodes/pods";
  });
}

/** SPIRE agents as a DaemonSet. Depends on the server: its pods start when the server has published its bundle. */
export class SpireAgent extends pulumi.ComponentResource {
  /** What others depend on: all else of it was made before. */
  readonly ready: pulumi.Resource;

  constructor(name: string, args: SpireAgentArgs, opts?: DependentOptions) {
    super("agentweave:spire:Agent", name, {}, opts);
    const { cluster, trustDomain, serverAddress, logLevel, size, images, after } = args;
    const self = childOptions(this, cluster, opts);
    const metadata = {
      name: SPIRE_AGENT.name,
      namespace: NAMESPACES.spireSystem,
      labels: labels(SPIRE_AGENT.name, "agent"),
    };

    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata: { ...metadata, name: SPIRE_AGENT.serviceAccount } },
      self,
    );
    const clusterWide = { name: "agentweave-spire-agent", labels: metadata.labels };
    const role = new k8s.rbac.v1.ClusterRole(
      `${name}-cluster-role`,
      {
        metadata: clusterWide,
        // To ask the node's kubelet for its pods, and nothing of the API server (SPIRE,
        // pkg/agent/plugin/workloadattestor/k8s/kubeletclient.go).
        rules: [{ apiGroups: [""], resources: [kubeletPods(cluster.kubernetesVersion)], verbs: ["get"] }],
      },
      self,
    );
    const binding = new k8s.rbac.v1.ClusterRoleBinding(
      `${name}-cluster-role-binding`,
      {
        metadata: clusterWide,
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: clusterWide.name },
        subjects: [
          {
            kind: "ServiceAccount",
            name: SPIRE_AGENT.serviceAccount,
            namespace: NAMESPACES.spireSystem,
          },
        ],
      },
      self,
    );

    const conf = pulumi
      .output(serverAddress)
      .apply((serverAddress) =>
        renderAgentConf({ trustDomain, clusterName: cluster.clusterName, serverAddress, logLevel }),
      );
    const config = new k8s.core.v1.ConfigMap(
      `${name}-config`,
      { metadata: { ...metadata, name: AGENT_CONFIG_MAP.name }, data: { [AGENT_CONFIG_MAP.conf]: conf } },
      self,
    );
    const waited = async (): Promise<pulumi.Resource[]> => [
      ...[...self.dependsOn, account, role, binding, config],
      ...((await after) ?? []),
    ];
    this.ready = new k8s.apps.v1.DaemonSet(
      name,
      {
        metadata,
        spec: {
          selector: { matchLabels: selector(SPIRE_AGENT.name) },
          template: conf.apply((conf) =>
            agentPod({
              image: images.spireAgent,
              size,
              configChecksum: createHash("sha256").update(conf).digest("hex"),
            }),
          ),
        },
      },
      {
        ...self,
        dependsOn: waited(),
      },
    );
    this.registerOutputs({});
  }
}
