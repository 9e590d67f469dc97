// The network between the clouds: a tailnet with subnet routers, tunnels, or nothing but load balancers.
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../clouds/cluster";
import type { Images } from "../images";
import type { ObservabilitySettings } from "../observability/settings";
import { SPIRE_PORTS } from "../well-known";
import type { Exposure } from "./exposure";
import { centralPart, type SharedServer } from "./flow";
import type { NetworkSettings } from "./mode";
import { type ObservabilityPart, partOf, urlPort } from "./part";
import type { FlowContext } from "./policies";
import { SubnetRouters } from "./tailscale/router";
import { Tailnet } from "./tailscale/tailnet";
import { telemetryDevices } from "./tailscale/telemetry-devices";
import { Vpn } from "./vpn";
import type { TunnelSettings } from "./vpn/gateway";

/** A cloud as far as the network connects it. */
export interface NetworkCloud {
  readonly cluster: Cluster;
  /** How its subnet routers forward, in mode `tailscale`. */
  readonly subnetRouter: "userspace" | "kernel";
  /** Port of its OIDC discovery provider. Default: it has none. */
  readonly oidcPort?: number;
  /** Port of the object from which the other clouds fetch its bundle. Default: they fetch it from its SPIRE server. */
  readonly objectPort?: number;
  /** From which ranges machines outside of Kubernetes reach its SPIRE server, and at which ports clouds are asked about these. Default: there are none. */
  readonly machines?: { readonly sources: readonly string[]; readonly cloudPorts: readonly number[] };
}

/** What `MeshNetwork` needs. */
export interface MeshNetworkArgs {
  /** By name. */
  readonly clouds: readonly NetworkCloud[];
  readonly settings: NetworkSettings;
  /** Default: there is no observability. */
  readonly observability?: ObservabilitySettings;
  /** Workloads that have an identity and are no agents, with the namespace of those that are in pods. Default: none. */
  readonly workloads?: readonly { readonly cloud: string; readonly namespace?: string }[];
  /** Trust domains outside of the mesh. Default: none. */
  readonly partners?: readonly { readonly bundleEndpointUrl: string }[];
  /** Who signs for SPIRE servers. Default: each for itself, and they fetch each other's bundles. */
  readonly trust?: Pick<FlowContext, "upstreamPorts"> & {
    /** Whether all clouds are of one trust domain. */
    readonly shared: boolean;
    /** The server of all clouds, or above theirs. Default: each has its own. */
    readonly server?: SharedServer;
    /** That bundles are fetched from object stores. Default: servers fetch from each other. */
    readonly bucket?: FlowContext["bucket"];
  };
  readonly images: Images;
}

/** What a device needs to join the tailnet. */
export interface TailnetMembership {
  /** A secret. */
  readonly authKey: pulumi.Output<string>;
  /** What must be there before: a policy that knows the device's tags. */
  readonly settled: readonly pulumi.Resource[];
}

/** What connects the clouds. It is made before anything that calls across, and leaves after it. */
export class MeshNetwork extends pulumi.ComponentResource {
  /** What must be there before a cloud reaches another one's private addresses. */
  readonly connected: readonly pulumi.Resource[];
  /** What the owners of gateways that were there already have to set in mode `vpn`, by cloud. */
  readonly handedOver: Readonly<Record<string, readonly TunnelSettings[]>>;
  readonly #tailnet?: Tailnet;
  readonly #namespaces = new Map<string, pulumi.Resource>();

  constructor(
    name: string,
    private readonly args: MeshNetworkArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("agentweave:network:MeshNetwork", name, {}, opts);
    const { clouds, settings, images } = args;
    /** Options of a child, which had its name without this network's in front of it. */
    const child = (earlier: string) => ({ parent: this, aliases: [{ name: earlier }] });
    if (settings.mode === "tailscale") {
      const { tailscale } = settings;
      const tailnet = new Tailnet(
        `${name}-tailnet`,
        {
          clouds: clouds.map(({ cluster: { name, podCidr, serviceCidr } }) => ({
            name,
            podCidr,
            serviceCidr,
          })),
          settings: tailscale,
          parts: this.#parts(),
        },
        child("tailnet"),
      );
      this.#tailnet = tailnet;
      for (const { cluster, subnetRouter } of clouds) {
        const { namespace } = new SubnetRouters(
          `${cluster.name}-subnet-routers`,
          {
            cluster,
            mode: subnetRouter,
            settings: tailscale,
            authKey: tailnet.authKey(cluster.name, "routers"),
            images,
            flows: this.flowsOf(cluster.name),
          },
          { parent: this, dependsOn: [...tailnet.settled] },
        );
        this.#namespaces.set(cluster.name, namespace);
      }
    }
    const vpn =
      settings.mode === "vpn"
        ? new Vpn(
            `${name}-vpn`,
            {
              clusters: clouds.map(({ cluster }) => cluster),
              settings: settings.vpn,
              parts: this.#parts(),
              sharedTrust: args.trust?.shared,
              server: args.trust?.server,
              bucket: args.trust?.bucket,
            },
            child("vpn"),
          )
        : undefined;
    this.connected = vpn?.connected ?? [];
    this.handedOver = vpn?.handedOver ?? {};
    this.registerOutputs({});
  }

  /** The namespaces of a cloud's own part in the network. */
  namespacesOf(cloud: string): readonly pulumi.Resource[] {
    const namespace = this.#namespaces.get(cloud);
    return namespace === undefined ? [] : [namespace];
  }

  /** Who reaches the bundle endpoint of a cloud's SPIRE server: every peer must. */
  bundleEndpointExposure(cloud: string): Exclude<Exposure, { kind: "cluster" }> {
    return this.args.settings.mode === "vpn"
      ? { kind: "internal", sources: this.#peerRanges(cloud) }
      : { kind: "public" };
  }

  /**
   * Who reaches the API of a cloud's SPIRE server from outside of its cluster; undefined where nobody does. That of the server for all clouds, or above theirs: the
   * others' networks through tunnels, else the addresses by which their pods go out; and machines outside of Kubernetes, by their ranges.
   *
   * @throws Error where one of these is not known, or machines are to come through tunnels, which the configuration was checked for.
   */
  spireApiExposure(cloud: string): Exclude<Exposure, { kind: "cluster" }> | undefined {
    const { clouds, settings, trust } = this.args;
    const { sources = [] } = this.#cloud(cloud)?.machines ?? {};
    const others =
      trust?.server?.cloud === cloud ? clouds.filter(({ cluster }) => cluster.name !== cloud) : [];
    if (others.length + sources.length === 0) return undefined;
    if (settings.mode === "vpn") {
      if (sources.length > 0) throw new Error(`${cloud}: its nodeAttestors were not checked`);
      return { kind: "internal", sources: this.#peerRanges(cloud) };
    }
    const egress = others.map(({ cluster }) => {
      if (cluster.egressCidrs === undefined)
        throw new Error(`${cluster.name}: its egressCidrs were not checked`);
      return cluster.egressCidrs;
    });
    return {
      kind: "public",
      sources: pulumi.all(egress).apply((ranges) => [...new Set([...ranges.flat(), ...sources])]),
    };
  }

  /** Who reaches the Services of a cloud's agents. On a tailnet each pod is reached for itself. */
  agentExposure(cloud: string): Exposure {
    return this.args.settings.mode === "tailscale" ? { kind: "cluster" } : this.bundleEndpointExposure(cloud);
  }

  /** Who reaches the Service at which traces arrive, in the home cloud. On a tailnet its pod is reached for itself. */
  traceIntakeExposure(): Exposure {
    const { clouds, observability } = this.args;
    if (observability === undefined || clouds.length < 2) return { kind: "cluster" };
    return this.agentExposure(observability.home);
  }

  /** A cloud's part in observability; undefined without it. */
  #observabilityPart(cloud: string): ObservabilityPart | undefined {
    const { clouds, observability } = this.args;
    const names = clouds.map(({ cluster }) => cluster.name);
    return observability && partOf(cloud, observability, names);
  }

  /** How those pods join the tailnet that `telemetryDevices` names; undefined where there are none, or no tailnet. */
  observabilityDevice(cloud: string): TailnetMembership | undefined {
    const part = this.#observabilityPart(cloud);
    if (this.#tailnet === undefined || part === undefined || telemetryDevices(part).length === 0) {
      return undefined;
    }
    return { authKey: this.#tailnet.authKey(cloud, "observability"), settled: this.#tailnet.settled };
  }

  /** What the flows of a cloud's cluster depend on, for the policies of its namespaces. */
  flowsOf(cloud: string): FlowContext {
    const { settings, workloads = [], partners = [] } = this.args;
    const { oidcPort, machines } = this.#cloud(cloud) ?? {};
    const central = centralPart(cloud, this.args.trust?.server);
    const namespaces = workloads.flatMap(({ cloud: of, namespace }) =>
      of === cloud && namespace !== undefined ? [namespace] : [],
    );
    return {
      mode: settings.mode,
      workloadNamespaces: [...new Set(namespaces)].sort(),
      partnerPorts: [...new Set(partners.map(({ bundleEndpointUrl }) => urlPort(bundleEndpointUrl)))].sort(),
      oidcPorts: oidcPort === undefined ? [] : [oidcPort],
      sharedTrust: this.args.trust?.shared,
      bucket: this.args.trust?.bucket,
      objectPorts: this.#objectPorts(cloud),
      ...(machines && { machines: { machines: [SPIRE_PORTS.api], machineClouds: machines.cloudPorts } }),
      central,
      // Who signs for a server below another is that.
      upstreamPorts: central === "below" ? [] : this.args.trust?.upstreamPorts,
      observability: this.#observabilityPart(cloud),
      peerRanges: settings.mode === "vpn" ? this.#peerRanges(cloud) : [],
      loginServer: settings.mode === "tailscale" ? settings.tailscale.loginServer : undefined,
    };
  }

  /** How a cloud's agents join the tailnet; undefined where there is none. */
  tailnetOf(cloud: string): TailnetMembership | undefined {
    return (
      this.#tailnet && { authKey: this.#tailnet.authKey(cloud, "agents"), settled: this.#tailnet.settled }
    );
  }

  #cloud(name: string): NetworkCloud | undefined {
    return this.args.clouds.find(({ cluster }) => cluster.name === name);
  }

  #objectPorts(cloud: string): readonly number[] {
    const ports = this.args.clouds.flatMap(({ cluster: { name }, objectPort }) =>
      name === cloud || objectPort === undefined ? [] : [objectPort],
    );
    return [...new Set(ports)].sort();
  }

  #parts(): ReadonlyMap<string, ObservabilityPart> {
    return new Map(
      this.args.clouds.flatMap(({ cluster: { name } }) => {
        const part = this.#observabilityPart(name);
        return part === undefined ? [] : [[name, part] as const];
      }),
    );
  }

  #peerRanges(cloud: string): string[] {
    return this.args.clouds.flatMap(({ cluster }) => (cluster.name === cloud ? [] : cluster.sourceCidrs));
  }
}
