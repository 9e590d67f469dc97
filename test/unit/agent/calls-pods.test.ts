// Several endpoints of one agent: the pods of a role, each a device of its own on a tailnet.
import { callRemote } from "../../../agent/capabilities/call-remote";
import { relay } from "../../../agent/capabilities/relay";
import { idOf as idOfTarget } from "../../../agent/calls/remote";
import { METRICS } from "../../../agent/telemetry/metrics";
import { testConfig } from "../../support/agent/run";
import { callsTo, closeAll, failed, idOf, nobody, peer, ping } from "./calls-world";

afterEach(closeAll);

const endpoint = (cloud: "gcp" | "azure", host: string) => ({
  cloud,
  spiffe_id: idOf(cloud),
  address: `https://${host}:8443`,
});
const pods = [endpoint("gcp", "gcp-agent"), endpoint("gcp", "gcp-agent-1")];
const config = testConfig({
  agent_registry: {
    gcp_agent: { endpoints: pods },
    agent: { endpoints: [...pods, endpoint("azure", "azure-agent")] },
  },
});

describe("a name whose endpoints have one id", () => {
  test("is that id to the policy, of a call and of a relay", () => {
    expect(idOfTarget({ name: "gcp_agent" }, config)).toBe(idOf("gcp"));
    expect(callRemote.policyContext!({ target_agent: "gcp_agent", capability: "ping" }, config)).toEqual({
      target: idOf("gcp"),
      capability: "ping",
    });
    expect(relay.policyContext!({ via: ["gcp_agent"], capability: "ping" }, config)).toMatchObject({
      next: idOf("gcp"),
    });
  });

  test.each(["agent", "nobody"])("is told from %s, which is no single agent", (name) => {
    expect(idOfTarget({ name }, config)).toBe("");
  });

  test("is reached at the next pod when one is gone, and the answer says at which", async () => {
    const there = await peer("gcp");
    const { calls } = callsTo([nobody("gcp"), there]);
    const { agent, address, attempts } = await ping(calls);
    expect([agent, address]).toEqual([idOf("gcp"), there.address]);
    expect(attempts.map(({ error }) => error !== undefined)).toEqual([true, false]);
  });

  test("has a breaker for each pod, and is open in the metrics once all of them are", async () => {
    const there = await peer("gcp");
    const { calls, telemetry } = callsTo([nobody("gcp"), there], {
      circuit_breaker: { failure_threshold: 1 },
    });
    const state = async () =>
      new RegExp(`^${METRICS.circuitState}{.*peer="gcp-agent".*} (\\d)$`, "m").exec(
        await telemetry.metrics.text(),
      )?.[1];
    expect(await state()).toBe("0");
    await ping(calls);
    expect(calls.endpoints().map(({ breaker }) => breaker)).toEqual(["open", "closed"]);
    expect(await state()).toBe("0");
    await there.stop();
    await failed(ping(calls));
    expect(await state()).toBe("2");
  });
});
