// Prometheus in the home cloud: it reads every cluster of the mesh, keeps the samples, and evaluates the rules.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../clouds/cluster";
import type { ApiServer } from "../../clouds/kubeconfig-server";
import type { Images } from "../../images";
import { GeneratedConfigMap } from "../../kubernetes/generated-config-map";
import { childOptions, type DependentOptions } from "../../kubernetes/options";
import { servicePort } from "../../kubernetes/service-port";
import { OWN_VOLUME_OPTIONS, ownVolume, ownVolumeCleanup, ownVolumeSize } from "../../kubernetes/volume";
import { KUBERNETES_API, NAMESPACES, PROMETHEUS } from "../../well-known";
import { labels, selector } from "../../kubernetes/metadata";
import type { RulesArgs } from "../rules";
import type { MetricsSettings, RemoteWrite } from "../settings";
import { reachableApiServer } from "../../clouds/api-server";
import { renderPrometheusConfig } from "./config";
import { type ScrapedCluster, type ScrapeReach } from "./scraped-cluster";
import { authorities, CONFIG_FILE, remoteWriteKey } from "./files";
import {
  DATA_VOLUME,
  PROMETHEUS_CONFIG_MAP,
  prometheusPod,
  REMOTE_WRITE_SECRET,
  RULES_CONFIG_MAP,
} from "./pod";

/** A cloud that Prometheus reads. */
export interface ScrapedCloud {
  readonly cluster: Cluster;
  /** Whether Prometheus runs there: of one cloud alone. */
  readonly home: boolean;
  readonly reach: ScrapeReach;
}

type Template = k8s.types.input.core.v1.PodTemplateSpec;

/** What `Prometheus` needs. */
export interface PrometheusArgs {
  readonly clouds: readonly ScrapedCloud[];
  /** The home's namespace `observability`. */
  readonly namespace: pulumi.Resource;
  /** Those with pods of the mesh. */
  readonly namespaces: readonly string[];
  readonly images: Pick<Images, "prometheus">;
  readonly settings: MetricsSettings;
  /** What the rules are made from. */
  readonly rules: pulumi.Input<RulesArgs>;
  /** What the network adds to the pod. Default: nothing. */
  readonly withNetwork?: (template: Template) => Template;
}

/**
 * Prometheus of one replica with its samples on a volume. A restart leaves a gap of seconds; while it is away nobody is alerted. Must depend on its account
 * (`ScrapeAccess`) and on the tokens for the other clouds (`ScrapeToken`).
 */
export class Prometheus extends pulumi.ComponentResource {
  /** URL for others in its cluster. */
  readonly url = `http://${PROMETHEUS.name}.${NAMESPACES.observability}.svc:${PROMETHEUS.port}`;

  /** Throws an Error, before it registers anything, unless exactly one of the clouds is the home. */
  constructor(name: string, args: PrometheusArgs, opts?: DependentOptions) {
    const home = homeOf(args.clouds);
    super("agentweave:observability:Prometheus", name, {}, opts);
    const {
      clouds,
      namespace,
      namespaces,
      images,
      settings,
      rules: rulesArgs,
      withNetwork = (template) => template,
    } = args;
    const self = childOptions(this, home, opts);
    const metadata = {
      name: PROMETHEUS.name,
      namespace: NAMESPACES.observability,
      labels: labels(PROMETHEUS.name, "metrics"),
    };

    const others = clouds.filter((cloud) => !cloud.home).map(({ cluster }) => cluster);
    const servers = Object.fromEntries(others.map((cluster) => [cluster.name, reachableApiServer(cluster)]));
    const files = pulumi.output(servers).apply((servers) => ({
      [CONFIG_FILE]: renderPrometheusConfig({
        clusters: clouds.map((cloud) => scrapedCluster(cloud, servers)),
        namespaces,
        settings,
      }),
      ...authorities(servers),
    }));
    const config = new k8s.core.v1.ConfigMap(
      `${name}-config`,
      { metadata: { ...metadata, name: PROMETHEUS_CONFIG_MAP }, data: files },
      self,
    );
    const rules = new GeneratedConfigMap(
      `${name}-rules`,
      {
        cluster: home,
        namespace: metadata.namespace,
        within: namespace,
        configMap: RULES_CONFIG_MAP,
        labels: metadata.labels,
        recipe: pulumi.output(rulesArgs).apply((args) => ({ name: "rules" as const, args })),
      },
      { parent: this, dependsOn: self.dependsOn },
    );
    const tokens = tokensOf(settings.remoteWrite);
    const remoteTokens = Object.keys(tokens).map(Number);
    const secrets =
      remoteTokens.length === 0
        ? []
        : [
            new k8s.core.v1.Secret(
              `${name}-remote-write`,
              {
                metadata: { ...metadata, name: REMOTE_WRITE_SECRET },
                stringData: pulumi.secret(
                  Object.fromEntries(remoteTokens.map((i) => [remoteWriteKey(i), tokens[i]!])),
                ),
              },
              self,
            ),
          ];
    const cleanup = ownVolumeCleanup(`${name}-volume-cleanup`, home, metadata, DATA_VOLUME, self);
    const server = new k8s.apps.v1.StatefulSet(
      name,
      {
        metadata,
        spec: {
          replicas: 1,
          serviceName: PROMETHEUS.name,
          // One in order would wait for ever for a pod that does not get ready, instead of replacing it by the next version.
          podManagementPolicy: "Parallel",
          selector: { matchLabels: selector(PROMETHEUS.name) },
          template: withNetwork(
            prometheusPod({
              image: images.prometheus,
              size: settings.resources,
              home: home.name,
              others: others.map(({ name }) => name),
              remoteTokens,
            }),
          ),
          ...ownVolume(home, DATA_VOLUME, settings.storageSize, metadata.labels),
        },
      },
      { ...self, ...OWN_VOLUME_OPTIONS, dependsOn: [...self.dependsOn, config, rules, ...secrets, cleanup] },
    );
    ownVolumeSize(`${name}-volume`, metadata, DATA_VOLUME, settings.storageSize, {
      ...self,
      dependsOn: [...self.dependsOn, server],
    });
    // After the pods, because Pulumi waits until a Service has endpoints.
    new k8s.core.v1.Service(
      `${name}-service`,
      {
        metadata,
        spec: {
          selector: selector(PROMETHEUS.name),
          ports: [servicePort("http", PROMETHEUS.port)],
        },
      },
      { ...self, dependsOn: [...self.dependsOn, server] },
    );
    this.registerOutputs({ url: this.url });
  }
}

function homeOf(clouds: readonly ScrapedCloud[]): Cluster {
  const homes = clouds.filter(({ home }) => home);
  if (homes.length !== 1) throw new Error(`${homes.length} of the clouds are Prometheus' home, not 1`);
  return homes[0]!.cluster;
}

/** What prometheus.yml says of a cloud. `servers` are the API servers of all but the home, by cloud. */
function scrapedCluster(
  { cluster, reach }: ScrapedCloud,
  servers: Readonly<Record<string, ApiServer>>,
): ScrapedCluster {
  const { name: cloud, region } = cluster;
  return { cloud, region, api: servers[cloud] ?? { server: KUBERNETES_API }, reach };
}

/** The tokens for outside systems, by their place in the list. */
function tokensOf(remoteWrite: readonly RemoteWrite[]): Readonly<Record<number, string>> {
  return Object.fromEntries(
    remoteWrite.flatMap(({ bearerToken }, i) => (bearerToken === undefined ? [] : [[i, bearerToken]])),
  ) as Record<number, string>;
}
