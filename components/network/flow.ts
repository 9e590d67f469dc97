// What a row of the table of flows says, and rows that several parties have alike.
import type { NetworkMode } from "./mode";
import type { Where } from "./part";
import type { Party } from "./parties";

/**
 * A port that the configuration decides: `partners` are those of the partners' bundle endpoints, `tracing` is that of the agents' own collector,
 * `loginServer` that of the tailnet's control server, `outside` those of the systems that Prometheus sends samples or alerts to, `upstream` those
 * of `trust.root`, `datastore` that of the SPIRE server's database, `keyService` those of the service that keeps its keys, `bundleStore` those of the object store of its bundle, `peerObjects` those of the other clouds' objects, `oidc` that of the OIDC
 * discovery provider, `machines` that of the SPIRE server's API where machines outside of Kubernetes attest, `machineClouds` those of the clouds that know them.
 */
export type ConfiguredPort =
  | "partners"
  | "tracing"
  | "loginServer"
  | "outside"
  | "upstream"
  | "datastore"
  | "keyService"
  | "bundleStore"
  | "peerObjects"
  | "oidc"
  | "machines"
  | "machineClouds";

/** The SPIRE server that is that of all clouds (`spire.topology: central`), or signs the CAs of theirs (`nested`). */
export interface SharedServer {
  readonly cloud: string;
  readonly topology: "central" | "nested";
}

/**
 * With one SPIRE server for all clouds: a cluster that has the server, or one of the other clouds' with agents alone. With one above those of the other clouds: a
 * cluster that has it, or one whose server is below.
 */
export type CentralPart = "server" | "agents" | "above" | "below";

/** The part of a cloud; undefined where each has a server of its own, with none above. */
export const centralPart = (cloud: string, server: SharedServer | undefined): CentralPart | undefined => {
  if (server === undefined) return undefined;
  const [there, elsewhere] = ({ central: ["server", "agents"], nested: ["above", "below"] } as const)[
    server.topology
  ];
  return cloud === server.cloud ? there : elsewhere;
};

/** What one party may send to another; answers are part of it. What is in no row is denied. */
export interface Flow {
  readonly from: Party;
  readonly to: Party;
  readonly protocol: "TCP" | "UDP";
  /** Those at which it is received by the pod; each Service of the mesh has the same port as its pods. */
  readonly ports: readonly (number | ConfiguredPort)[] | "any";
  /** In which modes of the network there is such a flow. Default: in all. */
  readonly modes?: readonly NetworkMode[];
  /** In which clusters, by their part in observability. Default: in all, with or without it. */
  readonly where?: Where;
  /** Only with a SPIRE server for all clouds, or above theirs: in the cluster that has it, or in those of the other clouds. Default: with or without it, in all. */
  readonly central?: CentralPart;
  /** One sentence for the documentation. */
  readonly why: string;
}

/** Of the Service `kubernetes`, and of the API servers themselves: in clouds 443, elsewhere mostly kube-apiserver's default. */
export const API_SERVER = [443, 6443] as const;

type Ports = Flow["ports"];

export const tcp = (from: Party, to: Party, ports: Ports, why: string): Flow => ({
  from,
  to,
  protocol: "TCP",
  ports,
  why,
});

export const udp = (from: Party, to: Party, ports: Ports, why: string): Flow => ({
  ...tcp(from, to, ports, why),
  protocol: "UDP",
});

export const onTailnet = (flow: Flow): Flow => ({ ...flow, modes: ["tailscale"] });

export const central = (part: CentralPart, flow: Flow): Flow => ({ ...flow, central: part });

export const where = (clusters: Where, flow: Flow): Flow => ({ ...flow, where: clusters });

/** Where a device keeps its state, for those that ask the API server for nothing else. */
export const deviceState = (from: Party): Flow =>
  onTailnet(tcp(from, "apiServer", API_SERVER, "Each device keeps its state in a Secret of its own."));

/**
 * What a device of the tailnet sends (https://tailscale.com/kb/1082/firewall-ports). Nothing comes in unasked: devices send to each other at
 * the same time, so that what comes in is the answer to what went out.
 */
export function devicePackets(from: Party): readonly Flow[] {
  return [
    tcp(
      from,
      "tailnetServers",
      [443, "loginServer"],
      "The tailnet is joined at its control server, and relays carry what finds no direct path.",
    ),
    udp(
      from,
      "tailnetDevices",
      "any",
      "WireGuard goes to whatever port a peer's NAT gives it, which peers learn by STUN (3478).",
    ),
  ].map(onTailnet);
}
