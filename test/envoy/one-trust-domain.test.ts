// Two clouds of one trust domain: Envoy lets in and calls whoever's chain ends in the one root, whichever cloud's SPIRE server issued it.
import { type Authority, issueIntermediate, issueRoot } from "../../components/trust/x509";
import { callThrough, message } from "./support/caller";
import { EnvoyMesh } from "./support/mesh";

const TRUST_DOMAIN = "mesh.example.org";
const CLOUDS = ["aws", "gcp"];
const SECONDS = 30 * 86_400;
const PLACES = CLOUDS.map((cloud) => ({ cloud, role: "agent" }));

let mesh: EnvoyMesh;
beforeAll(async () => {
  const root = await issueRoot({ trustDomain: TRUST_DOMAIN, commonName: "root", ttlSeconds: 3 * SECONDS });
  const signer = async (commonName: string): Promise<Authority & { bundle: string }> => ({
    ...(await issueIntermediate({ trustDomain: TRUST_DOMAIN, commonName, ttlSeconds: SECONDS }, root)),
    bundle: root.certificate,
  });
  const [from, to] = PLACES as [(typeof PLACES)[0], (typeof PLACES)[0]];
  mesh = await EnvoyMesh.start({
    members: CLOUDS.map((cloud) => ({
      ...{ cloud, region: "r", trustDomain: TRUST_DOMAIN },
      ...{ roles: ["agent"], protocols: { agent: "a2a" as const } },
    })),
    policy: { calls: [{ from, to, actions: ["SendMessage"] }], relays: [] },
    signers: { aws: await signer("aws"), gcp: await signer("gcp") },
    run: PLACES,
  });
}, 120_000);
afterAll(() => mesh?.stop(), 30_000);

const call = (from: string, host: string) =>
  callThrough(mesh.agent(from).ports.outbound, host, { body: message("SendMessage") });

test("a listed call goes from one to the other, who reads by whom", async () => {
  const answer = await call("aws-agent", "gcp-agent.mesh");
  expect(answer).toMatchObject({ status: 200 });
  const { headers } = JSON.parse(answer.body) as { headers: Record<string, string> };
  expect(headers["x-forwarded-client-cert"]).toMatch(
    /^By=spiffe:\/\/mesh\.example\.org\/region\/gcp-r\/agent;Hash=[0-9a-f]{64};URI=spiffe:\/\/mesh\.example\.org\/region\/aws-r\/agent$/,
  );
});

test("one that is not listed is denied by the policy, which tells the two apart", async () => {
  const { status, body } = await call("gcp-agent", "aws-agent.mesh");
  expect(status).toBe(403);
  expect(body).toContain("no rule lets gcp/agent call SendMessage of aws/agent");
});
