// SPIRE in one cluster: namespaces, server, agents and CSI driver, in the order in which they need each other.
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import type { Images } from "../images";
import { SpireAgent } from "./agent";
import type { AttestedCluster } from "./attested-cluster";
import type { SpireSettings } from "./conf";
import type { DownstreamServer } from "./downstream-server";
import { SpiffeCsiDriver } from "./csi-driver";
import { SpireNamespaces } from "./namespaces";
import type { DependentOptions } from "../kubernetes/options";
import type { FlowContext } from "../network/policies";
import { SpireServer, type SpireServerArgs } from "./server";
import type { SpireSizes } from "./sizes";

/** What a cloud has of SPIRE, whichever cloud's server attests its nodes. */
export interface CloudSpire {
  readonly namespaces: readonly pulumi.Resource[];
  /** The server that attests its nodes and issues its identities. */
  readonly server: SpireServer;
  readonly csiDriver: SpiffeCsiDriver;
}

/** What `Spire` needs. */
export interface SpireArgs {
  readonly cluster: Cluster;
  /** Trust domain of this cluster without scheme, for example `aws.agentweave.io`. */
  readonly trustDomain: string;
  readonly settings: SpireSettings;
  /** Default: `DEFAULT_SIZES`. */
  readonly sizes?: SpireSizes;
  readonly images: Images;
  /** Whether Pulumi refuses to delete or replace the server, and with it the CA. Default: false. */
  readonly protect?: boolean;
  /** Default: one pod with all of the server on its volume. */
  readonly plan?: SpireServerArgs["plan"];
  /** Who reaches the bundle endpoint. Default: everybody. */
  readonly exposure?: SpireServerArgs["exposure"];
  /** Who signs the server's CA. Default: the server itself. */
  readonly signer?: SpireServerArgs["signer"];
  /**
   * That it takes another trust domain: the entries of the cluster's nodes and workloads, which are made later. SPIRE agents start after them, since one that has no
   * entry for a workload yet gives it the roots of its own trust domain alone. Default: it keeps its own.
   */
  readonly moves?: { readonly registered: Promise<readonly pulumi.Resource[]> };
  /** Whether servers of other trust domains fetch its bundle. Default: true. */
  readonly bundleEndpoint?: boolean;
  /** The server of another cloud that signs the server's CA, and what that one has here. Default: `signer`. */
  readonly below?: DownstreamServer;
  /** That the servers of other clouds fetch the bundle from an object. Default: from the server. */
  readonly bucket?: SpireServerArgs["bucket"];
  /** Clusters of other clouds that the server is for, too. Default: for this one alone. */
  readonly others?: SpireServerArgs["others"];
  /** Who reaches the server's API from outside of its cluster. Default: nobody. */
  readonly apiExposure?: SpireServerArgs["apiExposure"];
  readonly flows: FlowContext;
}

/**
 * All of SPIRE in one cluster. Each part depends on the one before, so on destroy they leave in the opposite order: CSI
 * driver, agents, server, namespaces. Workloads depend on `csiDriver`, and so leave first.
 */
export class Spire extends pulumi.ComponentResource implements CloudSpire {
  readonly namespaces: readonly pulumi.Resource[];
  readonly server: SpireServer;
  readonly agent: SpireAgent;
  readonly csiDriver: SpiffeCsiDriver;

  constructor(name: string, args: SpireArgs, opts?: DependentOptions) {
    super("agentweave:spire:Spire", name, {}, opts);
    const { cluster, trustDomain, settings, sizes, images, flows, below, moves, ...ofServer } = args;
    const after = (...dependencies: readonly pulumi.Resource[]) => ({
      parent: this,
      dependsOn: [...(opts?.dependsOn ?? []), ...dependencies],
    });

    const namespaces =
      below?.namespaces ?? new SpireNamespaces(`${name}-namespaces`, { cluster, flows }, after());
    this.namespaces = namespaces.made;
    this.server = new SpireServer(
      `${name}-server`,
      {
        cluster,
        trustDomain,
        settings,
        sizes,
        images,
        ...ofServer,
        above: below?.above,
        moves: moves !== undefined,
      },
      after(...namespaces.ready, ...(below?.ready ?? [])),
    );
    this.agent = new SpireAgent(
      `${name}-agent`,
      {
        ...{ cluster, trustDomain, logLevel: settings.logLevel, size: sizes?.agent, images },
        after: moves?.registered,
      },
      after(...this.server.ready),
    );
    this.csiDriver = new SpiffeCsiDriver(`${name}-csi-driver`, { cluster, images }, after(this.agent.ready));
    this.registerOutputs({ bundleEndpointUrl: this.server.bundleEndpointUrl });
  }
}

/** What `SpireElsewhere` needs. */
export interface SpireElsewhereArgs extends Pick<
  SpireArgs,
  "cluster" | "trustDomain" | "settings" | "images"
> {
  readonly sizes?: Pick<SpireSizes, "agent">;
  /** Its namespaces, and what the server has there. */
  readonly attested: AttestedCluster;
  /** The server, in another cloud. */
  readonly server: SpireServer;
}

/** SPIRE in a cluster whose nodes are attested by the server of another cloud: agents and CSI driver. */
export class SpireElsewhere extends pulumi.ComponentResource implements CloudSpire {
  readonly namespaces: readonly pulumi.Resource[];
  readonly server: SpireServer;
  readonly csiDriver: SpiffeCsiDriver;

  constructor(name: string, args: SpireElsewhereArgs, opts?: DependentOptions) {
    super("agentweave:spire:SpireElsewhere", name, {}, opts);
    const { cluster, trustDomain, settings, sizes, images, attested, server } = args;
    const dependsOn = [...(opts?.dependsOn ?? []), ...attested.ready, ...server.ready];
    this.namespaces = attested.namespaces.made;
    this.server = server;
    const agent = new SpireAgent(
      `${name}-agent`,
      {
        cluster,
        trustDomain,
        serverAddress: server.agentsHost,
        logLevel: settings.logLevel,
        size: sizes?.agent,
        images,
      },
      { parent: this, dependsOn },
    );
    this.csiDriver = new SpiffeCsiDriver(
      `${name}-csi-driver`,
      { cluster, images },
      { parent: this, dependsOn: [...dependsOn, agent.ready] },
    );
    this.registerOutputs({});
  }
}

export { AttestedCluster } from "./attested-cluster";
export { DownstreamServer } from "./downstream-server";
export { SpireAgent } from "./agent";
export { SPIRE_DEFAULTS, type SpireSettings } from "./conf";
export { SpiffeCsiDriver } from "./csi-driver";
export { serverPorts, SpireServer } from "./server";
export type { SpireSizes } from "./sizes";
