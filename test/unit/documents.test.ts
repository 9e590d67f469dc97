// The documents: what they link to is there, and so is every command of the project's that they name.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { PROJECT } from "../../components/project";
import { commandsOf, documentedMeshCommands, DOCUMENTS, wrongCommand } from "../support/commands";

const textOf = (file: string) => readFileSync(path.join(PROJECT, file), "utf8");

/** Names of a document's headings as links have them (GitHub's, which leaves out punctuation). */
const anchorsOf = (markdown: string) =>
  [...markdown.replaceAll(/```[^]*?```/g, "").matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );

test.each(DOCUMENTS)("the links of %s lead somewhere", (document) => {
  const text = textOf(document).replaceAll(/```[^]*?```/g, "");
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
  const broken = links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [file = "", anchor] = link.split("#");
    const target = file === "" ? document : path.join(path.dirname(document), file);
    if (!existsSync(path.join(PROJECT, target))) return true;
    return anchor !== undefined && target.endsWith(".md") && !anchorsOf(textOf(target)).includes(anchor);
  });
  expect(broken).toEqual([]);
});

test.each(DOCUMENTS)("the commands of %s are there", (document) => {
  const wrong = commandsOf(textOf(document)).flatMap((command) => {
    const why = wrongCommand(command);
    return why === undefined ? [] : [`${command}: ${why}`];
  });
  expect(wrong).toEqual([]);
});

// Whoever follows a runbook has all clouds in one kubeconfig: what names none goes to the one that was asked last.
test.each(DOCUMENTS.filter((document) => document.startsWith("docs/runbooks/")))(
  "each command of kubectl in %s names its cloud",
  (document) => {
    const blocks = [...textOf(document).matchAll(/```sh\n([^]*?)```/g)].flatMap(([, block]) =>
      block!
        .replaceAll(/\\\n\s*/g, "")
        .split("\n")
        .map((line) => line.trim()),
    );
    const spans = [
      ...textOf(document)
        .replaceAll(/```[^]*?```/g, "")
        .matchAll(/`([^`]+)`/g),
    ];
    const commands = [...blocks, ...spans.map(([, span]) => span!.replaceAll(/\s+/g, " "))];
    const nameless = commands.filter(
      (command) => /^kubectl (?!config )\S+ \S/.test(command) && !/--(context|kubeconfig) /.test(command),
    );
    expect(nameless).toEqual([]);
  },
);

test("commands that are not there are told", () => {
  const document = `Run \`npx mesh verfy\`, or \`mesh top --fast\`.

\`\`\`sh
npx mesh plan --stack dev --network \\
  vnp   # no such mode
npx mesh call aws > out.txt
make rehearse-run CMD="npx mesh nothing --at all"
npm run schemas && echo done
npx mesh status   # what stands
\`\`\`
`;
  expect(commandsOf(document).map(wrongCommand)).toEqual([
    "mesh plan --network is not vnp",
    "mesh call lacks an argument",
    "mesh has no command nothing",
    "package.json has no script schemas",
    undefined,
    "mesh has no command verfy",
    "mesh top has no option --fast",
  ]);
});

test("the index of the documents has all of them", () => {
  const index = textOf("docs/README.md");
  const missing = DOCUMENTS.filter((name) => name.startsWith("docs/") && name !== "docs/README.md").filter(
    (name) => !index.includes(`](${path.relative("docs", name)})`),
  );
  expect(missing).toEqual([]);
});

// Those that need a mesh that stands are run where there is one, in the tests of observability.
test.each(
  documentedMeshCommands(({ name, options }) => {
    // The last commit is not everywhere, and other stacks are of whoever reads.
    const stack = options[options.indexOf("--stack") + 1];
    return name === "plan" && !options.includes("--against") && ["dev", "prod"].includes(stack ?? "dev");
  }),
)(
  "`npx mesh $command` does as it is told",
  ({ words }) => {
    const { status, stderr } = spawnSync(process.execPath, [path.join(PROJECT, "cli/mesh.js"), ...words], {
      cwd: PROJECT,
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  },
  120_000,
);
