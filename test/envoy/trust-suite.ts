// Trust that changes under a mesh while its agents call each other: `mesh rotate`, ended and gone on with, and `mesh evict`.
import { createPrivateKey } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { sendMessage } from "../../agent/message";
import { evict, evictNode } from "../../cli/evict";
import { endpointOf } from "../../cli/mesh-outputs";
import { rotate, type RotateOptions } from "../../cli/rotate";
import { federate } from "../../components/trust/federate";
import { type ApiAgent, spireServer } from "../../components/trust/spire-cli";
import type { Certificate } from "../support/certificate";
import { until } from "../support/daemon";
import { askAs } from "./support/caller";
import { clustersOf, outputsOf } from "./support/command-line";
import type { EnvoyMesh } from "./support/mesh";

const LIMIT_MS = 30_000;
/** SPIRE agents ask their server each second here (test/support/spire-agent.ts). */
const HAND_ON_MS = 3_000;

export interface TrustStage {
  readonly mesh: () => EnvoyMesh;
  /** A call that everybody may make; fails unless it is answered. */
  readonly ping: (from: string, to: string) => Promise<unknown>;
}

/** What ends a run of the command where it stands. */
class Ended extends Error {}

/** Registers the tests. They leave a mesh without one of its clouds. */
export function trustTests({ mesh, ping }: TrustStage): void {
  const connect = () => clustersOf(mesh());
  const serverIn = (name: string) => {
    const cloud = outputsOf(mesh()).clouds.find((each) => each.name === name)!;
    return { cloud, server: spireServer(name, mesh().servers.get(name)!.run, { limitMs: LIMIT_MS }) };
  };
  const clouds = () => outputsOf(mesh()).clouds.map(({ name }) => name);

  /** Agents of all clouds call each other, all the time, while `work` is done; the calls that were lost. */
  async function whileCalling(work: () => Promise<void>): Promise<{ made: number; lost: string[] }> {
    const names = [...mesh().agents.keys()];
    const told = { made: 0, lost: [] as string[] };
    let over = false;
    const calling = names
      .flatMap((from) => names.filter((to) => to !== from).map((to) => [from, to] as const))
      .map(async ([from, to]) => {
        for (; !over; await sleep(250)) {
          told.made++;
          await ping(from, to).catch((error: Error) => told.lost.push(`${from} ${to}: ${error.message}`));
        }
      });
    try {
      await work();
    } finally {
      over = true;
      await Promise.all(calling);
    }
    return told;
  }

  describe("trust that changes", () => {
    beforeAll(async () => {
      for (const target of clouds().map(serverIn))
        for (const source of clouds().map(serverIn))
          if (target.cloud.name !== source.cloud.name)
            await federate(
              { cloud: target.cloud.name, server: target.server },
              { cloud: source.cloud.name, server: source.server },
              endpointOf(source.cloud),
              { limitMs: LIMIT_MS },
            );
    }, 60_000);

    test("`mesh rotate --taint` goes on where it and its server were ended, and no call is lost", async () => {
      const { server } = serverIn("aws");
      const { active: before } = await server.authorities("x509");
      const said: string[] = [];
      const options = (say: RotateOptions["say"]): RotateOptions => ({
        ...{ taint: true, limitMs: LIMIT_MS, connect: connect(), handOnMs: HAND_ON_MS, say },
      });
      const { made, lost } = await whileCalling(async () => {
        const ending = rotate(
          outputsOf(mesh()),
          "aws",
          options((line) => {
            if (/tainted/.test(line)) throw new Ended();
          }),
        );
        await expect(ending).rejects.toBeInstanceOf(Ended);
        await mesh().servers.get("aws")!.kill();
        await mesh().servers.get("aws")!.start();
        const report = await rotate(
          outputsOf(mesh()),
          "aws",
          options((line) => void said.push(line)),
        );
        expect(report.servers).toMatchObject([{ retired: before!.authority_id, trusted: false }]);
        expect(report.servers[0]!.steps.map(({ step }) => step)).toEqual(["renew", "revoke", "fetch"]);
      });
      expect(lost).toEqual([]);
      expect(made).toBeGreaterThan(100);
      // No cloud has the old authority any more, and all have the new one.
      const { active } = await server.authorities("x509");
      expect(active!.authority_id).not.toBe(before!.authority_id);
      const { x509_authorities: own } = await server.bundleOwn();
      expect(own).toHaveLength(1);
      for (const peer of ["azure", "gcp"])
        expect((await serverIn(peer).server.bundleStored("aws.example.org"))!.x509_authorities).toEqual(own);
    }, 120_000);

    test("a SPIRE agent that `mesh evict --node --ban` bans gets nothing more, and what it has goes on", async () => {
      const { server } = serverIn("gcp");
      const agents = async () => (await server.agentList()).map(({ banned = false }: ApiAgent) => banned);
      const [{ id }] = (await server.agentList()) as [ApiAgent];
      const node = `spiffe://${id.trust_domain}${id.path}`;
      const options = { limitMs: LIMIT_MS, connect: connect() };
      const { spire } = mesh().agent("gcp-worker");
      await evictNode(outputsOf(mesh()), "gcp", node, { ...options, ban: true });
      await until("the SPIRE agent ends", () => !spire.running);
      expect(spire.printed).toContain("Agent is banned");
      expect(await agents()).toEqual([true]);
      await ping("aws-agent", "gcp-worker");
      await evictNode(outputsOf(mesh()), "gcp", node, options);
      expect(await agents()).toEqual([]);
    });

    test("after `mesh evict` nobody takes an identity of a cloud whose server is dead, and the others go on", async () => {
      const { inbound: port } = mesh().agent("aws-agent").ports;
      const svid = await minted(mesh(), "azure");
      const asked = () =>
        askAs(port, [svid], { body: sendMessage("ping", {}), headers: { "a2a-version": "1.0" } });
      expect(await asked()).toBe(200);
      await mesh().servers.get("azure")!.kill();
      const options = { limitMs: LIMIT_MS, connect: connect() };
      const outcomes = async () =>
        (await evict(outputsOf(mesh()), "azure", options)).others.map(
          ({ cloud, outcome }) => `${cloud} ${outcome}`,
        );
      expect(await outcomes()).toEqual(["aws forgot", "gcp forgot"]);
      await until("azure's identity is refused", async () => (await asked()) === undefined);
      expect(await outcomes()).toEqual(["aws knew-nothing", "gcp knew-nothing"]);
      await ping("gcp-worker", "aws-agent");
    });
  });
}

/** An identity of a cloud's first agent, which its SPIRE server has just signed. */
async function minted(mesh: EnvoyMesh, cloud: string): Promise<Certificate> {
  const id = outputsOf(mesh).clouds.find(({ name }) => name === cloud)!.agents[0]!.spiffeId;
  const text = await mesh.spire(cloud, "x509", "mint", "-spiffeID", id, "-output", "json");
  const { x509_svid, private_key } = JSON.parse(text) as { x509_svid: string[]; private_key: string };
  const key = createPrivateKey({
    key: Buffer.from(private_key, "base64"),
    format: "der",
    type: "pkcs8",
  });
  return { der: Buffer.from(x509_svid[0]!, "base64"), key } as Certificate;
}
