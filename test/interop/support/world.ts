// Three members of a mesh with their trust domains, and two trust domains that mean harm.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import type { MeshAgent } from "../../../components/workloads/registry";
import { spiffeIdOf } from "../../../components/workloads/registry";
import { TestOpa } from "../../support/opa";
import { type Authority, carelessAuthority, type Minted, spireAuthority } from "./authorities";
import { buildPeer, Issuer } from "./peers";

const REGIONS = { aws: "us-east-1", gcp: "us-central1", azure: "eastus" } as const;

type Cloud = keyof typeof REGIONS;

/** An agent of the mesh. */
export function member(cloud: Cloud, role: string): MeshAgent {
  const trustDomain = `${cloud}.example.org`;
  return { cloud, role, region: REGIONS[cloud], trustDomain, host: `${role}.${cloud}.example.org` };
}

/** SPIFFE ids of the mesh and of others. */
export const IDS = {
  agent: spiffeIdOf(member("aws", "agent")),
  neighbour: spiffeIdOf(member("aws", "orchestrator")),
  worker: spiffeIdOf(member("gcp", "worker")),
  stranger: "spiffe://stranger.example.org/region/gcp-us-central1/worker",
} as const;

/** All agents of the mesh; the trust domain `careless.example.org` belongs to the cloud `azure`. */
export const AGENTS: readonly MeshAgent[] = [
  member("aws", "agent"),
  member("aws", "orchestrator"),
  member("gcp", "agent"),
  member("gcp", "worker"),
  { ...member("azure", "agent"), trustDomain: "careless.example.org" },
];

/** Authorities, Workload APIs and policy of the tests. */
export class World {
  private constructor(
    readonly dir: string,
    readonly issuer: Issuer,
    readonly opa: TestOpa,
    private readonly authorities: ReadonlyMap<string, Authority>,
  ) {}

  static async start(): Promise<World> {
    await buildPeer();
    const dir = mkdtempSync(path.join(tmpdir(), "interop-"));
    const domains = ["aws.example.org", "gcp.example.org", "stranger.example.org"];
    const authorities = new Map<string, Authority>(
      await Promise.all(domains.map(async (domain) => [domain, await spireAuthority(domain)] as const)),
    );
    authorities.set("careless.example.org", carelessAuthority("careless.example.org"));
    const members = (["aws", "gcp", "azure"] as const).map((cloud) => {
      const agents = AGENTS.filter((agent) => agent.cloud === cloud);
      const { region, trustDomain } = agents[0]!;
      return { cloud, region, trustDomain, roles: agents.map(({ role }) => role) };
    });
    const opa = await TestOpa.start({ members, calls: [], relays: [] });
    return new World(dir, new Issuer(dir), opa, authorities);
  }

  /** A new SVID by the authority of `by`. Default: of the id's own trust domain. */
  mint(id: string, by = new URL(id).hostname): Promise<Minted> {
    return this.authorities.get(by)!.mint(id);
  }

  /** Roots of these trust domains. */
  async roots(...domains: string[]): Promise<Record<string, readonly string[]>> {
    const minted = domains.map(
      async (domain) => [domain, (await this.mint(`spiffe://${domain}/any`)).roots] as const,
    );
    return Object.fromEntries(await Promise.all(minted));
  }

  /** A socket that gives this SVID, and the bundles of every other trust domain. */
  async workload(name: string, svid: Minted): Promise<string> {
    const own = new URL(svid.id).hostname;
    const others = [...this.authorities.keys()].filter((domain) => domain !== own);
    return this.issuer.give(name, { svids: [svid], federated: await this.roots(...others) });
  }

  async stop(): Promise<void> {
    await Promise.all([
      this.issuer.stop(),
      this.opa.stop(),
      ...[...this.authorities.values()].map((authority) => authority.remove()),
    ]);
    rmSync(this.dir, { recursive: true, force: true });
  }
}
