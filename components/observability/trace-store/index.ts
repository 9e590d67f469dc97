// The trace store of the mesh, in its home cloud: Jaeger with a volume, and the door at which all clouds' collectors bring their traces.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../clouds/cluster";
import type { Images } from "../../images";
import { checksum } from "../../kubernetes/checksum";
import { loadBalancerHost } from "../../kubernetes/load-balancer";
import { childOptions, type DependentOptions } from "../../kubernetes/options";
import { servicePort } from "../../kubernetes/service-port";
import { OWN_VOLUME_OPTIONS, ownVolume, ownVolumeCleanup, ownVolumeSize } from "../../kubernetes/volume";
import {
  beforeItsPods,
  EXPOSED_SERVICE_OPTIONS,
  exposedService,
  type Exposure,
} from "../../network/exposure";
import { NAMESPACES, TRACE_STORE } from "../../well-known";
import { labels, selector } from "../../kubernetes/metadata";
import type { WithNetwork } from "../collector";
import { RELAY_CONFIG_FILE, renderReceiver } from "../relay";
import type { TracesSettings } from "../settings";
import { renderTraceStoreConfig, TRACE_STORE_PATHS } from "./config";
import { TRACE_STORE_CONFIG_MAP, traceStorePod, TRACES_VOLUME } from "./pod";

/** What `TraceStore` needs. */
export interface TraceStoreArgs {
  /** Of the home cloud. */
  readonly cluster: Cluster;
  /** SPIFFE ids of the collectors that may send. */
  readonly senders: readonly string[];
  readonly settings: TracesSettings;
  readonly images: Pick<Images, "jaeger" | "envoy">;
  /** Who reaches the intake from outside of the cluster. */
  readonly exposure: Exposure;
  /** Default: nothing. */
  readonly withNetwork?: WithNetwork | undefined;
}

/**
 * The store, in namespace `observability`, which must be there. Its relay needs an identity: give its registration entry in
 * `dependsOn`, without which it is never ready. It has one replica, as its volume takes one writer; while it is away, traces wait in
 * the collectors' queues.
 */
export class TraceStore extends pulumi.ComponentResource {
  /** `host:port` of the intake for the own cluster. */
  readonly address = `${TRACE_STORE.intakeService}.${NAMESPACES.observability}.svc.cluster.local:${TRACE_STORE.intakePort}`;
  /** Host name or IP address of the intake's load balancer, unknown at the first preview; undefined where there is none. */
  readonly host?: pulumi.Output<string>;
  /** URL of the HTTP API and user interface, within the cluster. */
  readonly queryUrl = `http://${TRACE_STORE.name}.${NAMESPACES.observability}.svc.cluster.local:${TRACE_STORE.queryPort}`;

  constructor(name: string, args: TraceStoreArgs, opts?: DependentOptions) {
    super("agentweave:observability:TraceStore", name, {}, opts);
    const { cluster, senders, settings, images, exposure } = args;
    const { withNetwork = (template) => template } = args;
    const self = childOptions(this, cluster, opts);
    const metadata = {
      name: TRACE_STORE.name,
      namespace: NAMESPACES.observability,
      labels: labels(TRACE_STORE.name, "observability"),
    };
    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata, automountServiceAccountToken: false },
      self,
    );
    const { name: cloud, region } = cluster;
    const config = renderTraceStoreConfig({ cloud, region, traces: settings });
    const relay = renderReceiver(cloud, senders);
    const configMap = new k8s.core.v1.ConfigMap(
      `${name}-config`,
      {
        metadata: { ...metadata, name: TRACE_STORE_CONFIG_MAP },
        data: { [TRACE_STORE_PATHS.configFile]: config, [RELAY_CONFIG_FILE]: relay },
      },
      self,
    );
    const matchLabels = selector(TRACE_STORE.name);
    const template = traceStorePod({
      image: images.jaeger,
      size: settings.store,
      envoyImage: images.envoy,
      checksum: checksum([config, relay]),
    });
    const cleanup = ownVolumeCleanup(`${name}-volume-cleanup`, cluster, metadata, TRACES_VOLUME, self);
    const pod = new k8s.apps.v1.StatefulSet(
      name,
      {
        metadata,
        spec: {
          replicas: 1,
          serviceName: TRACE_STORE.name,
          // One in order would wait for ever for a pod that does not get ready, instead of replacing it by the next version.
          podManagementPolicy: "Parallel",
          selector: { matchLabels },
          template: withNetwork(template),
          ...ownVolume(cluster, TRACES_VOLUME, settings.storageSize, metadata.labels),
        },
      },
      { ...self, ...OWN_VOLUME_OPTIONS, dependsOn: [...self.dependsOn, account, configMap, cleanup] },
    );
    ownVolumeSize(`${name}-volume`, metadata, TRACES_VOLUME, settings.storageSize, {
      ...self,
      dependsOn: [...self.dependsOn, pod],
    });
    // After the pod, because Pulumi waits until a Service has endpoints.
    new k8s.core.v1.Service(
      `${name}-query`,
      {
        metadata,
        spec: {
          selector: matchLabels,
          ports: [servicePort("query", TRACE_STORE.queryPort)],
        },
      },
      { ...self, dependsOn: [...self.dependsOn, pod] },
    );
    const { annotations, spec } = exposedService(cluster, exposure);
    const intake = new k8s.core.v1.Service(
      `${name}-intake`,
      {
        metadata: {
          ...metadata,
          name: TRACE_STORE.intakeService,
          annotations: {
            ...annotations,
            // Collectors wait for the address alone, not for the pod behind it.
            ...beforeItsPods(exposure),
          },
        },
        spec: {
          ...spec,
          selector: matchLabels,
          ports: [servicePort("intake", TRACE_STORE.intakePort)],
        },
      },
      { ...self, ...EXPOSED_SERVICE_OPTIONS },
    );
    this.host = exposure.kind === "cluster" ? undefined : loadBalancerHost(intake, cluster.name);
    this.registerOutputs({ address: this.address, host: this.host, queryUrl: this.queryUrl });
  }
}
