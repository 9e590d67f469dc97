// The documents: what they link to is there, and so is every command of the project's that they name.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { PROJECT } from "../../components/project";
import { commandsOf, wrongCommand } from "../support/commands";

const below = (folder: string) =>
  (readdirSync(path.join(PROJECT, folder), { recursive: true }) as string[]).map((name) =>
    path.join(folder, name),
  );
const DOCUMENTS = [...readdirSync(PROJECT), ...below("docs"), ...below("examples")].filter((name) =>
  name.endsWith(".md"),
);
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
  const missing = below("docs")
    .filter((name) => name.endsWith(".md") && name !== "docs/README.md")
    .filter((name) => !index.includes(`](${path.relative("docs", name)})`));
  expect(missing).toEqual([]);
});
