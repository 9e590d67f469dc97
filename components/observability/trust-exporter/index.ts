// The trust exporter of one cluster: tells how fresh the bundles are that its workloads have of the other clouds.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../clouds/cluster";
import type { Images } from "../../images";
import { checksum } from "../../kubernetes/checksum";
import type { ContainerSize } from "../../kubernetes/container";
import type { NodeBundle } from "../../kubernetes/node-bundle";
import { childOptions, type DependentOptions } from "../../kubernetes/options";
import { NAMESPACES, TRUST_EXPORTER } from "../../well-known";
import { labels, selector } from "../../kubernetes/metadata";
import type { BundleProfile } from "../../trust/fetch-failure";
import { renderTrustExporterConfig } from "./config";
import { TRUST_EXPORTER_CONFIG, trustExporterPod } from "./pod";

/** Another cloud, whose bundle is watched. */
export interface WatchedCloud {
  readonly cloud: string;
  /** Without scheme. */
  readonly trustDomain: string;
  /** URL of its bundle endpoint. */
  readonly bundleEndpoint: pulumi.Input<string>;
  /** How that proves itself. Default: https_spiffe. */
  readonly profile?: BundleProfile;
}

/** What `TrustExporter` needs. */
export interface TrustExporterArgs {
  readonly cluster: Cluster;
  /** The cluster's own. */
  readonly trustDomain: string;
  readonly sources: readonly WatchedCloud[];
  /** The stack's refresh hint, in seconds. */
  readonly refreshSeconds: number;
  readonly images: Pick<Images, "agent">;
  /** The bundle `telemetry`. */
  readonly bundle: Pick<NodeBundle, "digest">;
  readonly size?: ContainerSize;
}

/**
 * The exporter, in namespace `observability`, which must be there with the programs. It has no right in the cluster, only an identity: give its
 * registration entry in `dependsOn`, without which it is never ready.
 */
export class TrustExporter extends pulumi.ComponentResource {
  constructor(name: string, args: TrustExporterArgs, opts?: DependentOptions) {
    super("agentweave:observability:TrustExporter", name, {}, opts);
    const { cluster, trustDomain, sources, refreshSeconds, images, bundle, size } = args;
    const self = childOptions(this, cluster, opts);
    const metadata = {
      name: TRUST_EXPORTER.name,
      namespace: NAMESPACES.observability,
      labels: labels(TRUST_EXPORTER.name, "observability"),
    };
    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata, automountServiceAccountToken: false },
      self,
    );
    const config = pulumi.output([...sources]).apply((sources) =>
      renderTrustExporterConfig({
        cloud: cluster.name,
        region: cluster.region,
        trustDomain,
        sources,
        refreshSeconds,
      }),
    );
    const configMap = new k8s.core.v1.ConfigMap(
      `${name}-config`,
      {
        metadata: { ...metadata, name: TRUST_EXPORTER_CONFIG.configMap },
        data: { [TRUST_EXPORTER_CONFIG.key]: config },
      },
      self,
    );
    new k8s.apps.v1.Deployment(
      name,
      {
        metadata,
        spec: {
          replicas: 1,
          selector: { matchLabels: selector(TRUST_EXPORTER.name) },
          // Two at once would tell everything twice.
          strategy: { type: "Recreate" },
          template: config.apply((text) =>
            trustExporterPod({ image: images.agent, size, checksum: checksum([text, bundle.digest]) }),
          ),
        },
      },
      { ...self, dependsOn: [...self.dependsOn, account, configMap] },
    );
    this.registerOutputs({});
  }
}
