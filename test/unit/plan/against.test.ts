// `mesh plan --against`, as a pull request has it: a repository with a commit, and a change that is not in it.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { load, dump } from "js-yaml";
import { PROJECT } from "../../../components/project";
import { changeMarkdown, changeText, type PlanChange } from "../../../infra/plan/change-text";

const FOLDERS = ["agent", "cli", "components", "infra", "policies", "program", "spiffe", "telemetry"];
const FILES = [
  "load.js",
  "package.json",
  "package-lock.json",
  "Pulumi.yaml",
  "Pulumi.dev.yaml",
  "tsconfig.json",
];

const root = mkdtempSync(path.join(tmpdir(), "plan-against-"));
afterAll(() => rmSync(root, { recursive: true }));

const git = (...args: string[]) =>
  execFileSync("git", ["-c", "user.name=test", "-c", "user.email=test@example.org", ...args], {
    cwd: root,
    encoding: "utf8",
  }).trim();

const file = path.join(root, "Pulumi.dev.yaml");
interface StackFile {
  config: Record<string, Record<string, Record<string, unknown>>>;
}
function edited(edit: (config: StackFile["config"]) => void): void {
  const stack = load(readFileSync(file, "utf8")) as StackFile;
  edit(stack.config);
  writeFileSync(file, dump(stack));
}

/** What the command prints; never more than a minute. */
function mesh(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["cli/mesh.js", "plan", ...args], {
    cwd: root,
    encoding: "utf8",
    timeout: 120_000,
    maxBuffer: 1 << 26,
  });
  return { status, stdout, stderr };
}

beforeAll(() => {
  for (const name of [...FOLDERS, ...FILES])
    cpSync(path.join(PROJECT, name), path.join(root, name), { recursive: true });
  symlinkSync(path.join(PROJECT, "node_modules"), path.join(root, "node_modules"));
  writeFileSync(path.join(root, ".gitignore"), "node_modules\n");
  git("init", "--quiet", "--initial-branch=main");
  git("add", "--all");
  git("commit", "--quiet", "--message=before");
});

test("without a change nothing differs, secrets and generated programs included", () => {
  const { stdout, stderr } = mesh("--against", "main");
  expect(stderr).toBe("");
  expect(stdout).toMatch(/No resource differs, of \d+\./);
  expect(stdout).toContain("What is public, privileged, trusted, allowed and reachable is as it was.");
});

test("a cloud that is added, a node size, a transform, and a call: who gains trust in whom, what is replaced and why", () => {
  writeFileSync(
    path.join(root, "transforms.ts"),
    `import type { Transforms } from "./infra/transforms";
export const transforms: Transforms = {
  "agentweave:clouds:EksCluster": ({ type, props, opts }) =>
    type === "aws:eks/nodeGroup:NodeGroup" ? { props: { ...props, capacityType: "SPOT" }, opts } : undefined,
};
`,
  );
  edited((config) => {
    config["agentweave-mesh:clouds"]!["home"] = {
      provider: "existing",
      kubeconfig: "~/.kube/home",
      region: "basement",
      podCidr: "10.90.0.0/16",
      serviceCidr: "10.91.0.0/16",
    };
    config["agentweave-mesh:clouds"]!["aws"]!["nodes"] = { count: 3, instanceType: "t3.large" };
    config["agentweave-mesh:transforms"] = { module: "transforms.ts" } as never;
    config["agentweave-mesh:policy"] = {
      calls: [{ from: "gcp/worker", to: "aws/agent", actions: ["echo"] }],
    } as never;
  });
  const { stdout, stderr } = mesh("--against", "main", "--json");
  expect(stderr).toBe("");
  const change = JSON.parse(stdout) as PlanChange;
  const { tables, resources, count } = change;
  const rows = (key: string) =>
    tables.find((table) => table.key === key)?.rows.map((row) => row.join(" | ")) ?? [];

  expect(rows("federation")).toEqual(
    ["aws", "azure", "gcp"]
      .flatMap((cloud) => [
        `+ | ${cloud}.example.org | home.example.org | spiffe://home.example.org/spire/server`,
        `+ | home.example.org | ${cloud}.example.org | spiffe://${cloud}.example.org/spire/server`,
      ])
      .sort(),
  );
  expect(rows("identities")).toContainEqual(
    "± | spiffe://gcp.example.org/region/gcp-us-central1/worker | k8s:ns:agentweave k8s:sa:agentweave-worker | +home.example.org",
  );
  expect(rows("public")).toEqual([
    "+ | home | home-spire-server-federation | load balancer, TCP 8443 | anywhere",
  ]);
  expect(rows("calls")).toEqual(
    expect.arrayContaining([
      "+ | gcp/worker | aws/agent | echo | policy.calls",
      expect.stringMatching(/^- \| aws\/orchestrator \| gcp\/worker \| .* \| policy\.calls$/),
    ]),
  );
  expect(rows("images")).toEqual([]);
  expect(resources.replaced.map(({ name, forcedBy }) => [name, forcedBy])).toEqual([
    ["aws-nodes-group", expect.arrayContaining(["capacityType", "instanceTypes[0]"])],
  ]);
  expect(resources.deleted).toEqual([]);
  expect(count.after - count.before).toBe(resources.made.length);
  expect(resources.made.every(({ name }) => /home/.test(name))).toBe(true);

  // For a pull request, what is replaced stands outside of what is folded.
  const markdown = changeMarkdown(change);
  expect(markdown).toMatch(/^# Stack dev against main \([0-9a-f]{10}\)/);
  expect(markdown.split("<details>")[0]).toContain(
    "- aws-nodes-group (aws:eks/nodeGroup:NodeGroup): because of",
  );
  expect(markdown).toMatch(/\| \+ \| aws\.example\.org \| home\.example\.org \|/);
  expect(changeText(change)).toContain("instanceTypes[0]: t3.medium → t3.large");
});

test("what cannot be compared is said in one line", () => {
  expect(mesh("--against", "nothing")).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^mesh: nothing is no revision of this repository; .*\n$/) as string,
  });
  expect(mesh("--against", "--output=x").stderr).toMatch(/is no revision/);
  writeFileSync(
    path.join(root, "transforms.ts"),
    'export const transforms = { "aws:eks/nodeGroup:NodeGroup": () => undefined };',
  );
  expect(mesh().stderr).toMatch(
    /^mesh: .*transforms\.ts has a transform of aws:eks\/nodeGroup:NodeGroup, which is no component's type/,
  );
  edited((config) => (config["agentweave-mesh:transforms"] = { module: "nowhere.ts" } as never));
  expect(mesh().stderr).toMatch(
    /agentweave-mesh:transforms\.module: is "nowhere\.ts", where there is no file/,
  );
  edited((config) => delete config["agentweave-mesh:transforms"]);
  edited((config) => (config["agentweave-mesh:clouds"]!["aws"]!["roles"] = ["Agent"] as never));
  expect(mesh("--against", "main")).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(
      /^The configuration of stack dev has 1 problem:\n {2}agentweave-mesh:clouds\.aws\.roles/,
    ) as string,
  });
});
