// Observability. Every cloud has a collector of traces and a trust exporter; the home cloud keeps and shows what they tell.
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import type { Images } from "../images";
import { type NodeBundle, nodeBundle } from "../kubernetes/node-bundle";
import type { TailnetMembership } from "../network";
import type { Exposure } from "../network/exposure";
import type { NetworkSettings } from "../network/mode";
import { partOf } from "../network/part";
import type { FlowContext } from "../network/policies";
import { ObservabilityTailnetAccess, withTelemetrySidecar } from "../network/tailscale/telemetry";
import { type TelemetryDevice, telemetryDevices } from "../network/tailscale/telemetry-devices";
import { traceIntakeAddress } from "../network/traces";
import type { SignedLife } from "../trust/program-root";
import { type BundleSource, RegistrationEntry } from "../trust/resources";
import type { ServedAt, ServerTarget } from "../trust/server-location";
import { COLLECTOR, NAMESPACES, TAILNET, TRACE_STORE, TRUST_EXPORTER } from "../well-known";
import { nodeAliasSpiffeId, observabilitySpiffeId } from "../../spiffe/spiffe-id";
import { Collector, type TraceIntake, type WithNetwork } from "./collector";
import { Grafana } from "./grafana";
import { ObservabilityNamespace } from "./namespace";
import { Metrics, type ScrapedCloud, scrapedNamespaces } from "./prometheus";
import type { RulesArgs } from "./rules";
import { rulesArgs, type TrustLifetimes } from "./rules-args";
import type { ObservabilitySettings } from "./settings";
import { TraceStore } from "./trace-store";
import { TrustExporter } from "./trust-exporter";

/** A cloud as far as it is observed. */
export interface ObservedCloud extends ServedAt {
  readonly cluster: Cluster;
  /** Without scheme. */
  readonly trustDomain: string;
  /** SPIRE server that issues the identities. */
  readonly target: ServerTarget;
  /** Relationships of that server. */
  readonly federatesWith: readonly BundleSource[];
  /** Registration of the cluster's nodes, parent of the entries. */
  readonly nodeAlias: pulumi.Resource;
  /** What brings identities to pods. It leaves after them. */
  readonly csiDriver: pulumi.Resource;
  /** Those of the mesh in the cluster, without its own: in them Prometheus is given rights. */
  readonly namespaces: readonly pulumi.Resource[];
  /** What its flows depend on. */
  readonly flows: FlowContext;
  /** How those of its pods join the tailnet that `telemetryDevices` names. Default: none does. */
  readonly tailnet?: TailnetMembership;
}

/** What `Observability` needs. */
export interface ObservabilityArgs {
  /** By name; `settings.home` is one of them. */
  readonly clouds: readonly ObservedCloud[];
  readonly settings: ObservabilitySettings;
  readonly trust: TrustLifetimes;
  /** How long that lives with which the program signs for SPIRE servers. Default: it signs nothing. */
  readonly signed?: pulumi.Output<SignedLife[]>;
  readonly network: NetworkSettings;
  /** What must be there before a cloud reaches another one's private addresses. */
  readonly connected: readonly pulumi.Resource[];
  /** Who reaches the Service at which traces arrive. */
  readonly traceIntake: Exposure;
  readonly images: Images;
}

/** All of observability. It leaves before the identities that it uses. */
export class Observability extends pulumi.ComponentResource {
  /** Password of Grafana's user `admin`. A secret. */
  readonly grafanaPassword: pulumi.Output<string>;
  readonly #args: ObservabilityArgs;
  readonly #bundle: NodeBundle = nodeBundle("telemetry");

  constructor(name: string, args: ObservabilityArgs, opts?: pulumi.ComponentResourceOptions) {
    super("agentweave:observability:Observability", name, {}, opts);
    this.#args = args;
    const { clouds, settings, trust, signed, network, connected, traceIntake, images } = args;

    const places = clouds.map((cloud) => this.#prepare(cloud));
    const home = places.find(({ cluster }) => cluster.name === settings.home)!;
    const store = new TraceStore(
      `${settings.home}-trace-store`,
      {
        cluster: home.cluster,
        senders: [
          ...new Set(clouds.map(({ trustDomain }) => observabilitySpiffeId(trustDomain, COLLECTOR.name))),
        ],
        settings: settings.traces,
        images,
        exposure: traceIntake,
        withNetwork: home.device("traces"),
      },
      this.#self(...home.ready, ...this.#identity(home, TRACE_STORE.name)),
    );
    for (const place of places) {
      const withNetwork = place.device("collector");
      const intake: TraceIntake = {
        address: this.#intakeAddress(place.cluster.name, store.host),
        spiffeId: observabilitySpiffeId(home.trustDomain, TRACE_STORE.name),
      };
      new Collector(
        `${place.cluster.name}-collector`,
        {
          cluster: place.cluster,
          intake,
          settings: settings.traces,
          images,
          proxyUrl: withNetwork && PROXY_URL,
          withNetwork,
        },
        this.#self(...place.ready, ...this.#identity(place, COLLECTOR.name), ...connected),
      );
      new TrustExporter(
        `${place.cluster.name}-trust-exporter`,
        {
          cluster: place.cluster,
          trustDomain: place.trustDomain,
          sources: clouds
            .filter(({ trustDomain }) => trustDomain !== place.trustDomain)
            .map(({ cluster, trustDomain, bundleEndpointUrl, bundleEndpointProfile }) => ({
              cloud: cluster.name,
              trustDomain,
              bundleEndpoint: bundleEndpointUrl!,
              profile: bundleEndpointProfile,
            })),
          refreshSeconds: trust.refreshSeconds,
          images,
          bundle: this.#bundle,
        },
        this.#self(...place.ready, ...this.#identity(place, TRUST_EXPORTER.name)),
      );
    }

    const shown = rulesArgs({
      clouds: clouds.map(({ cluster }) => cluster),
      settings,
      network,
      trust,
      serverCloud: clouds.find(({ cluster, target }) => cluster.name !== target.cloud)?.target.cloud,
      bucket: clouds.some(({ bundleEndpointProfile }) => bundleEndpointProfile === "https_web"),
      sharedTrust: new Set(clouds.map(({ trustDomain }) => trustDomain)).size === 1,
    });
    new Metrics(
      `${settings.home}-metrics`,
      {
        clouds: places.map(({ cluster, ready, namespaces }) => ({
          cluster,
          home: cluster === home.cluster,
          reach: this.#reach(cluster, home.device("prometheus") !== undefined),
          dependsOn: [...ready, ...namespaces],
        })),
        namespace: home.namespace,
        namespaces: scrapedNamespaces(network.mode === "tailscale"),
        images,
        settings: settings.metrics,
        rules: signed?.apply((lives): RulesArgs => ({ ...shown, signed: lives })) ?? shown,
        bundleDigest: this.#bundle.digest,
        withNetwork: home.device("prometheus"),
      },
      this.#self(...connected),
    );
    const grafana = new Grafana(
      `${settings.home}-grafana`,
      {
        cluster: home.cluster,
        namespace: home.namespace,
        shown,
        settings,
        images,
      },
      this.#self(...home.ready),
    );
    this.grafanaPassword = grafana.password;
    this.registerOutputs({});
  }

  /** A cloud with its namespace, and with what its pods need to join the tailnet where some of them do. */
  #prepare(cloud: ObservedCloud) {
    const { clouds, network, settings, images } = this.#args;
    const { cluster, flows, tailnet } = cloud;
    const namespace = new ObservabilityNamespace(
      `${cluster.name}-observability`,
      { cluster, flows },
      this.#self(),
    );
    const names = clouds.map(({ cluster }) => cluster.name);
    const devices = tailnet === undefined ? [] : telemetryDevices(partOf(cluster.name, settings, names));
    const access =
      tailnet === undefined || devices.length === 0
        ? []
        : [
            new ObservabilityTailnetAccess(
              `${cluster.name}-observability-tailnet`,
              {
                cluster,
                devices: devices.map((device) => ({
                  device,
                  maxReplicas: device === "collector" ? settings.traces.replicas : 1,
                })),
                authKey: tailnet.authKey,
              },
              this.#self(namespace.ready, ...tailnet.settled),
            ),
          ];
    const device = (kind: TelemetryDevice): WithNetwork | undefined =>
      network.mode === "tailscale" && devices.includes(kind)
        ? (template) =>
            withTelemetrySidecar(template, {
              cloud: cluster.name,
              device: kind,
              settings: network.tailscale,
              image: images.tailscale,
            })
        : undefined;
    return { ...cloud, namespace: namespace.namespace, ready: [namespace.ready, ...access], device };
  }

  /** What a pod with an identity depends on: its registration, and what brings it. */
  #identity(cloud: ObservedCloud, account: string): pulumi.Resource[] {
    const { cluster, trustDomain, target, federatesWith, nodeAlias, csiDriver } = cloud;
    const entry = new RegistrationEntry(
      `${cluster.name}-${account}-entry`,
      {
        target,
        spiffeId: observabilitySpiffeId(trustDomain, account),
        parentId: nodeAliasSpiffeId(trustDomain, cluster.clusterName),
        selectors: [`k8s:ns:${NAMESPACES.observability}`, `k8s:sa:${account}`],
        federatesWith: [...federatesWith],
      },
      this.#self(nodeAlias),
    );
    return [entry, csiDriver];
  }

  /** `host:port` at which a collector of `cloud` reaches the trace store. */
  #intakeAddress(cloud: string, loadBalancer?: pulumi.Output<string>): pulumi.Output<string> {
    const { settings, network } = this.#args;
    // What needs no load balancer is known before there is one.
    return loadBalancer === undefined || cloud === settings.home || network.mode === "tailscale"
      ? pulumi.output(traceIntakeAddress(cloud, settings.home, network))
      : loadBalancer.apply((host) => traceIntakeAddress(cloud, settings.home, network, host));
  }

  /** How Prometheus reads a cluster. */
  #reach(cluster: Cluster, onTailnet: boolean): ScrapedCloud["reach"] {
    const { home, metrics } = this.#args.settings;
    if (cluster.name === home) return { kind: metrics.scrape.home };
    if (metrics.scrape.others === "apiServer") return { kind: "apiServer" };
    return { kind: "pods", proxyUrl: onTailnet ? PROXY_URL : undefined };
  }

  #self(...dependsOn: pulumi.Resource[]) {
    return { parent: this, dependsOn };
  }
}

/** A pod's own HTTP CONNECT proxy into the tailnet. */
const PROXY_URL = `http://127.0.0.1:${TAILNET.proxyPort}`;
