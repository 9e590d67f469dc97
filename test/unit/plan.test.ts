import { NETWORK_MODES } from "../../components/network/mode";
import { ConfigError } from "../../infra/config";
import { plansOf } from "../../infra/plan/plan";

test("a stack of mode direct is planned in the modes that it has all for, and the others say what they lack", async () => {
  const file = `config:
  agentweave-mesh:clouds: { aws: { provider: aws } }
  agentweave-mesh:network: { mode: direct }
  agentweave-mesh:observability: { enabled: false }
`;
  const plans = await plansOf("test", NETWORK_MODES, file);
  const said = plans.map(([mode, plan]) => [
    mode,
    plan instanceof ConfigError ? plan.message : plan.length > 50,
  ]);
  expect(said).toEqual([
    ["tailscale", expect.stringMatching(/network\.tailscale\.tailnet: is missing/)],
    ["vpn", true],
    ["direct", true],
  ]);
});
