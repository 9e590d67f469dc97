// The Services of the agents: made before any of them, because every agent's configuration has the addresses of all.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import { loadBalancerHost } from "../kubernetes/load-balancer";
import { childOptions, type DependentOptions } from "../kubernetes/options";
import { servicePort } from "../kubernetes/service-port";
import { beforeItsPods, EXPOSED_SERVICE_OPTIONS, exposedService, type Exposure } from "../network/exposure";
import { AGENT_PORTS, AGENT_SELECTOR, agentObjectName, NAMESPACES } from "../well-known";
import { selector } from "../kubernetes/metadata";
import { agentLabels } from "./agent-pod";

/** What `AgentService` needs. */
export interface AgentServiceArgs {
  readonly cluster: Cluster;
  readonly role: string;
  readonly exposure: Exposure;
}

/** Service of the agents of one role. Only mutual TLS is published. */
export class AgentService extends pulumi.ComponentResource {
  /** Host name or IP address of the load balancer, unknown at the first preview; undefined where there is none. */
  readonly host?: pulumi.Output<string>;

  constructor(name: string, args: AgentServiceArgs, opts?: DependentOptions) {
    super("agentweave:workloads:AgentService", name, {}, opts);
    const { cluster, role, exposure } = args;
    const self = childOptions(this, cluster, opts);
    const { annotations, spec } = exposedService(cluster, exposure);
    const service = new k8s.core.v1.Service(
      name,
      {
        metadata: {
          name: agentObjectName(role),
          namespace: NAMESPACES.agents,
          labels: agentLabels(cluster.name, role),
          annotations: {
            ...annotations,
            // Pulumi would wait for a pod behind the Service, and no pod can be configured before all Services are there.
            ...beforeItsPods(exposure),
          },
        },
        spec: {
          ...spec,
          publishNotReadyAddresses: false,
          // Amazon's VPC CNI lets a pod call a Service only where this has the labels by which the policy knows the pods behind it
          // (aws/amazon-network-policy-controller-k8s, pkg/resolvers/endpoints.go, `getMatchingServiceClusterIPs`).
          selector: { ...selector(agentObjectName(role)), ...AGENT_SELECTOR },
          ports: [servicePort("mtls", AGENT_PORTS.mtls)],
        },
      },
      { ...self, ...EXPOSED_SERVICE_OPTIONS },
    );
    this.host = exposure.kind === "cluster" ? undefined : loadBalancerHost(service, cluster.name);
    this.registerOutputs({ host: this.host });
  }
}
