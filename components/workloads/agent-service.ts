// The Services of the agents: made before any of them, because every agent's configuration has the addresses of all.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import { loadBalancerHost } from "../kubernetes/load-balancer";
import { childOptions, type DependentOptions } from "../kubernetes/options";
import { AGENT_PORTS, agentObjectName, NAMESPACES, selector } from "../well-known";
import { agentLabels } from "./agent-pod";

/** What `AgentService` needs. */
export interface AgentServiceArgs {
  readonly cluster: Cluster;
  readonly role: string;
}

/** Service of the agents of one role, of type LoadBalancer. Only mutual TLS is published. */
export class AgentService extends pulumi.ComponentResource {
  /** Host name or IP address of the load balancer. Unknown at the first preview. */
  readonly host: pulumi.Output<string>;

  constructor(name: string, { cluster, role }: AgentServiceArgs, opts?: DependentOptions) {
    super("agentweave:workloads:AgentService", name, {}, opts);
    const self = childOptions(this, cluster, opts);
    const service = new k8s.core.v1.Service(
      name,
      {
        metadata: {
          name: agentObjectName(role),
          namespace: NAMESPACES.agents,
          labels: agentLabels(cluster.name, role),
          annotations: {
            ...cluster.loadBalancerAnnotations,
            // Pulumi would wait for a pod behind the Service too, and no pod can be configured before there is an address.
            "pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress[0]}",
          },
        },
        spec: {
          type: "LoadBalancer",
          loadBalancerClass: cluster.loadBalancerClass,
          // The caller is known by its identity, whatever its address; `Local` would lose connections when pods move.
          externalTrafficPolicy: "Cluster",
          publishNotReadyAddresses: false,
          selector: selector(agentObjectName(role)),
          ports: [{ name: "mtls", port: AGENT_PORTS.mtls, targetPort: "mtls" }],
        },
      },
      self,
    );
    this.host = loadBalancerHost(service, cluster.name);
    this.registerOutputs({ host: this.host });
  }
}
