import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { X509Certificate } from "node:crypto";
import { meshCall } from "../../../cli/call";
import { EXIT } from "../../../cli/errors";
import { verifyMesh } from "../../../cli/verify";
import { fixedIdentity } from "../../../agent/identity/source";
import { registryName } from "../../../components/well-known";
import { ALLOW, type PolicyServer, policyServer } from "../../support/agent/policy-server";
import { identityIn, trustDomain } from "../../support/agent/pki";
import { runAgent, type TestAgent, testConfig } from "../../support/agent/run";
import { FakeMesh } from "./world";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

describe("The command line and real agents", () => {
  const world = new FakeMesh("aws", "gcp", "azure");
  const agents: TestAgent[] = [];
  const policies: Record<string, PolicyServer> = {};

  beforeAll(async () => {
    await world.start();
    const domains = world.clouds.map(({ trustDomain: name, ca }) => trustDomain(name, ca));
    for (const cloud of world.clouds) {
      cloud.agentPort = await freePort();
      policies[cloud.name] = await policyServer();
    }
    const registry = Object.fromEntries(
      world.clouds.map(({ name, role, agentId, agentPort }) => [
        registryName(name, role),
        { spiffe_id: agentId, address: `https://127.0.0.1:${agentPort}`, cloud: name },
      ]),
    );
    for (const { name, trustDomain: own, agentPort, agentId, region, role } of world.clouds) {
      const config = testConfig({
        agent: { name: `${name}-${role}`, trust_domain: own },
        authorization: { opa_endpoint: policies[name]!.endpoint },
        transport: { retry: { max_attempts: 1 } },
        server: { port: agentPort },
        metadata: { name: `${name}-${role}`, cloud: name, region, role },
        agent_registry: Object.fromEntries(
          Object.entries(registry).filter(([, { spiffe_id }]) => spiffe_id !== agentId),
        ),
      });
      const mine = domains.find((domain) => domain.name === own)!;
      const others = domains.filter((domain) => domain !== mine);
      const identity = identityIn([mine, ...others], new URL(agentId).pathname);
      expect(new X509Certificate(identity.certificates).subjectAltName).toBe(`URI:${agentId}`);
      agents.push(await runAgent(config, fixedIdentity(identity)));
    }
  });
  afterEach(() => Object.values(policies).forEach((policy) => policy.answer(ALLOW)));
  afterAll(async () => {
    await Promise.all(agents.map((agent) => agent.shutdown(0)));
    await Promise.all(Object.values(policies).map((policy) => policy.close()));
    await world.stop();
  });

  const verify = () => verifyMesh(world.mesh(), { connect: world.connect });
  const call = (from: string, to: string, capability: string, via?: string[]) =>
    meshCall(world.mesh(), { from, to, capability, via }, { connect: world.connect });

  it("verify a mesh with each other", async () => {
    expect(await verify()).toMatchObject({ ok: true });
  });

  it("call across clouds, both ids verified", async () => {
    const [aws, gcp] = world.clouds;
    const { hops, result } = await call("aws", "gcp", "ping");
    expect(hops).toMatchObject([
      { agent: aws!.agentId, caller: aws!.operatorId },
      { agent: gcp!.agentId, caller: aws!.agentId },
    ]);
    expect(result).toMatchObject({ pong: true, agent: gcp!.agentId, caller: aws!.agentId });
  });

  it("make the round trip through every cloud", async () => {
    // No agent has itself in its registry: the way back to aws is that of the others.
    const { hops } = await call("aws", "aws", "ping", ["gcp", "azure"]);
    expect(hops.map(({ agent }) => new URL(agent).host)).toEqual([
      "aws.example.org",
      "gcp.example.org",
      "azure.example.org",
      "aws.example.org",
    ]);
  });

  it("take the wish for new connections along", async () => {
    for (const request of [
      { from: "aws", to: "gcp" },
      { from: "aws", to: "aws", via: ["gcp", "azure"] },
    ]) {
      const asked = { ...request, capability: "ping", fresh: true };
      const { result } = await meshCall(world.mesh(), asked, { connect: world.connect });
      expect(result).toMatchObject({ pong: true });
    }
  });

  it("hand on the policy's reason, whichever cloud's policy refuses", async () => {
    policies["gcp"]!.answer({ result: { allow: false, reason: "gcp says no", policy_id: "x" } });
    await expect(call("aws", "gcp", "echo")).rejects.toMatchObject({
      exitCode: EXIT.denied,
      message: expect.stringContaining("gcp says no") as string,
    });
    policies["aws"]!.answer({ result: { allow: false, reason: "aws says no", policy_id: "x" } });
    await expect(call("aws", "gcp", "echo")).rejects.toMatchObject({
      exitCode: EXIT.denied,
      message: expect.stringContaining("aws says no") as string,
    });
  });

  it("name the cloud whose OPA gives no decision", async () => {
    policies["gcp"]!.answer("garbage");
    const { ok, clouds, pairs } = await verify();
    expect(ok).toBe(false);
    const policyOf = (cloud: string) =>
      clouds.find((each) => each.cloud === cloud)!.checks.find(({ check }) => check === "policy")!;
    expect(policyOf("gcp").next).toContain("OPA in gcp gives no decision");
    expect(policyOf("aws").status).toBe("ok");
    const pings = pairs.map(({ target, source, checks }) => {
      const { status, next } = checks.find(({ check }) => check === "ping")!;
      return [target, source, status, next?.includes("OPA in gcp") ?? false];
    });
    expect(pings).toContainEqual(["aws", "gcp", "failed", true]);
    expect(pings).toContainEqual(["gcp", "aws", "failed", true]);
    expect(pings).toContainEqual(["aws", "azure", "ok", false]);
  });
});
