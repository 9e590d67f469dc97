// CI to copy (docs/ci.md): it runs commands that there are, and gives what a pull request has written nothing to lose.
import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { load } from "js-yaml";
import { PROJECT } from "../../components/project";
import { wrongCommand } from "../support/commands";

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Record<string, unknown>;
}
interface Workflow {
  readonly on: Record<string, { readonly branches?: string[] } | null>;
  readonly permissions: object;
  readonly concurrency: { readonly group: string };
  readonly jobs: Record<
    string,
    { readonly permissions: Record<string, string>; readonly environment?: string; readonly steps: Step[] }
  >;
}

const FOLDER = path.join(PROJECT, "examples/ci");
const WORKFLOWS = readdirSync(path.join(FOLDER, "github"));
const textOf = (file: string) => readFileSync(path.join(FOLDER, file), "utf8");
const workflow = (file: string) => load(textOf(`github/${file}`)) as Workflow;
const wrong = (commands: readonly string[]) =>
  commands.flatMap((command) => command.split("\n")).flatMap((line) => wrongCommand(line) ?? []);

describe.each(WORKFLOWS)("%s", (file) => {
  const { on, permissions, jobs } = workflow(file);
  const steps = Object.values(jobs).flatMap((job) => job.steps);

  test("runs commands that there are, mesh's among them", () => {
    const commands = steps.flatMap(({ run = [] }) => run);
    expect(commands.some((command) => command.includes("npx mesh "))).toBe(true);
    expect(wrong(commands)).toEqual([]);
  });

  test("pins every action by its commit, and tells the version", () => {
    const used = steps.flatMap(({ uses = [] }) => uses);
    expect(used.filter((action) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/.test(action))).toEqual([]);
    const told = textOf(`github/${file}`).match(/uses: \S+@[0-9a-f]{40} # v\d+(\.\d+\.\d+)?$/gm);
    expect(told).toHaveLength(used.length);
  });

  test("gives each job what it needs, and leaves no token in the checkout", () => {
    expect(permissions).toEqual({});
    for (const step of steps.filter(({ uses }) => uses?.startsWith("actions/checkout@")))
      expect(step.with?.["persist-credentials"]).toBe(false);
    // What runs the repository's code may not write to it.
    for (const job of Object.values(jobs))
      if (job.steps.some(({ run }) => run?.includes("npm ci")))
        expect(
          Object.entries(job.permissions).filter(([name, right]) => right === "write" && name !== "id-token"),
        ).toEqual([]);
  });

  test("has no secret, no identity and no cloud where a pull request runs", () => {
    expect(Object.keys(on)).not.toContain("pull_request_target");
    if (!("pull_request" in on)) {
      expect(on["push"]?.branches ?? ["main"]).toEqual(["main"]);
      for (const { environment } of Object.values(jobs)) expect(environment).toBe("prod");
      return;
    }
    expect(Object.keys(on)).toEqual(["pull_request"]);
    expect(textOf(`github/${file}`)).not.toMatch(/secrets\.|id-token|environment:/);
  });
});

test("one operation on the stack at a time", () => {
  expect(["mesh-up.yml", "mesh-drift.yml"].map((file) => workflow(file).concurrency)).toEqual(
    Array(2).fill({ group: "mesh-prod", "cancel-in-progress": false }),
  );
});

describe("GitLab", () => {
  const jobs = load(textOf("gitlab/.gitlab-ci.yml")) as Record<
    string,
    Record<string, unknown> & { readonly script?: string[]; readonly rules?: { readonly if: string }[] }
  >;

  test("runs commands that there are", () => {
    const commands = Object.values(jobs).flatMap(({ script = [] }) => script);
    expect(commands.filter((command) => command.startsWith("npx mesh "))).toHaveLength(3);
    expect(wrong(commands)).toEqual([]);
  });

  test("lets a merge request plan, and nothing else", () => {
    const requested = Object.entries(jobs).filter(([, { rules = [] }]) =>
      rules.some((rule) => rule.if.includes("merge_request_event")),
    );
    expect(requested.map(([name]) => name)).toEqual(["plan"]);
    expect(Object.keys(jobs["plan"]!)).not.toContain("id_tokens");
    for (const name of ["up", "drift"])
      for (const rule of jobs[name]!.rules!)
        expect(rule.if).toContain("$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH");
  });
});

test("every variable and secret that they use is told in docs/ci.md", () => {
  const guide = readFileSync(path.join(PROJECT, "docs/ci.md"), "utf8");
  const text = WORKFLOWS.map((file) => textOf(`github/${file}`)).join("\n");
  const names = new Set([...text.matchAll(/\b(?:vars|secrets)\.([A-Z_]+)/g)].map(([, name]) => name!));
  expect([...names].filter((name) => !guide.includes(`\`${name}\``))).toEqual([]);
  expect(names.size).toBeGreaterThan(5);
});
