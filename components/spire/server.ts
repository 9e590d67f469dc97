// The SPIRE server of one cluster: its pod with a volume, and its bundle endpoint published to the other clouds.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import type { Images } from "../images";
import { NAMESPACES, SPIRE_PORTS, SPIRE_SERVER } from "../well-known";
import { labels, selector } from "../kubernetes/metadata";
import {
  renderKubeconfig,
  renderOtherKubeconfig,
  renderServerConf,
  renderUpstreamAgentConf,
  type SpireSettings,
} from "./conf";
import { checksum } from "../kubernetes/checksum";
import { disruptionBudget } from "../kubernetes/disruption-budget";
import { httpsUrl, loadBalancerHost } from "../kubernetes/load-balancer";
import { childOptions, type ChildOptions, type DependentOptions } from "../kubernetes/options";
import { servicePort } from "../kubernetes/service-port";
import { OWN_VOLUME_OPTIONS, ownVolume, ownVolumeCleanup, ownVolumeSize } from "../kubernetes/volume";
import { EXPOSED_SERVICE_OPTIONS, exposedService, type Exposure } from "../network/exposure";
import type { FlowSituation } from "../network/flows";
import type { UpstreamFiles } from "../trust/program-root";
import type { ServedAt, ServerTarget } from "../trust/server-location";
import { type ControllerManagerSettings, renderControllerManagerConfig } from "./controller-manager";
import { controllerManagerObjects } from "./controller-manager-access";
import { createDatabase, DATABASE_PORT, type DatabaseSettings } from "./databases";
import { asksAws, type Datastore, datastoreChecksum, datastorePort, datastoreSecret } from "./datastore";
import { type BundlePublisher, bundlePublisherPorts } from "./bundle-publisher";
import { type KeyManager, keyManagerFiles, keyManagerPorts } from "./key-manager";
import { nodeAttestorFiles, type NodeAttestors } from "./node-attestors";
import type { AttestedCluster } from "./attested-cluster";
import { grantServerAccess } from "./server-access";
import { CLUSTER_TOKENS, DATA_VOLUME, otherKubeconfigKey, SERVER_CONFIG_MAP, serverPod } from "./server-pod";
import { DEFAULT_SIZES, type SpireSizes } from "./sizes";
import { oneMinorAtATime } from "./upgrade";
import { UPSTREAM_AGENT_CONF } from "./upstream-agent";
import { type UpstreamAuthority, upstreamObjects, upstreamServer } from "./upstream-authority";

/** Annotation of the StatefulSet: the trust domain of what is on its volumes. */
const TRUST_DOMAIN_ANNOTATION = "agentweave.io/trust-domain";

/** What one cloud's server keeps its records and keys in, and how many pods it has. */
export interface ServerPlan {
  /** More than one need a database. Default 1. */
  readonly replicas?: number;
  /** Default: SQLite on the server's volume. */
  readonly datastore?: Datastore;
  /** A database that is made for it, in place of `datastore`. Default: none. */
  readonly managedDatastore?: DatabaseSettings;
  /** Default: the server's volume. */
  readonly keyManager?: KeyManager;
  /** Annotations of its ServiceAccount, by which clouds know which identity of theirs it has. Default: none. */
  readonly serviceAccountAnnotations?: Readonly<Record<string, pulumi.Input<string>>>;
  /** Where it publishes its bundle besides. Default: nowhere. */
  readonly bundlePublisher?: BundlePublisher<pulumi.Input<string>>;
  /** URL of the object that it publishes there, as other clouds fetch it. */
  readonly bundleUrl?: pulumi.Input<string>;
  /** URL that its JWT-SVIDs have as their issuer. Default: they name none. */
  readonly jwtIssuer?: string;
  /** spire-controller-manager in its pod. Default: none. */
  readonly controllerManager?: ControllerManagerSettings;
  /** By what machines outside of Kubernetes attest. Default: none do. */
  readonly nodeAttestors?: NodeAttestors;
}

/** TCP ports of what such a server keeps its records and keys in, and publishes its bundle to. */
export function serverPorts({ datastore, managedDatastore, keyManager, bundlePublisher }: ServerPlan) {
  return {
    datastore: datastore ? [datastorePort(datastore)] : managedDatastore ? [DATABASE_PORT] : [],
    // AWS's token service is asked on the way to its databases, as it is for its keys.
    keyService: [
      ...new Set([
        ...(keyManager ? keyManagerPorts(keyManager) : []),
        ...(datastore && asksAws(datastore) ? [443] : []),
      ]),
    ],
    bundleStore: bundlePublisherPorts(bundlePublisher),
  };
}

/** What `SpireServer` needs. */
export interface SpireServerArgs {
  readonly cluster: Cluster;
  /** Trust domain without scheme, for example `aws.agentweave.io`. */
  readonly trustDomain: string;
  readonly settings: SpireSettings;
  readonly images: Images;
  readonly sizes?: SpireSizes;
  /** Whether Pulumi refuses to delete or replace the StatefulSet, and with it the CA, and a database that was made. Default: false. */
  readonly protect?: boolean;
  /** Whether it takes another trust domain, by `trust.former`: it is made anew then, since SPIRE does not start with what it has. Default: false. */
  readonly moves?: boolean;
  /** Default: one pod with all of it on its volume. */
  readonly plan?: ServerPlan;
  /** Who reaches the bundle endpoint: all other clouds must. Default: everybody. */
  readonly exposure?: Exclude<Exposure, { kind: "cluster" }>;
  /** Who signs the server's CA. Default: the server itself. */
  readonly signer?: ServerSigner;
  /** The server that signs its CA, of another cloud, which has it registered (`DownstreamServer`). Default: `signer`. */
  readonly above?: SpireServer;
  /** Whether servers of other trust domains fetch its bundle: it has an endpoint for them then. Default: true. */
  readonly bundleEndpoint?: boolean;
  /** That these fetch it from the object of `plan.bundleUrl`, and whether partners do so from the endpoint, which nobody else reaches then. Default: all from the endpoint. */
  readonly bucket?: FlowSituation["bucket"];
  /** Clusters of other clouds whose nodes, or whose servers, it attests, too. Default: the nodes of its own alone. */
  readonly others?: readonly AttestedCluster[];
  /** Who reaches its API from outside of its cluster: the SPIRE agents of `others`, and of the machines of `plan.nodeAttestors`, must. Default: nobody. */
  readonly apiExposure?: Exclude<Exposure, { kind: "cluster" }>;
}

/** Who signs a server's CA, and what the server gets for it, of kind `disk`. */
export interface ServerSigner {
  readonly upstream: UpstreamAuthority;
  readonly files?: UpstreamFiles;
}

/**
 * A SPIRE server: by default of one replica with its datastore in SQLite on a volume. That has no PodDisruptionBudget: with one
 * replica a budget either allows every eviction, and says nothing, or blocks every node drain. A short absence is
 * harmless, because agents go on serving the SVIDs they hold and peers the bundles they stored. Replicas share a database;
 * each has a CA of its own, whose keys are its own, too.
 */
export class SpireServer extends pulumi.ComponentResource {
  /** URL of the bundle endpoint, `https://<its load balancer>:8443`: unknown at the first preview; undefined where it is not reached from outside. */
  readonly bundleEndpointUrl?: pulumi.Output<string>;
  /** From where the servers of other clouds fetch the bundle. */
  readonly bundle: ServedAt;
  /** DNS name or address of its API for SPIRE agents outside of its cluster; undefined where there are none. */
  readonly agentsHost?: pulumi.Output<string>;
  /** The server that signs its CA; undefined where none of the mesh does. */
  readonly above?: SpireServer;
  /** Where the trust layer reaches the server. It must depend on `ready`, too. */
  readonly target: ServerTarget;
  /** What others depend on: all else of it was made before. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: SpireServerArgs, opts?: DependentOptions) {
    super("agentweave:spire:Server", name, {}, opts);
    const { cluster, trustDomain, settings, sizes, images, signer, bundleEndpoint = true, bucket } = args;
    const { above, others = [], apiExposure } = args;
    this.above = above;
    const {
      replicas = 1,
      managedDatastore,
      keyManager = { type: "disk" },
      serviceAccountAnnotations,
      bundlePublisher,
      bundleUrl,
      jwtIssuer,
      controllerManager,
      nodeAttestors,
    } = args.plan ?? {};
    const database =
      managedDatastore &&
      createDatabase(
        `${name}-database`,
        { settings: managedDatastore, protect: args.protect ?? false },
        cluster.privateNetwork,
        { parent: this },
      );
    const datastore = database?.datastore ?? args.plan?.datastore;
    const self = childOptions(this, cluster, opts);
    const metadata = {
      name: SPIRE_SERVER.name,
      namespace: NAMESPACES.spireServer,
      labels: labels(SPIRE_SERVER.name, "server"),
    };

    const storageSize = sizes?.storageSize ?? DEFAULT_SIZES.storageSize;
    const access = grantServerAccess(name, metadata.labels, self, serviceAccountAnnotations);
    const { clusterName } = cluster;
    const serverAbove = pulumi.output(above?.agentsHost);
    const upstreamFrom = (serverAddress: string | undefined) =>
      serverAddress === undefined ? signer?.upstream : upstreamServer(serverAddress);
    const files = pulumi
      .all([
        pulumi.all(others.map(({ api }) => api)),
        serverAbove,
        pulumi.output(bundlePublisher) as pulumi.Output<BundlePublisher | undefined>,
      ])
      .apply(([apis, serverAddress, bundlePublisher]) => ({
        [SERVER_CONFIG_MAP.conf]: renderServerConf({
          trustDomain,
          clusterName,
          settings,
          datastore,
          keyManager,
          upstream: upstreamFrom(serverAddress),
          bundleEndpoint,
          bundlePublisher,
          jwtIssuer,
          others,
          nodeAttestors,
        }),
        [SERVER_CONFIG_MAP.kubeconfig]: renderKubeconfig(),
        ...Object.fromEntries(
          others.map(({ cloud }, index) => [
            otherKubeconfigKey(cloud),
            renderOtherKubeconfig(cloud, apis[index]!),
          ]),
        ),
        ...keyManagerFiles(keyManager),
        ...nodeAttestorFiles(nodeAttestors),
        ...(serverAddress !== undefined && {
          [UPSTREAM_AGENT_CONF]: renderUpstreamAgentConf({
            trustDomain,
            clusterName,
            serverAddress,
            logLevel: settings.logLevel,
          }),
        }),
        ...(controllerManager && {
          [SERVER_CONFIG_MAP.controllerManager]: renderControllerManagerConfig({
            trustDomain,
            clusterName,
            replicas,
            className: controllerManager.className,
          }),
        }),
      }));
    const config = new k8s.core.v1.ConfigMap(
      `${name}-config`,
      { metadata: { ...metadata, name: SERVER_CONFIG_MAP.name }, data: files },
      self,
    );

    const managed = controllerManager
      ? controllerManagerObjects(
          `${name}-controller-manager`,
          { trustDomain, labels: metadata.labels, replicas },
          self,
        )
      : [];
    const signed = upstreamObjects(name, { ...signer, labels: metadata.labels }, self);

    const api = new k8s.core.v1.Service(
      `${name}-api`,
      {
        metadata,
        spec: {
          selector: selector(SPIRE_SERVER.name),
          ports: [servicePort("api", SPIRE_PORTS.api)],
        },
      },
      self,
    );
    const secrets = [
      ...(datastore ? [datastoreSecret(`${name}-datastore`, metadata, datastore, self)] : []),
      ...(others.length > 0 ? [clusterTokens(`${name}-clusters`, metadata, others, self)] : []),
    ];
    // Not a secret: it is made so that nothing can be told from it.
    const digest =
      datastore && pulumi.unsecret(pulumi.output(datastore).apply((all) => datastoreChecksum(all)));
    const ordinals = Array.from({ length: replicas }, (_, ordinal) => ordinal);
    /** Of the pod with this number; the first one's had no number. */
    const numbered = (child: string, ordinal: number) =>
      ordinal === 0 ? `${name}-${child}` : `${name}-${child}-${ordinal}`;
    const cleanups = ordinals.map((ordinal) =>
      ownVolumeCleanup(numbered("volume-cleanup", ordinal), cluster, metadata, DATA_VOLUME, self, ordinal),
    );
    const server = new k8s.apps.v1.StatefulSet(
      name,
      {
        metadata: { ...metadata, annotations: { [TRUST_DOMAIN_ANNOTATION]: trustDomain } },
        spec: {
          replicas,
          serviceName: SPIRE_SERVER.name,
          // One in order would wait for ever for a pod that does not get ready, as with a wrong image, instead of replacing it by the next version.
          podManagementPolicy: "Parallel",
          selector: { matchLabels: selector(SPIRE_SERVER.name) },
          template: pulumi.all([files, serverAbove]).apply(([files, serverAddress]) =>
            serverPod({
              image: images.spireServer,
              size: sizes?.server,
              configChecksum: digest?.apply((known) => checksum([files, known])) ?? checksum(files),
              datastore,
              keyManager,
              upstream: upstreamFrom(serverAddress),
              ...(above && { upstreamAgent: { image: images.spireAgent, size: sizes?.agent } }),
              bundleEndpoint,
              bundlePublisher,
              others: others.map(({ cloud }) => cloud),
              nodeAttestors,
              controllerManager: controllerManager && {
                image: images.spireControllerManager,
                logLevel: settings.logLevel,
                resources: controllerManager.resources,
              },
            }),
          ),
          // The CA leaves with it: no disk is left that holds keys. Peers then need a new first bundle, which the trust layer gives them.
          ...ownVolume(cluster, DATA_VOLUME, storageSize, metadata.labels),
          // One of several leaves with its keys, and its SVIDs hold on: its CA stays in the bundle of the others until it expires.
          ...(datastore && {
            persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Delete" },
          }),
        },
      },
      {
        ...self,
        dependsOn: [
          ...self.dependsOn,
          ...access,
          config,
          ...secrets,
          ...signed,
          ...managed,
          ...cleanups,
          ...(database?.ready ?? []),
        ],
        // Kubernetes lets nobody change it, and a new StatefulSet would come without the old one's CA: a server that was made in order stays so.
        ignoreChanges: ["spec.podManagementPolicy", ...OWN_VOLUME_OPTIONS.ignoreChanges],
        ...(args.moves && {
          replaceOnChanges: [`metadata.annotations["${TRUST_DOMAIN_ANNOTATION}"]`],
          // The new one would else be made by an update of the old, with its volume.
          deleteBeforeReplace: true,
        }),
        protect: args.protect ?? false,
        hooks: oneMinorAtATime(name),
      },
    );
    const after = { ...self, dependsOn: [...self.dependsOn, server] };
    const volumes = ordinals.map((ordinal) =>
      ownVolumeSize(numbered("volume", ordinal), metadata, DATA_VOLUME, storageSize, after, ordinal),
    );
    if (replicas > 1)
      disruptionBudget(`${name}-budget`, metadata, selector(SPIRE_SERVER.name), { maxUnavailable: 1 }, self);

    const publish = (
      child: string,
      service: string,
      port: Parameters<typeof servicePort>,
      exposure: Exposure,
    ) =>
      publishedService(`${name}-${child}`, { ...metadata, name: service }, port, { cluster, exposure }, self);
    // The endpoint itself stays, so that it serves until the last peer has changed to the object: its Service leaves after that.
    const federation =
      bundleEndpoint && (bucket?.partners ?? true)
        ? [
            publish(
              "federation",
              SPIRE_SERVER.federationService,
              ["bundle-endpoint", SPIRE_PORTS.bundleEndpoint],
              args.exposure ?? { kind: "public" },
            ),
          ]
        : [];
    const agents = apiExposure
      ? [publish("agents", SPIRE_SERVER.agentsService, ["api", SPIRE_PORTS.api], apiExposure)]
      : [];
    this.ready = [server, ...volumes, api, ...federation, ...agents];
    this.agentsHost = agents[0] && loadBalancerHost(agents[0], cluster.name);
    this.bundleEndpointUrl =
      federation[0] && loadBalancerHost(federation[0], cluster.name).apply(bundleEndpointUrl);
    this.bundle = bucket
      ? { bundleEndpointUrl: bundleUrl, bundleEndpointProfile: "https_web" }
      : { bundleEndpointUrl: this.bundleEndpointUrl };
    this.target = {
      cloud: cluster.name,
      kubeconfig: cluster.credentials ?? cluster.kubeconfig,
      namespace: NAMESPACES.spireServer,
      pod: SPIRE_SERVER.pod,
      container: SPIRE_SERVER.container,
      trustDomain,
      ...(replicas > 1 && { replicas }),
    };
    this.registerOutputs({ bundleEndpointUrl: this.bundleEndpointUrl });
  }
}

/** A Service of the server that is reached from outside of its cluster. */
function publishedService(
  name: string,
  metadata: { readonly name: string; readonly namespace: string },
  [port, number]: Parameters<typeof servicePort>,
  { cluster, exposure }: { readonly cluster: Cluster; readonly exposure: Exposure },
  self: ChildOptions,
): k8s.core.v1.Service {
  const { annotations, spec } = exposedService(cluster, exposure);
  return new k8s.core.v1.Service(
    name,
    {
      metadata: { ...metadata, annotations: { ...annotations } },
      spec: { ...spec, selector: selector(SPIRE_SERVER.name), ports: [servicePort(port, number)] },
    },
    { ...self, ...EXPOSED_SERVICE_OPTIONS },
  );
}

/** The Secret with the tokens for the API servers of other clouds. SPIRE reads its files anew, so that a new token needs no restart. */
function clusterTokens(
  name: string,
  metadata: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  others: readonly AttestedCluster[],
  self: ChildOptions,
): k8s.core.v1.Secret {
  const stringData = pulumi.secret(Object.fromEntries(others.map(({ cloud, token }) => [cloud, token])));
  return new k8s.core.v1.Secret(
    name,
    { metadata: { ...metadata, name: CLUSTER_TOKENS }, type: "Opaque", stringData },
    self,
  );
}

/** URL of the bundle endpoint at `host`, a DNS name or an IP address. */
function bundleEndpointUrl(host: string): string {
  return httpsUrl(host, SPIRE_PORTS.bundleEndpoint);
}
