// SPIRE's OIDC discovery provider in one cluster: serves the keys by which systems outside of the mesh verify JWT-SVIDs.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import type { Images } from "../images";
import { checksum } from "../kubernetes/checksum";
import { disruptionBudget } from "../kubernetes/disruption-budget";
import { labels, namespaceMetadata, selector } from "../kubernetes/metadata";
import { childOptions, type DependentOptions } from "../kubernetes/options";
import { servicePort } from "../kubernetes/service-port";
import { beforeItsPods, EXPOSED_SERVICE_OPTIONS, exposedService } from "../network/exposure";
import { NamespacePolicies } from "../network/namespace-policies";
import type { FlowContext } from "../network/policies";
import { RegistrationEntry } from "../trust/resources";
import type { ServerTarget } from "../trust/server-location";
import { NAMESPACES, OIDC } from "../well-known";
import { nodeAliasSpiffeId, oidcSpiffeId } from "../../spiffe/spiffe-id";
import { oidcPort, type OidcSettings, renderOidcConf } from "./oidc-conf";
import { OIDC_CONFIG_MAP, OIDC_REPLICAS, oidcPod } from "./oidc-pod";

/** What `OidcDiscoveryProvider` needs. */
export interface OidcDiscoveryProviderArgs {
  readonly cluster: Cluster;
  readonly trustDomain: string;
  /** SPIRE server that issues its identity. */
  readonly target: ServerTarget;
  /** Registration of the cluster's nodes, parent of its entry. */
  readonly nodeAlias: pulumi.Resource;
  /** What brings its identity. It leaves after it. */
  readonly csiDriver: pulumi.Resource;
  readonly settings: OidcSettings;
  readonly flows: FlowContext;
  readonly images: Pick<Images, "oidcDiscoveryProvider">;
}

/**
 * The provider in a namespace of its own, where it has no access to a server, and whoever looks after its certificate none to a server's Secrets. It is
 * registered like any workload, since SPIRE agents tell keys to nobody else.
 */
export class OidcDiscoveryProvider extends pulumi.ComponentResource {
  constructor(name: string, args: OidcDiscoveryProviderArgs, opts?: DependentOptions) {
    super("agentweave:spire:OidcDiscoveryProvider", name, {}, opts);
    const { cluster, trustDomain, target, nodeAlias, csiDriver, settings, flows, images } = args;
    const { tlsSecret } = settings;
    const own = childOptions(this, cluster, opts);
    const metadata = { name: OIDC.name, namespace: NAMESPACES.oidc, labels: labels(OIDC.name, "oidc") };

    const namespace = new k8s.core.v1.Namespace(
      `${name}-namespace`,
      { metadata: namespaceMetadata(NAMESPACES.oidc, "restricted") },
      own,
    );
    const self = { ...own, dependsOn: [...own.dependsOn, namespace] };
    const policies = new NamespacePolicies(
      `${name}-network`,
      { cluster, namespace: NAMESPACES.oidc, flows },
      { parent: this, dependsOn: self.dependsOn },
    );
    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata, automountServiceAccountToken: false },
      self,
    );
    const entry = new RegistrationEntry(
      `${name}-entry`,
      {
        target,
        spiffeId: oidcSpiffeId(trustDomain, cluster.name),
        parentId: nodeAliasSpiffeId(trustDomain, cluster.clusterName),
        selectors: [`k8s:ns:${NAMESPACES.oidc}`, `k8s:sa:${OIDC.name}`],
      },
      { parent: this, dependsOn: [nodeAlias] },
    );
    const files = { [OIDC_CONFIG_MAP.conf]: renderOidcConf(settings, trustDomain) };
    const config = new k8s.core.v1.ConfigMap(
      `${name}-config`,
      { metadata: { ...metadata, name: OIDC_CONFIG_MAP.name }, data: files },
      self,
    );
    const matchLabels = selector(OIDC.name);
    const exposure = { kind: settings.exposure };
    // Its certificate is somebody else's, and may be made later, into the namespace that is made here.
    const waiting = tlsSecret !== undefined;
    const deployment = new k8s.apps.v1.Deployment(
      name,
      {
        metadata: { ...metadata, ...(waiting && { annotations: { "pulumi.com/skipAwait": "true" } }) },
        spec: {
          replicas: OIDC_REPLICAS,
          selector: { matchLabels },
          strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
          template: oidcPod({ image: images.oidcDiscoveryProvider, tlsSecret, checksum: checksum(files) }),
        },
      },
      { ...self, dependsOn: [...self.dependsOn, account, config, entry, csiDriver, policies.ready] },
    );
    disruptionBudget(`${name}-budget`, metadata, matchLabels, { maxUnavailable: 1 }, self);
    const { annotations, spec } = exposedService(cluster, exposure);
    new k8s.core.v1.Service(
      `${name}-service`,
      {
        metadata: { ...metadata, annotations: { ...annotations, ...(waiting && beforeItsPods(exposure)) } },
        spec: {
          ...spec,
          selector: matchLabels,
          ports: [servicePort(waiting ? "https" : "http", oidcPort(settings))],
        },
      },
      { ...self, ...EXPOSED_SERVICE_OPTIONS, dependsOn: [...self.dependsOn, deployment] },
    );
    this.registerOutputs({});
  }
}
