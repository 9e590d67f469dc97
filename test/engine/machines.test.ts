// Machines outside of Kubernetes, with a real SPIRE server and real agents: who attests by a certificate, and which workloads have an identity there.
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { promisify } from "node:util";
import { PROJECT } from "../../components/project";
import { nodeAttestorFiles, renderNodeAttestors } from "../../components/spire/node-attestors";
import { SERVER_PATHS } from "../../components/spire/paths";
import { makeRegistrationEntryProvider } from "../../components/trust/providers/registration-entry";
import { spireServer } from "../../components/trust/spire-cli";
import { planOf } from "../../infra/plan/plan";
import { type Certificate, issue } from "../support/certificate";
import { programPath } from "../support/programs";
import { until } from "../support/daemon";
import { TestSpireAgent } from "../support/spire-agent";
import { spireServerBinary, TestSpireServer } from "../support/spire";

jest.setTimeout(120_000);

const DOMAIN = "aws.example.org";
const pem = ({ der }: Certificate) => new X509Certificate(der).toString();

const ca = issue();
const attestors = { sources: ["203.0.113.0/24"], x509pop: { ca: pem(ca) } };
/** The configuration that docs/identities.md has for the agent of a machine. */
const documented = /```hcl\n([^]*?)```/.exec(
  readFileSync(path.join(PROJECT, "docs/identities.md"), "utf8"),
)![1]!;

let dir: string;
let server: TestSpireServer;
const agents: TestSpireAgent[] = [];

/** The entries that the program makes for workloads on two machines, at the real server. */
async function register(): Promise<void> {
  const selectors = [`unix:uid:${process.getuid!()}`];
  const on = (name: string) => ({ cloud: "aws", node: [`x509pop:subject:cn:${name}`], selectors });
  const file = `config:
  agentweave-mesh:clouds: ${JSON.stringify({ aws: { provider: "aws", spire: { nodeAttestors: attestors } } })}
  agentweave-mesh:workloads: ${JSON.stringify({ build: on("build-7"), test: on("test-1") })}
  agentweave-mesh:network: { mode: direct }
  agentweave-mesh:observability: { enabled: false }
`;
  const { resources } = await planOf("test", { file });
  const entries = makeRegistrationEntryProvider(({ cloud }, _kubeconfig, patience) =>
    spireServer(cloud, server.run, { ...patience, limitMs: 5000 }),
  );
  for (const { name, inputs } of resources)
    if (name.startsWith("aws-workload-")) await entries.create(inputs);
}

/** Starts the agent of a machine with this certificate, by the documented configuration. */
async function machine(name: string, certificate: Certificate): Promise<TestSpireAgent> {
  const own = path.join(dir, name);
  mkdirSync(own);
  writeFileSync(path.join(own, "machine.crt"), pem(certificate));
  writeFileSync(path.join(own, "machine.key"), certificate.key.export({ type: "pkcs8", format: "pem" }));
  writeFileSync(path.join(own, "bundle.json"), await server.print(["bundle", "show", "-format", "spiffe"]));
  const conf = [
    ["/etc/spire", own],
    ["/run/spire", own],
    ["/var/lib/spire", path.join(own, "data")],
    ["aws.spire.example.org", "127.0.0.1"],
    ["8081", String(server.apiPort)],
  ].reduce((text, [from, to]) => text.replaceAll(from!, to!), documented);
  const fingerprint = new X509Certificate(certificate.der).fingerprint.replaceAll(":", "").toLowerCase();
  const id = `spiffe://${DOMAIN}/spire/agent/x509pop/${fingerprint}`;
  const agent = await TestSpireAgent.configured(await programPath("spire-agent"), { id, dir: own }, conf);
  agents.push(agent);
  return agent;
}

beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "machines-"));
  for (const [file, text] of Object.entries(nodeAttestorFiles(attestors)))
    writeFileSync(path.join(dir, file), text);
  server = await TestSpireServer.make(await spireServerBinary(), DOMAIN, {
    plugins: renderNodeAttestors(attestors).replaceAll(SERVER_PATHS.nodeAttestorsDir, dir),
  });
  await server.start();
  await register();
}, 300_000);

afterAll(async () => {
  await Promise.all([server.remove(), ...agents.map(({ daemon }) => daemon.stop())]);
  rmSync(dir, { recursive: true });
});

/** What a process of this user is given by an agent, which asks the server every 5 s what to give to whom. */
async function given({ socket }: TestSpireAgent): Promise<string[]> {
  const program = await programPath("spire-agent");
  const args = ["api", "fetch", "x509", "-socketPath", socket, "-output", "json"];
  let ids: string[] = [];
  await until("the workload has an identity", async () => {
    const answer = await promisify(execFile)(program, args).catch(({ stderr }: { stderr: string }) => {
      expect(stderr).toContain("no identity issued");
      return undefined;
    });
    const { svids = [] } = JSON.parse(answer?.stdout ?? "{}") as { svids?: { spiffe_id: string }[] };
    ids = svids.map(({ spiffe_id }) => spiffe_id);
    return ids.length > 0;
  });
  return ids;
}

const certificateOf = (commonName: string, issuer = ca) => issue({ ca: false, commonName, issuer });

test.each([
  ["build-7", "build"],
  ["test-1", "test"],
])(
  "a workload on %s, attested by its certificate, has the identity that is registered there, and no other",
  async (name, workload) => {
    const agent = await machine(name, certificateOf(name));
    expect(await server.print(["agent", "list"])).toContain(agent.id);
    expect(await given(agent)).toEqual([`spiffe://${DOMAIN}/workload/aws/${workload}`]);
  },
);

test("a machine of the same name under another CA is not let in", async () => {
  await expect(machine("stranger", certificateOf("build-7", issue()))).rejects.toThrow(
    /certificate verification failed/,
  );
});
