// The subnet routers of one cloud: devices through which the tailnet reaches the addresses of its pods and Services.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../clouds/cluster";
import type { Images } from "../../images";
import { disruptionBudget } from "../../kubernetes/disruption-budget";
import { childOptions, type DependentOptions } from "../../kubernetes/options";
import { NAMESPACES, TAILNET } from "../../well-known";
import { labels, namespaceMetadata, selector } from "../../kubernetes/metadata";
import type { TailscaleSettings } from "../mode";
import { NamespacePolicies } from "../namespace-policies";
import type { FlowContext } from "../policies";
import { AUTH_SECRET } from "./containerboot";
import { authKeySecret, DeviceSecrets } from "./device-secrets";
import { type RouterMode, routerPod } from "./router-pod";

/** What `SubnetRouters` needs. */
export interface SubnetRoutersArgs {
  readonly cluster: Cluster;
  readonly mode: RouterMode;
  readonly settings: TailscaleSettings;
  /** A secret. */
  readonly authKey: pulumi.Output<string>;
  readonly images: Images;
  readonly flows: FlowContext;
}

/** A cloud's subnet routers. All offer the same ranges: the tailnet uses one, and turns to another when that one is gone. */
export class SubnetRouters extends pulumi.ComponentResource {
  readonly namespace: pulumi.Resource;

  constructor(name: string, args: SubnetRoutersArgs, opts?: DependentOptions) {
    super("agentweave:network:SubnetRouters", name, {}, opts);
    const { cluster, mode, settings, authKey, images, flows } = args;
    const { replicas, resources } = settings.router;
    const self = childOptions(this, cluster, opts);
    const within = (...more: pulumi.Resource[]) => ({
      ...self,
      dependsOn: [...self.dependsOn, this.namespace, ...more],
    });
    const metadata = {
      name: TAILNET.router,
      namespace: NAMESPACES.tailscale,
      labels: labels(TAILNET.router, "network"),
    };
    const pods = { matchLabels: selector(TAILNET.router) };

    this.namespace = new k8s.core.v1.Namespace(
      `${name}-namespace`,
      {
        metadata: namespaceMetadata(NAMESPACES.tailscale, mode === "userspace" ? "restricted" : "privileged"),
      },
      self,
    );
    const policies = new NamespacePolicies(
      `${name}-network`,
      { cluster, namespace: NAMESPACES.tailscale, flows },
      { parent: this, dependsOn: within().dependsOn },
    );
    const key = authKeySecret(
      `${name}-auth-key`,
      { ...AUTH_SECRET, namespace: NAMESPACES.tailscale },
      authKey,
      within(),
    );
    const account = new k8s.core.v1.ServiceAccount(`${name}-account`, { metadata }, within());
    const secrets = new DeviceSecrets(
      `${name}-state`,
      {
        cluster,
        namespace: NAMESPACES.tailscale,
        workload: TAILNET.router,
        pods: replicas,
        account: TAILNET.router,
      },
      { parent: this, dependsOn: within(account).dependsOn },
    );
    new k8s.apps.v1.StatefulSet(
      name,
      {
        metadata,
        spec: {
          // Nobody asks for a router's name in the cluster, so there is no Service of this name.
          serviceName: TAILNET.router,
          replicas,
          podManagementPolicy: "Parallel",
          selector: pods,
          template: routerPod({
            cloud: cluster.name,
            mode,
            routes: [cluster.podCidr, cluster.serviceCidr],
            image: images.tailscale,
            size: resources,
            settings,
          }),
        },
      },
      within(policies.ready, key, account, secrets),
    );
    if (replicas > 1) {
      disruptionBudget(`${name}-budget`, metadata, pods.matchLabels, { maxUnavailable: 1 }, within());
    }
    this.registerOutputs({});
  }
}
