// Plans: what stacks stand up, as reviewers are told of it.
import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { PROJECT } from "../../../components/project";
import { planned } from "../../../infra/plan/planned";
import { configOf, planOf } from "../../../infra/plan/plan";
import { plain } from "../../../infra/plan/plain";
import { GOLDEN_DAY, type PlanReport, reportOf } from "../../../infra/plan/report";
import { planMarkdown, planText } from "../../../infra/plan/text";

const DIRECT = `config:
  agentweave-mesh:clouds: { aws: { provider: aws } }
  agentweave-mesh:network: { mode: direct }
  agentweave-mesh:observability: { enabled: false }
`;

const rowsOf = ({ tables }: PlanReport, key: string) =>
  tables.find((table) => table.key === key)!.rows.map((row) => row.join(" | "));

test("a stack of mode direct is planned, and says what another mode lacks", async () => {
  expect((await planOf("test", { file: DIRECT })).resources.length).toBeGreaterThan(50);
  expect(() => configOf("test", { file: DIRECT, mode: "tailscale" })).toThrow(
    /network\.tailscale\.tailnet: is missing/,
  );
});

test("a stack without a file names those that have one", () => {
  expect(() => configOf("nope")).toThrow(
    /there is no Pulumi\.nope\.yaml; write it, or name one of dev, prod/,
  );
});

test("no plan is kept of what is gone", () => {
  const kept = readdirSync(path.join(PROJECT, "plans"), { recursive: true }) as string[];
  const files = kept.filter((name) => name.endsWith(".md")).map((name) => `plans/${name}`);
  expect(files.sort()).toEqual(
    planned()
      .map(({ golden }) => golden)
      .sort(),
  );
});

describe.each(planned())("the plan of $stack", ({ stack, file, golden }) => {
  let report: PlanReport;
  let registered: readonly { type: string; name: string }[];
  beforeAll(async () => {
    const plan = await planOf(stack, { file });
    report = reportOf(plan, GOLDEN_DAY);
    registered = plan.resources;
  });

  test("has every resource once, and its sums add up", () => {
    const sum = (parts: readonly { readonly count: number }[]) =>
      parts.reduce((all, { count }) => all + count, 0);
    expect(sum(report.tree)).toBe(report.count);
    for (const { count, layers } of report.tree) {
      expect(sum(layers)).toBe(count);
      for (const { count, components } of layers) expect(sum(components)).toBe(count);
    }
    const listed = report.tree.flatMap(({ layers }) =>
      layers.flatMap(({ components }) =>
        components.flatMap(({ types }) =>
          types.flatMap(({ type, names }) => names.map((name) => `${type} ${name}`)),
        ),
      ),
    );
    expect(listed.sort()).toEqual(registered.map(({ type, name }) => `${type} ${name}`).sort());
  });

  test("keeps the rules of the policy pack, but for those that the stack relaxes", () => {
    expect([report.violations, rowsOf(report, "pack").filter((row) => row.endsWith(" | no"))]).toEqual([
      0,
      [],
    ]);
  });

  test("is that of its golden file (npm run plans writes it)", () => {
    expect(`${planMarkdown(report)}\n`).toBe(readFileSync(path.join(PROJECT, golden), "utf8"));
  });

  test("tells each question's answer in text, too", () => {
    const text = planText(report);
    for (const { title, rows } of report.tables) {
      expect(text).toContain(title);
      for (const row of rows) for (const value of row) expect(text).toContain(value);
    }
  });
});

describe("what a plan says of dev", () => {
  let report: PlanReport;
  beforeAll(async () => (report = reportOf(await planOf("dev"))));

  test("names what the internet reaches, and from where", () => {
    expect(rowsOf(report, "public")).toEqual(
      expect.arrayContaining([
        "aws | aws-control-plane | API server, TCP 443 | anywhere",
        "gcp | gcp-spire-server-federation | load balancer, TCP 8443 | anywhere",
      ]),
    );
  });

  test("names all that is more than restricted, and nothing else", () => {
    expect(rowsOf(report, "privileged").map((row) => row.split(" | ")[0])).toEqual([
      "spire-system/spiffe-csi-driver",
      "spire-system/spire-agent",
    ]);
  });

  test("has an identity of each agent, with the trust domains that it trusts", () => {
    expect(rowsOf(report, "identities")).toContainEqual(
      "spiffe://aws.example.org/region/aws-us-east-1/orchestrator | k8s:ns:agentweave k8s:sa:agentweave-orchestrator | azure.example.org, gcp.example.org",
    );
    expect(rowsOf(report, "federation")).toHaveLength(6);
  });

  test("has the calls that the configuration lists, beside those of the policy's own rules", () => {
    const calls = rowsOf(report, "calls");
    expect(calls).toContainEqual(
      expect.stringMatching(/^aws\/orchestrator \| gcp\/worker \| .* policy\.calls$/),
    );
    expect(calls).toContainEqual("aws/agent | gcp/agent | relay | policy.relays");
  });
});

test("what is not internal is public, and API servers that are closed are not", async () => {
  const vpn = reportOf(await planOf("prod", { mode: "vpn" }));
  const rows = rowsOf(vpn, "public");
  expect(rows.filter((row) => row.includes("load balancer"))).toEqual([]);
  expect(rows).toContainEqual("aws | aws-control-plane | API server, TCP 443 | 203.0.113.0/24");
});

test("secrets are taken out of what plans are compared by, and still differ where they do", async () => {
  const { resources } = await planOf("dev", { mode: "vpn" });
  const all = (key: string) => JSON.stringify(resources.map(({ inputs }) => plain(inputs, key)));
  const text = all("a key");
  // Else a failure would print all of it.
  expect(text === all("a key")).toBe(true);
  expect(text === all("another key")).toBe(false);
  expect(/a-token-of-azure|sharedKey":"|__provider/.exec(text)).toBeNull();
  expect(/"secret":"[0-9a-f]{64}"/.test(text)).toBe(true);
});
