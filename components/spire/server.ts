// The SPIRE server of one cluster: its pod with a volume, and its bundle endpoint published to the other clouds.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import type { Images } from "../images";
import { NAMESPACES, SPIRE_PORTS, SPIRE_SERVER } from "../well-known";
import { labels, selector } from "../kubernetes/metadata";
import { renderKubeconfig, renderServerConf, type SpireSettings } from "./conf";
import { checksum } from "../kubernetes/checksum";
import { httpsUrl, loadBalancerHost } from "../kubernetes/load-balancer";
import { childOptions, type ChildOptions, type DependentOptions } from "../kubernetes/options";
import { servicePort } from "../kubernetes/service-port";
import { OWN_VOLUME_OPTIONS, ownVolume, ownVolumeCleanup, ownVolumeSize } from "../kubernetes/volume";
import { EXPOSED_SERVICE_OPTIONS, exposedService, type Exposure } from "../network/exposure";
import type { UpstreamFiles } from "../trust/program-root";
import type { ServerTarget } from "../trust/server-location";
import { grantServerAccess } from "./server-access";
import { DATA_VOLUME, SERVER_CONFIG_MAP, serverPod } from "./server-pod";
import { DEFAULT_SIZES, type SpireSizes } from "./sizes";
import { type UpstreamAuthority, upstreamObjects } from "./upstream-authority";

/** What `SpireServer` needs. */
export interface SpireServerArgs {
  readonly cluster: Cluster;
  /** Trust domain without scheme, for example `aws.agentweave.io`. */
  readonly trustDomain: string;
  readonly settings: SpireSettings;
  readonly images: Images;
  readonly sizes?: Pick<SpireSizes, "storageSize" | "server">;
  /** Whether Pulumi refuses to delete or replace the StatefulSet, and with it the CA. Default: false. */
  readonly protect?: boolean;
  /** Who reaches the bundle endpoint: all other clouds must. Default: everybody. */
  readonly exposure?: Exclude<Exposure, { kind: "cluster" }>;
  /** Who signs the server's CA. Default: the server itself. */
  readonly signer?: ServerSigner;
  /** Whether servers of other trust domains fetch its bundle: it has an endpoint for them then. Default: true. */
  readonly bundleEndpoint?: boolean;
}

/** Who signs a server's CA, and what the server gets for it, of kind `disk`. */
export interface ServerSigner {
  readonly upstream: UpstreamAuthority;
  readonly files?: UpstreamFiles;
}

/**
 * A SPIRE server of one replica with its datastore in SQLite on a volume. It has no PodDisruptionBudget: with one
 * replica a budget either allows every eviction, and says nothing, or blocks every node drain. A short absence is
 * harmless, because agents go on serving the SVIDs they hold and peers the bundles they stored.
 */
export class SpireServer extends pulumi.ComponentResource {
  /** URL of the bundle endpoint, `https://<its load balancer>:8443`: unknown at the first preview; undefined where there is none. */
  readonly bundleEndpointUrl?: pulumi.Output<string>;
  /** Where the trust layer reaches the server. It must depend on `ready`, too. */
  readonly target: ServerTarget;
  /** What others depend on: all else of it was made before. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: SpireServerArgs, opts?: DependentOptions) {
    super("agentweave:spire:Server", name, {}, opts);
    const { cluster, trustDomain, settings, sizes, images, signer, bundleEndpoint = true } = args;
    const { upstream, files: upstreamFiles } = signer ?? {};
    const self = childOptions(this, cluster, opts);
    const metadata = {
      name: SPIRE_SERVER.name,
      namespace: NAMESPACES.spireServer,
      labels: labels(SPIRE_SERVER.name, "server"),
    };

    const storageSize = sizes?.storageSize ?? DEFAULT_SIZES.storageSize;
    const access = grantServerAccess(name, metadata.labels, self);
    const files = {
      [SERVER_CONFIG_MAP.conf]: renderServerConf({
        trustDomain,
        clusterName: cluster.clusterName,
        settings,
        upstream,
        bundleEndpoint,
      }),
      [SERVER_CONFIG_MAP.kubeconfig]: renderKubeconfig(),
    };
    const config = new k8s.core.v1.ConfigMap(
      `${name}-config`,
      { metadata: { ...metadata, name: SERVER_CONFIG_MAP.name }, data: files },
      self,
    );

    const signed = upstreamObjects(name, { upstream, files: upstreamFiles, labels: metadata.labels }, self);

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
    const cleanup = ownVolumeCleanup(`${name}-volume-cleanup`, cluster, metadata, DATA_VOLUME, self);
    const server = new k8s.apps.v1.StatefulSet(
      name,
      {
        metadata,
        spec: {
          replicas: 1,
          serviceName: SPIRE_SERVER.name,
          // One in order would wait for ever for a pod that does not get ready, as with a wrong image, instead of replacing it by the next version.
          podManagementPolicy: "Parallel",
          selector: { matchLabels: selector(SPIRE_SERVER.name) },
          template: serverPod({
            image: images.spireServer,
            size: sizes?.server,
            configChecksum: checksum(files),
            upstream,
            bundleEndpoint,
          }),
          // The CA leaves with it: no disk is left that holds keys. Peers then need a new first bundle, which the trust layer gives them.
          ...ownVolume(cluster, DATA_VOLUME, storageSize, metadata.labels),
        },
      },
      {
        ...self,
        dependsOn: [...self.dependsOn, ...access, config, ...signed, cleanup],
        // Kubernetes lets nobody change it, and a new StatefulSet would come without the old one's CA: a server that was made in order stays so.
        ignoreChanges: ["spec.podManagementPolicy", ...OWN_VOLUME_OPTIONS.ignoreChanges],
        protect: args.protect ?? false,
      },
    );
    const volume = ownVolumeSize(`${name}-volume`, metadata, DATA_VOLUME, storageSize, {
      ...self,
      dependsOn: [...self.dependsOn, server],
    });

    const federation = bundleEndpoint
      ? [this.#bundleEndpoint(`${name}-federation`, metadata, args, self)]
      : [];
    this.ready = [server, volume, api, ...federation];
    this.bundleEndpointUrl =
      federation[0] && loadBalancerHost(federation[0], cluster.name).apply(bundleEndpointUrl);
    this.target = {
      cloud: cluster.name,
      kubeconfig: cluster.credentials ?? cluster.kubeconfig,
      namespace: NAMESPACES.spireServer,
      pod: SPIRE_SERVER.pod,
      container: SPIRE_SERVER.container,
      trustDomain,
    };
    this.registerOutputs({ bundleEndpointUrl: this.bundleEndpointUrl });
  }

  /** The Service at which other servers fetch the bundle. */
  #bundleEndpoint(
    name: string,
    metadata: { readonly name: string; readonly namespace: string },
    { cluster, exposure = { kind: "public" } }: SpireServerArgs,
    self: ChildOptions,
  ): k8s.core.v1.Service {
    const { annotations, spec } = exposedService(cluster, exposure);
    return new k8s.core.v1.Service(
      name,
      {
        metadata: {
          ...metadata,
          name: SPIRE_SERVER.federationService,
          annotations: { ...annotations },
        },
        spec: {
          ...spec,
          selector: selector(SPIRE_SERVER.name),
          ports: [servicePort("bundle-endpoint", SPIRE_PORTS.bundleEndpoint)],
        },
      },
      { ...self, ...EXPOSED_SERVICE_OPTIONS },
    );
  }
}

/** URL of the bundle endpoint at `host`, a DNS name or an IP address. */
function bundleEndpointUrl(host: string): string {
  return httpsUrl(host, SPIRE_PORTS.bundleEndpoint);
}
