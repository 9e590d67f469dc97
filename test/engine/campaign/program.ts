// The program of the campaign: the trust layer of the mesh, with what the Kubernetes provider makes beside it.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../../components/clouds/cluster";
import { GeneratedConfigMap } from "../../../components/kubernetes/generated-config-map";
import { TrustFederation } from "../../../components/trust/federation";
import { RegistrationEntry } from "../../../components/trust/resources";
import { serverSpiffeId } from "../../../spiffe/spiffe-id";
import { target } from "../spire-pods";
import { cloudsOf, type Configuration, NAMESPACE, type Settings, trustDomainOf } from "./configurations";

const TIMEOUT_SECONDS = 120;

/** The program for a configuration. Its outputs are what two runs of it must agree in. */
export const program =
  ({ kubeconfig, endpoints }: Settings, configuration: Configuration) =>
  async () => {
    const all = configuration === "three clouds";
    const clouds = cloudsOf(configuration);
    const kubernetes = new k8s.Provider("cluster", { kubeconfig, clusterIdentifier: NAMESPACE });
    const cluster: Cluster = {
      name: "cluster",
      ...{ region: "here", clusterName: "cluster", context: "cluster", podCidr: "", serviceCidr: "" },
      ...{ sourceCidrs: [], loadBalancerAnnotations: {} },
      kubeconfig: pulumi.secret(kubeconfig),
      kubernetes,
    };
    const targetOf = (cloud: string) => ({ ...target(cloud, trustDomainOf(cloud)), kubeconfig });
    const trust = new TrustFederation("trust", {
      members: clouds.map((cloud) => ({
        name: cloud,
        target: targetOf(cloud),
        bundleEndpointUrl: endpoints[cloud]!,
      })),
      timeoutSeconds: TIMEOUT_SECONDS,
    });
    const entry = (cloud: string, name: string, more: { x509SvidTtlSeconds?: number } = {}) =>
      new RegistrationEntry(
        `${cloud}-${name}`,
        {
          target: targetOf(cloud),
          spiffeId: `spiffe://${trustDomainOf(cloud)}/agent/${name}`,
          parentId: serverSpiffeId(trustDomainOf(cloud)),
          selectors: ["k8s:ns:agents", `k8s:sa:${name}`],
          federatesWith: trust.relationshipsOf(cloud),
          timeoutSeconds: TIMEOUT_SECONDS,
          ...more,
        },
        { dependsOn: trust.bundlesOf(cloud) },
      );
    const entries = clouds.flatMap((cloud) => [
      entry(cloud, "planner", { x509SvidTtlSeconds: all ? 0 : 1800 }),
      entry(cloud, all ? "worker" : "researcher"),
    ]);
    const namespace = new k8s.core.v1.Namespace(
      NAMESPACE,
      { metadata: { name: NAMESPACE } },
      { provider: kubernetes },
    );
    new k8s.core.v1.ConfigMap(
      "digests",
      {
        metadata: { name: "digests", namespace: NAMESPACE },
        data: Object.fromEntries(Object.entries(trust.bundles).map(([cloud, { digest }]) => [cloud, digest])),
      },
      { provider: kubernetes, dependsOn: [namespace], deletedWith: namespace },
    );
    new GeneratedConfigMap("policy", {
      ...{ cluster, namespace: NAMESPACE, within: namespace, configMap: "policy", labels: {} },
      recipe: {
        name: "opa",
        args: {
          location: { cloud: "north", region: configuration },
          topology: { members: [], calls: [], relays: [] },
        },
      },
    });
    return {
      digests: pulumi.all(trust.bundles).apply((bundles) => Object.keys(bundles)),
      trusted: trust.relationships.map(({ target, source, relationship }) =>
        pulumi
          .all([relationship.id, relationship.bundleState, relationship.storedDigest])
          .apply((found) => [target, source, ...found]),
      ),
      entries: entries.map(({ spiffeId }) => spiffeId),
    };
  };
