// The address under which a Service of type LoadBalancer is reached.
import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

/**
 * Host name, or else IP address, that the cloud's load balancer gave to `service`. Unknown at a preview before the
 * load balancer exists.
 *
 * @param cloud key of the cloud, for the message of the error that is thrown if there is no address after an update.
 */
export function loadBalancerHost(service: k8s.core.v1.Service, cloud: string): pulumi.Output<string> {
  return pulumi.all([service.metadata, service.status]).apply(([metadata, status]) => {
    const ingress = status?.loadBalancer?.ingress?.[0];
    const host = ingress?.hostname ?? ingress?.ip;
    if (host !== undefined) return host;
    // An output that resolves to `unknown` is unknown itself, as the address is until the first update.
    if (pulumi.runtime.isDryRun()) return pulumi.unknown as unknown as string;
    throw new Error(
      `${cloud}: Service ${metadata.namespace}/${metadata.name} has no load balancer address. Look at its events ` +
        `(kubectl -n ${metadata.namespace} describe service ${metadata.name}): a quota, a missing load balancer ` +
        `controller or subnet tags are the usual causes. Then run the update again.`,
    );
  });
}
