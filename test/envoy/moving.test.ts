// While trust domains change, who calls an agent takes either of its two identities, and nobody else.
import type { Xds } from "../../components/envoy/xds";
import { callThrough, message } from "./support/caller";
import { EnvoyMesh } from "./support/mesh";

const CLOUDS = ["aws", "azure", "gcp"];
const PLACES = CLOUDS.map((cloud) => ({ cloud, role: "agent" }));

let mesh: EnvoyMesh;
beforeAll(async () => {
  const [from, to, other] = PLACES as [(typeof PLACES)[0], (typeof PLACES)[0], (typeof PLACES)[0]];
  mesh = await EnvoyMesh.start({
    members: CLOUDS.map((cloud) => ({
      ...{ cloud, region: "r", trustDomain: `${cloud}.example.org` },
      ...{ roles: ["agent"], protocols: { agent: "a2a" as const } },
    })),
    alsoKnownIn: { azure: "mesh.example.org", gcp: "mesh.example.org" },
    policy: {
      calls: [
        { from, to },
        { from, to: other },
      ],
      relays: [],
    },
    run: PLACES,
    unsettled: ["aws"],
    // At azure's address aws expects two identities, neither of which is azure's.
    change: ({ cloud }, bootstrap) =>
      cloud === "aws"
        ? (JSON.parse(
            JSON.stringify(bootstrap).replaceAll(
              '"matcher":{"exact":"spiffe://azure.example.org/region/azure-r/agent"',
              '"matcher":{"exact":"spiffe://azure.example.org/region/azure-r/other"',
            ),
          ) as Xds)
        : bootstrap,
  });
}, 120_000);
afterAll(() => mesh?.stop(), 30_000);

const call = (host: string) =>
  callThrough(mesh.agent("aws-agent").ports.outbound, host, { body: message("SendMessage") });

test("one of the two is enough, under the roots of its own trust domain", async () => {
  expect(await call("gcp-agent.mesh")).toMatchObject({
    status: 200,
    headers: { "x-mesh-peer": "spiffe://gcp.example.org/region/gcp-r/agent" },
  });
});

test("a third is none, whoever vouches for it", async () => {
  const { status, body } = await call("azure-agent.mesh");
  expect(status).toBe(503);
  expect(body).toMatch(/TLS|CERTIFICATE_VERIFY_FAILED/);
});
