// A small mesh of processes on loopback: SPIRE servers that know each other, a SPIRE agent and an Envoy for each agent, and one OPA.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { type EnvoyArgs, envoyBootstrap } from "../../../components/workloads/envoy/bootstrap";
import type { Destination } from "../../../components/workloads/envoy/outbound";
import type { Xds } from "../../../components/envoy/xds";
import type { PolicyMember, PolicyTopology } from "../../../components/workloads/policy-data";
import { nodeBundle } from "../../../components/kubernetes/node-bundle";
import { LOADER } from "../../../components/kubernetes/node-loader";
import { agentSpiffeId, operatorSpiffeId } from "../../../spiffe/spiffe-id";
import { Daemon, until } from "../../support/daemon";
import { TestOpa } from "../../support/opa";
import { freePort } from "../../support/port";
import { programPath } from "../../support/programs";
import { type SignerFiles, spireServerBinary, TestSpireServer } from "../../support/spire";
import { TestSpireAgent } from "../../support/spire-agent";

/** A program that tells what it was asked. */
const PROGRAM = path.join(__dirname, "program.mjs");
const LOOPBACK = "127.0.0.1";

/** An agent of the mesh. */
export interface Placed {
  readonly cloud: string;
  readonly role: string;
}

/** Ports of an agent on loopback. */
interface Ports {
  readonly inbound: number;
  readonly outbound: number;
  readonly program: number;
  readonly status: number;
}

const ports = async (): Promise<Ports> => ({
  inbound: await freePort(),
  outbound: await freePort(),
  program: await freePort(),
  status: await freePort(),
});

const nameOf = ({ cloud, role }: Placed) => `${cloud}-${role}`;

/** What runs for an agent. */
export interface RunningAgent {
  readonly spiffeId: string;
  readonly ports: Ports;
  readonly envoy: Daemon;
  readonly spire: Daemon;
  readonly program: Daemon;
}

/** The clouds of the tests with their agents. */
export interface EnvoyMeshArgs {
  readonly members: readonly PolicyMember[];
  readonly policy: Omit<PolicyTopology, "members">;
  /** Trust domains, by cloud, in which its agents are known to those who call them besides. Default: none. */
  readonly alsoKnownIn?: Readonly<Record<string, string>>;
  /** Clouds whose Envoys need not find all others healthy before the tests begin. Default: none. */
  readonly unsettled?: readonly string[];
  /** Bundles in SPIFFE format of trust domains that have no SPIRE server here. Default: every member has one. */
  readonly foreign?: Readonly<Record<string, string>>;
  /** Lifetime of the agents' certificates in seconds, which SPIRE renews at half of it. Default: an hour. */
  readonly svidTtl?: number;
  /** Port of a collector of traces. Default: there is none. */
  readonly collector?: number;
  /** What signs the CA of a cloud's SPIRE server. Default: each signs its own. */
  readonly signers?: Readonly<Record<string, SignerFiles>>;
  /** Of these, processes run; the others are only known. */
  readonly run: readonly Placed[];
  /** What an agent is: the reference agent, or what Node runs with these arguments. Default: programs that tell what they were asked. */
  readonly program?: (place: Placed & { readonly port: number }) => "reference agent" | readonly string[];
  /** What to change of the configuration of an agent's Envoy. Default: nothing. */
  readonly change?: (place: Placed, bootstrap: Xds) => Xds;
}

export class EnvoyMesh {
  readonly agents = new Map<string, RunningAgent>();
  /** One for each cloud. */
  readonly opas = new Map<string, TestOpa>();

  private constructor(
    readonly dir: string,
    readonly args: EnvoyMeshArgs,
    readonly servers: ReadonlyMap<string, TestSpireServer>,
  ) {}

  static async start(args: EnvoyMeshArgs): Promise<EnvoyMesh> {
    const dir = mkdtempSync(path.join(tmpdir(), "envoy-mesh-"));
    const binary = await spireServerBinary();
    const servers = new Map<string, TestSpireServer>();
    for (const { cloud, trustDomain } of args.members.filter(
      ({ trustDomain }) => !args.foreign?.[trustDomain],
    ))
      servers.set(
        cloud,
        await TestSpireServer.make(binary, trustDomain, { upstream: args.signers?.[cloud] }),
      );
    const mesh = new EnvoyMesh(dir, args, servers);
    try {
      await Promise.all([...servers.values()].map((server) => server.start()));
      await mesh.startOpas();
      await mesh.introduce();
      const places = await Promise.all(args.run.map(async (agent) => ({ ...agent, ports: await ports() })));
      await Promise.all(places.map((place) => mesh.startAgent(place, places)));
      const settling = places.filter(({ cloud }) => !args.unsettled?.includes(cloud));
      await Promise.all(settling.map((place) => mesh.settled(place)));
      return mesh;
    } catch (error) {
      await mesh.stop();
      throw error;
    }
  }

  private async startOpas(): Promise<void> {
    for (const cloud of this.servers.keys())
      this.opas.set(cloud, await TestOpa.start({ members: this.args.members, ...this.args.policy }));
  }

  /** Runs a command of a cloud's SPIRE server. */
  async spire(cloud: string, ...command: string[]): Promise<string> {
    return this.spireWith(cloud, undefined, ...command);
  }

  spireWith(cloud: string, stdin: string | undefined, ...command: string[]): Promise<string> {
    return this.servers.get(cloud)!.print(command, stdin);
  }

  memberOf(cloud: string): PolicyMember {
    return this.args.members.find((member) => member.cloud === cloud)!;
  }

  idOf({ cloud, role }: Placed): string {
    const { trustDomain, region } = this.memberOf(cloud);
    return agentSpiffeId(trustDomain, cloud, region, role);
  }

  private otherIdOf({ cloud, role }: Placed): string[] {
    const other = this.args.alsoKnownIn?.[cloud];
    return other === undefined ? [] : [agentSpiffeId(other, cloud, this.memberOf(cloud).region, role)];
  }

  /** Those of other trust domains than `cloud`'s. */
  private strangersTo(cloud: string): readonly PolicyMember[] {
    const { trustDomain } = this.memberOf(cloud);
    return this.args.members.filter((other) => other.trustDomain !== trustDomain);
  }

  /** Every server has the bundles of all others. */
  private async introduce(): Promise<void> {
    for (const from of this.args.members) {
      const bundle =
        this.args.foreign?.[from.trustDomain] ??
        (await this.spire(from.cloud, "bundle", "show", "-format", "spiffe"));
      for (const to of this.strangersTo(from.cloud).filter(({ cloud }) => this.servers.has(cloud))) {
        const id = `spiffe://${from.trustDomain}`;
        await this.spireWith(to.cloud, bundle, "bundle", "set", "-format", "spiffe", "-id", id);
      }
    }
  }

  /** A socket of the Workload API, whose workloads are this agent. */
  async workloadApi(place: Placed): Promise<TestSpireAgent> {
    const others = this.strangersTo(place.cloud);
    return TestSpireAgent.start(
      await programPath("spire-agent"),
      this.servers.get(place.cloud)!,
      path.join(this.dir, `${nameOf(place)}-spire`),
      (parentId) =>
        this.spire(
          place.cloud,
          ...["entry", "create", "-spiffeID", this.idOf(place), "-parentID", parentId],
          ...["-selector", `unix:uid:${process.getuid!()}`],
          ...(this.args.svidTtl === undefined ? [] : ["-x509SVIDTTL", String(this.args.svidTtl)]),
          ...others.flatMap((other) => ["-federatesWith", `spiffe://${other.trustDomain}`]),
        ),
    );
  }

  private destinations(self: Placed, places: readonly (Placed & { ports: Ports })[]): Destination[] {
    const others = places.filter((place) => nameOf(place) !== nameOf(self));
    const nearestFirst = [
      ...others.filter(({ cloud }) => cloud === self.cloud),
      ...others.filter(({ cloud }) => cloud !== self.cloud),
    ];
    const endpoint = (place: Placed & { ports: Ports }) => ({
      peer: nameOf(place),
      cloud: place.cloud,
      spiffeIds: [this.idOf(place), ...this.otherIdOf(place)],
      at: { host: LOOPBACK, port: place.ports.inbound },
    });
    return [
      ...nearestFirst.map((place) => ({ name: nameOf(place), endpoints: [endpoint(place)] })),
      ...[...new Set(nearestFirst.map(({ role }) => role))].map((role) => ({
        name: role,
        endpoints: nearestFirst.filter((place) => place.role === role).map(endpoint),
      })),
    ];
  }

  private async startAgent(
    place: Placed & { ports: Ports },
    places: readonly (Placed & { ports: Ports })[],
  ): Promise<void> {
    const { daemon: spire, socket } = await this.workloadApi(place);
    const { ports } = place;
    const member = this.memberOf(place.cloud);
    const config: EnvoyArgs = {
      agent: nameOf(place),
      cloud: place.cloud,
      region: member.region,
      role: place.role,
      inbound: {
        listen: { host: LOOPBACK, port: ports.inbound },
        program: { host: LOOPBACK, port: ports.program },
        members: this.args.members.flatMap(({ cloud, trustDomain, roles }) => [
          ...roles.map((role) => this.idOf({ cloud, role })),
          operatorSpiffeId(trustDomain),
        ]),
        protocol: member.protocols?.[place.role] ?? "agentweave",
        opa: { host: LOOPBACK, port: Number(new URL(this.opas.get(place.cloud)!.api).port) },
      },
      outbound: {
        listen: { host: LOOPBACK, port: ports.outbound },
        destinations: this.destinations(place, places),
        timeoutSeconds: 20,
      },
      workloadApi: socket,
      admin: path.join(this.dir, `${nameOf(place)}-admin.sock`),
      status: { host: LOOPBACK, port: ports.status },
      memoryBytes: 256 * 1024 * 1024,
      ...(this.args.collector !== undefined && {
        collector: {
          url: `http://${LOOPBACK}:${this.args.collector}`,
          at: { host: LOOPBACK, port: this.args.collector },
        },
      }),
    };
    const file = path.join(this.dir, `${nameOf(place)}.json`);
    const { change = (_, bootstrap) => bootstrap } = this.args;
    writeFileSync(file, JSON.stringify(change(place, envoyBootstrap(config))));
    const program = this.startProgram(place);
    const envoy = new Daemon(await programPath("envoy"), [
      ...["-c", file, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"],
    ]);
    this.agents.set(nameOf(place), { spiffeId: this.idOf(place), ports, envoy, spire, program });
    await envoy.becomes("Envoy has its identity and finds its program", () =>
      fetch(`http://${LOOPBACK}:${ports.status}/health`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  }

  private startProgram({ cloud, role, ports }: Placed & { ports: Ports }): Daemon {
    const { program, outbound } = ports;
    const { program: of = ({ port }) => [PROGRAM, String(port)] } = this.args;
    const args = of({ cloud, role, port: program });
    if (args !== "reference agent") return new Daemon(process.execPath, args);
    const file = path.join(this.dir, "agent.js.gz");
    writeFileSync(file, nodeBundle("agent").gzip);
    // As its pod has it (components/workloads/program-pod.ts), but for the ports.
    return new Daemon(process.execPath, ["-e", LOADER, file], {
      PORT: String(program),
      AGENT_NAME: nameOf({ cloud, role }),
      AGENT_URL: `http://${nameOf({ cloud, role })}.mesh/`,
      AGENT_CLOUD: cloud,
      AGENT_REGION: this.memberOf(cloud).region,
      AGENT_ROLE: role,
      MESH_URL: `http://${LOOPBACK}:${outbound}`,
    });
  }

  /** Waits until the agent's Envoy has found all others healthy. */
  private async settled({ ports }: { ports: Ports }): Promise<void> {
    await until("every Envoy finds the others healthy", async () => {
      const metrics = await (await fetch(`http://${LOOPBACK}:${ports.status}/metrics`)).text();
      const values = (name: string) =>
        [...metrics.matchAll(new RegExp(`^envoy_cluster_membership_${name}{(.*)} (\\d+)$`, "gm"))].map(
          ([, labels, value]) => `${labels} ${value}`,
        );
      return values("healthy").join() === values("total").join();
    });
  }

  agent(name: string): RunningAgent {
    return this.agents.get(name)!;
  }

  async stop(): Promise<void> {
    const daemons = [...this.agents.values()].flatMap(({ envoy, spire, program }) => [envoy, spire, program]);
    await Promise.all([
      ...daemons.map((daemon) => daemon.stop()),
      ...[...this.opas.values()].map((opa) => opa.stop()),
      ...[...this.servers.values()].map((server) => server.remove()),
    ]);
    rmSync(this.dir, { recursive: true, force: true });
  }
}
