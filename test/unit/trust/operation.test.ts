// How long an operation of a provider may take, whatever its commands do.
import { commandLimitMs } from "../../../components/trust/connect";
import type { ServerLocation } from "../../../components/trust/server-location";
import { fault } from "../../../components/trust/fault";
import { makeFederationRelationshipProvider } from "../../../components/trust/providers/federation-relationship";
import type { Patience } from "../../../components/trust/retry";
import { spireServer } from "../../../components/trust/spire-cli";

const server = (cloud: string): ServerLocation => ({
  cloud,
  trustDomain: `${cloud}.example.org`,
  namespace: "spire",
  pod: "spire-server-0",
  container: "spire-server",
});

it("shares one deadline among both servers of a relationship", async () => {
  const given: Patience[] = [];
  const provider = makeFederationRelationshipProvider(({ cloud }, _kubeconfig, patience) => {
    given.push(patience);
    const away = () => Promise.reject(fault(`${cloud}: no connection`, { transient: true }));
    return spireServer(cloud, away, patience);
  });
  const began = Date.now();
  const made = provider.create({
    target: server("gcp"),
    targetKubeconfig: "gcp's",
    source: server("aws"),
    sourceKubeconfig: "aws's",
    bundleEndpointUrl: "https://lb.example.org:8443",
    endpointSpiffeId: "spiffe://aws.example.org/spire/server",
    timeoutSeconds: 1,
  });
  await expect(made).rejects.toThrow("gave up waiting for spire-server healthcheck");
  expect(given).toHaveLength(2);
  expect(given[0]!.deadlineMs).toBe(given[1]!.deadlineMs);
  expect(given[0]!.deadlineMs! - began).toBeLessThan(2000);
});

it("gives a command what is left of its operation, but never so little that a fetch cannot say why it failed", () => {
  const now = 1_000_000;
  expect(commandLimitMs(now + 600_000, now)).toBe(60_000);
  expect(commandLimitMs(now + 50_000, now)).toBe(50_000);
  expect(commandLimitMs(now + 1_000, now)).toBe(40_000);
  expect(commandLimitMs(now - 1_000, now)).toBe(40_000);
});

it.each(["", '{"entries":[{"id":'])("asks again where an answer was cut short: %j", async (cut) => {
  const answers = [cut, '{"entries":[]}'];
  const run = () => Promise.resolve({ exitCode: 0, stdout: answers.shift()!, stderr: "" });
  const client = spireServer("aws", run, { limitMs: 5000, firstPauseMs: 1 });
  expect(await client.entryList()).toEqual([]);
  expect(answers).toEqual([]);
});

it("does not ask a server again that answers in words", async () => {
  const run = () => Promise.resolve({ exitCode: 0, stdout: "Found 0 entries", stderr: "" });
  const client = spireServer("aws", run, { limitMs: 5000 });
  await expect(client.entryList()).rejects.toThrow("aws: spire-server entry show printed no JSON");
});
