import { CSI_DRIVER, NAMESPACES, OIDC } from "../../../components/well-known";
import { judge, settingsFrom } from "../../../policies/pack/judge";
import { type Plan, planOf } from "../../../infra/plan/plan";
import { reportOf } from "../../../infra/plan/report";
import { parseHcl } from "./hcl";
import { restrictedViolations } from "./pod-security";

const DOMAIN = "oidc.aws.example.org";
const fileOf = (oidc: object) => `config:
  agentweave-mesh:clouds: { aws: { provider: aws, spire: { oidc: ${JSON.stringify({ domain: DOMAIN, ...oidc })} } } }
  agentweave-mesh:network: { mode: direct }
  agentweave-mesh:observability: { enabled: false }
`;
const PUBLIC = { tlsSecret: "oidc-tls", exposure: "public" };

const one = ({ resources }: Plan, type: string, name: string) =>
  resources.find((each) => each.type === type && each.name === name)!.inputs;
const deployment = (plan: Plan) => one(plan, "kubernetes:apps/v1:Deployment", "aws-oidc");
const service = (plan: Plan) => one(plan, "kubernetes:core/v1:Service", "aws-oidc-service");
const rows = (plan: Plan, key: string) =>
  reportOf(plan, "2026-11-30")
    .tables.find((table) => table.key === key)!
    .rows.map((row) => row.join(" | "));

/** What the policy pack says of what is public. */
const published = ({ config }: Plan, registered: Plan["registered"]) =>
  judge(registered, settingsFrom(config, "2026-11-30"))
    .violations.filter(({ rule }) => rule === "public-ports")
    .map(({ message }) => message);

let plain: Plan;
let open: Plan;
beforeAll(async () => {
  plain = await planOf("test", { file: fileOf({}) });
  open = await planOf("test", { file: fileOf(PUBLIC) });
});

test("without more it is of the cluster alone, in the clear, and nothing is public", () => {
  expect(service(plain).spec).toMatchObject({ type: "ClusterIP", ports: [{ port: 80, targetPort: 80 }] });
  expect(rows(plain, "public").join()).not.toContain("oidc");
});

test("with a certificate it is public at 443, which the plan shows and the policy pack lets pass", () => {
  expect(service(open).spec).toMatchObject({ type: "LoadBalancer", ports: [{ port: 443, targetPort: 443 }] });
  expect(rows(open, "public")).toContain("aws | aws-oidc-service | load balancer, TCP 443 | anywhere");
  expect(published(open, open.registered)).toEqual([]);
});

test("the policy pack refuses it in the clear on the internet", () => {
  const registered = open.registered.map((each) =>
    each.name === "aws-oidc-service"
      ? { ...each, inputs: { ...each.inputs, spec: { ...each.inputs.spec, ports: [{ port: 80 }] } } }
      : each,
  );
  expect(published(open, registered)).toEqual([expect.stringContaining("publishes TCP 80")]);
});

test("who waits for a certificate is not waited for", () => {
  expect(deployment(open).metadata.annotations).toHaveProperty(["pulumi.com/skipAwait"]);
  expect(deployment(plain).metadata.annotations).not.toHaveProperty(["pulumi.com/skipAwait"]);
});

test("its pods have nothing but the Workload API, their configuration and the certificate", () => {
  const { spec } = deployment(open).spec.template;
  expect(restrictedViolations(spec)).toEqual([]);
  expect(spec.automountServiceAccountToken).toBe(false);
  expect(spec.volumes.map(({ name: _, ...volume }: { name: string }) => volume)).toEqual([
    { configMap: { name: OIDC.name } },
    { csi: { driver: CSI_DRIVER, readOnly: true } },
    { secret: { secretName: "oidc-tls", defaultMode: 0o440 } },
  ]);
});

test("it serves the keys of its own trust domain under the issuer that the server names", () => {
  const { data } = one(plain, "kubernetes:core/v1:ConfigMap", "aws-oidc-config");
  expect(parseHcl(data["oidc-discovery-provider.conf"])).toMatchObject({
    domains: [DOMAIN],
    jwt_issuer: `https://${DOMAIN}`,
    jwks_uri: `https://${DOMAIN}/keys`,
    insecure_addr: ":80",
    workload_api: { trust_domain: "aws.example.org" },
  });
  const server = one(plain, "kubernetes:core/v1:ConfigMap", "aws-spire-server-config");
  expect(parseHcl(server.data["server.conf"]).server).toMatchObject({ jwt_issuer: `https://${DOMAIN}` });
});

test("it is registered by its own account, and anybody reaches its one port", () => {
  expect(rows(plain, "identities")).toContain(
    `spiffe://aws.example.org/oidc/aws | k8s:ns:${NAMESPACES.oidc} k8s:sa:${OIDC.name} | nobody`,
  );
  expect(rows(plain, "reachable")).toContain(
    "who verifies JWT-SVIDs | OIDC discovery provider | 80 TCP | the cluster | aws",
  );
  expect(rows(open, "reachable")).toContain(
    "who verifies JWT-SVIDs | OIDC discovery provider | 443 TCP | the cluster | aws",
  );
});
