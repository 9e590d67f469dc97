// The OpenTelemetry collector of one cluster: it takes its agents' traces, and sends them to the trace store of the home cloud.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../clouds/cluster";
import type { Images } from "../../images";
import { checksum } from "../../kubernetes/checksum";
import { disruptionBudget } from "../../kubernetes/disruption-budget";
import { childOptions, type DependentOptions } from "../../kubernetes/options";
import { servicePort } from "../../kubernetes/service-port";
import { COLLECTOR, NAMESPACES } from "../../well-known";
import { labels, selector } from "../../kubernetes/metadata";
import { COLLECTOR_PATHS, renderCollectorConfig } from "./config";
import { COLLECTOR_CONFIG_MAP, collectorPod } from "./pod";
import { RELAY_CONFIG_FILE, renderSender } from "../relay";
import type { TracesSettings } from "../settings";

/** What the network adds to a pod: `withDevice`, or nothing. */
export type WithNetwork = (
  template: k8s.types.input.core.v1.PodTemplateSpec,
) => k8s.types.input.core.v1.PodTemplateSpec;

/** Where traces go. */
export interface TraceIntake {
  /** `host:port`. */
  readonly address: pulumi.Input<string>;
  /** Who must answer there. */
  readonly spiffeId: string;
}

/** What `Collector` needs. */
export interface CollectorArgs {
  readonly cluster: Cluster;
  readonly intake: TraceIntake;
  readonly settings: TracesSettings;
  readonly images: Pick<Images, "otelCollector" | "envoy">;
  /** Number of pods. Default: that of the settings. */
  readonly replicas?: number | undefined;
  /** URL of the HTTP CONNECT proxy by which the intake is reached. Default: directly. */
  readonly proxyUrl?: string | undefined;
  /** Default: nothing. */
  readonly withNetwork?: WithNetwork | undefined;
}

/**
 * The collector, in namespace `observability`, which must be there. Its relay needs an identity: give its registration entry
 * in `dependsOn`, without which it is never ready.
 */
export class Collector extends pulumi.ComponentResource {
  /** URL of OTLP over HTTP for agents of the same cluster. */
  readonly endpoint = COLLECTOR_ENDPOINT;

  constructor(name: string, args: CollectorArgs, opts?: DependentOptions) {
    super("agentweave:observability:Collector", name, {}, opts);
    const { cluster, intake, settings, images, replicas = settings.replicas, proxyUrl } = args;
    const { withNetwork = (template) => template } = args;
    const self = childOptions(this, cluster, opts);
    const metadata = {
      name: COLLECTOR.name,
      namespace: NAMESPACES.observability,
      labels: labels(COLLECTOR.name, "observability"),
    };
    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata, automountServiceAccountToken: false },
      self,
    );
    const config = renderCollectorConfig({
      cloud: cluster.name,
      region: cluster.region,
      clusterName: cluster.clusterName,
      sampling: settings.sampling,
    });
    const relay = pulumi
      .output(intake.address)
      .apply((address) => renderSender({ cloud: cluster.name, address, peer: intake.spiffeId, proxyUrl }));
    const configMap = new k8s.core.v1.ConfigMap(
      `${name}-config`,
      {
        metadata: { ...metadata, name: COLLECTOR_CONFIG_MAP },
        data: { [COLLECTOR_PATHS.configFile]: config, [RELAY_CONFIG_FILE]: relay },
      },
      self,
    );
    const matchLabels = selector(COLLECTOR.name);
    const pods = new k8s.apps.v1.StatefulSet(
      name,
      {
        metadata,
        spec: {
          replicas,
          serviceName: COLLECTOR.name,
          // None needs another.
          podManagementPolicy: "Parallel",
          selector: { matchLabels },
          template: relay.apply((relay) =>
            withNetwork(
              collectorPod({
                image: images.otelCollector,
                size: settings.collector,
                envoyImage: images.envoy,
                checksum: checksum([config, relay]),
              }),
            ),
          ),
        },
      },
      { ...self, dependsOn: [...self.dependsOn, account, configMap] },
    );
    // With one pod, a budget either allows every eviction, and says nothing, or blocks every node drain.
    if (replicas > 1) {
      disruptionBudget(`${name}-disruption-budget`, metadata, matchLabels, { maxUnavailable: 1 }, self);
    }
    // After the pods, because Pulumi waits until a Service has endpoints.
    new k8s.core.v1.Service(
      `${name}-service`,
      {
        metadata,
        spec: {
          selector: matchLabels,
          ports: [servicePort("otlp-http", COLLECTOR.otlpHttpPort)],
        },
      },
      { ...self, dependsOn: [...self.dependsOn, pods] },
    );
    this.registerOutputs({ endpoint: this.endpoint });
  }
}

/** URL at which every cluster's collector takes OTLP over HTTP from the agents there. */
export const COLLECTOR_ENDPOINT = `http://${COLLECTOR.name}.${NAMESPACES.observability}.svc.cluster.local:${COLLECTOR.otlpHttpPort}`;
