// Commands as documents and CI files have them, looked up where they are defined.
import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { program } from "../../cli/main";
import { PROJECT } from "../../components/project";

const terminal = { out: () => undefined, err: () => undefined };
const nowhere = () => Promise.reject(new Error("nothing is run"));
const mesh = program(terminal, nowhere as never, () => undefined);

const read = (file: string) => readFileSync(path.join(PROJECT, file), "utf8");
const targets = [...read("Makefile").matchAll(/^([a-z][a-z0-9-]*):/gm)].map(([, target]) => target!);
const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };

/** The words of a command, quotes taken off, up to where the shell does something else. */
function wordsOf(command: string): string[] {
  const [own = ""] = command.replaceAll(/<[^<>]+>/g, "…").split(/ #|[|;&<>](?![^"']*["'][^"']*$)(?=\s|$)/);
  return [...own.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) => word.replaceAll(/["']/g, ""));
}

/** What is wrong with the words after `npx mesh`. `…` and `<name>` stand for what a reader writes. */
function wrongMesh([name, ...words]: readonly string[]): string | undefined {
  const command = mesh.commands.find((one) => one.name() === name);
  if (command === undefined) return `mesh has no command ${name}`;
  const given: string[] = [];
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i]!;
    if (!word.startsWith("--")) given.push(word);
    else {
      const option = command.options.find(({ long }) => long === word.split("=")[0]);
      if (option === undefined) return `mesh ${name} has no option ${word}`;
      if (option.required && !word.includes("=")) {
        i += 1;
        const value = words[i];
        if (value === undefined) return `mesh ${name} ${word} lacks its value`;
        if (option.argChoices !== undefined && !option.argChoices.includes(value) && !/^[$<…]/.test(value))
          return `mesh ${name} ${word} is not ${value}`;
      }
    }
  }
  // Its name alone is a mention.
  if (words.length === 0) return undefined;
  const { registeredArguments: args } = command;
  if (given.length < args.filter(({ required }) => required).length) return `mesh ${name} lacks an argument`;
  return given.length > args.length ? `mesh ${name} takes no ${given.at(-1)}` : undefined;
}

/** What is wrong with a command that the project has; undefined where nothing is, or it is another program's. */
export function wrongCommand(command: string): string | undefined {
  const words = wordsOf(command.replace(/^\$ /, ""));
  const [first, second = "", ...rest] = words;
  if (first === "npx" && second === "mesh") return wrongMesh(rest);
  if (first === "mesh") return wrongMesh([second, ...rest]);
  if (first === "npm" && second === "run") {
    const script = rest.find((word) => !word.startsWith("-"));
    return script === undefined || script in scripts ? undefined : `package.json has no script ${script}`;
  }
  if (first !== "make") return undefined;
  const wanted = words.slice(1).filter((word) => !word.includes("="));
  const inner = words.flatMap((word) => /^CMD=(.+)$/.exec(word)?.[1] ?? []);
  return [
    ...wanted
      .filter((target) => !targets.includes(target))
      .map((target) => `the Makefile has no target ${target}`),
    ...inner.flatMap((one) => wrongCommand(one) ?? []),
  ][0];
}

/** Commands of a Markdown document that are the project's: lines of its blocks for the shell, and code within text. */
export function commandsOf(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/```(?:sh|bash|text)\n([^]*?)```/g)].flatMap(([, block]) =>
    block!
      .replaceAll(/\\\n\s*/g, "")
      .split("\n")
      .map((line) => line.trim()),
  );
  const spans = [...markdown.replaceAll(/```[^]*?```/g, "").matchAll(/`([^`]+)`/g)].map(([, span]) => span!);
  return [
    ...blocks.filter((line) => /^(\$ )?(npx mesh|make|npm run) \S/.test(line)),
    ...spans.filter((span) => /^(npx mesh|mesh|make|npm run) \S/.test(span)),
  ].map((command) => command.replaceAll(/\s+/g, " "));
}

const below = (folder: string) =>
  (readdirSync(path.join(PROJECT, folder), { recursive: true }) as string[]).map((name) =>
    path.join(folder, name),
  );

/** All Markdown documents, by their paths from the project's folder. */
export const DOCUMENTS = [...readdirSync(PROJECT), ...below("docs"), ...below("examples")].filter((name) =>
  name.endsWith(".md"),
);

/** The different `npx mesh` commands of the documents' blocks that `wanted` wants: the words after it. What a reader has to put something into is left out. */
export function documentedMeshCommands(
  wanted: (command: { readonly name: string; readonly options: readonly string[] }) => boolean,
): { readonly command: string; readonly words: readonly string[] }[] {
  const commands = DOCUMENTS.flatMap((document) => commandsOf(read(document)))
    .map((command) => wordsOf(command.replace(/^\$ /, "")))
    .filter(([npx, mesh, name]) => npx === "npx" && mesh === "mesh" && name !== undefined)
    .map(([, , ...words]) => words)
    .filter((words) => words.every((word) => !/[…$<>]|^[A-Z]+$/.test(word)))
    .filter(([name, ...options]) => wanted({ name: name!, options }));
  return [...new Map(commands.map((words) => [words.join(" "), words]))]
    .sort()
    .map(([command, words]) => ({ command, words }));
}
