// The address under which a Service of type LoadBalancer is reached.
import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

/** What matters here of the state of a Service of type LoadBalancer. */
export interface LoadBalancerState {
  readonly namespace: string;
  readonly name: string;
  /** `status.loadBalancer.ingress`: absent or empty until the cloud has made the load balancer. */
  readonly ingress?: readonly { readonly hostname?: string; readonly ip?: string }[];
}

/**
 * Host name, or else IP address, that the cloud gave to the load balancer; undefined if there is none yet at a preview.
 *
 * @param cloud key of the cloud, for messages.
 * @throws an Error if there is none after an update, which has waited for it.
 */
export function hostOf(cloud: string, state: LoadBalancerState, preview: boolean): string | undefined {
  const { namespace, name, ingress } = state;
  const host = ingress?.[0]?.hostname ?? ingress?.[0]?.ip;
  if (host !== undefined || preview) return host;
  throw new Error(
    `${cloud}: Service ${namespace}/${name} has no load balancer address. Look at its events ` +
      `(kubectl -n ${namespace} describe service ${name}): a quota, a missing load balancer controller or ` +
      `subnet tags are the usual causes. Then run the update again.`,
  );
}

/** `hostOf` the Service as an output, which is unknown at a preview before the load balancer exists. */
export function loadBalancerHost(service: k8s.core.v1.Service, cloud: string): pulumi.Output<string> {
  return pulumi.all([service.metadata, service.status]).apply(([{ namespace, name }, status]) => {
    const state = { namespace, name, ingress: status?.loadBalancer?.ingress };
    // An output that resolves to `unknown` is unknown itself.
    return hostOf(cloud, state, pulumi.runtime.isDryRun()) ?? (pulumi.unknown as unknown as string);
  });
}

/** URL of a port at `host`, a DNS name or an IP address (version 6 goes into brackets). */
export function httpsUrl(host: string, port: number): string {
  return `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
