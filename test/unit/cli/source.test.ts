import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { CliError } from "../../../cli/errors";
import { findMesh, type SourceOptions } from "../../../cli/source";

const outputs = (name: string) =>
  JSON.stringify({
    clouds: {
      [name]: { region: "r", context: "c", trustDomain: "t", bundleEndpoint: "https://e.example.org:8443" },
    },
    kubeconfig: "current-context: c",
  });

describe("The mesh is found", () => {
  let project: string;
  let said: string[];

  beforeEach(() => {
    project = mkdtempSync(path.join(tmpdir(), "mesh-source-"));
    mkdirSync(path.join(project, "bin"));
    said = [];
  });
  afterEach(() => rmSync(project, { recursive: true, force: true }));

  /** Puts a program named pulumi on PATH: a shell script. */
  const pulumi = (script: string) => {
    const file = path.join(project, "bin", "pulumi");
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
  };
  const stack = (name: string) =>
    pulumi(
      `case "$*" in "stack output --json --show-secrets"*) echo '${outputs(name)}';; *show-name*) echo dev;; *) exit 9;; esac`,
    );
  const rehearsal = (text: string) => {
    mkdirSync(path.join(project, ".rehearsal"));
    writeFileSync(path.join(project, ".rehearsal", "outputs.json"), text);
  };
  const find = async (options: SourceOptions = {}) => {
    const env = { PATH: `${project}/bin:/bin:/usr/bin` };
    const mesh = await findMesh(options, (line) => said.push(line), { project, env });
    return mesh.clouds.map(({ name }) => name);
  };

  it("in the file that is named, before all others", async () => {
    rehearsal(outputs("rehearsed"));
    const file = path.join(project, "given.json");
    writeFileSync(file, outputs("given"));
    expect(await find({ outputs: file })).toEqual(["given"]);
    expect(said).toEqual([`mesh: outputs in ${file}`]);
  });

  it("in a file that PowerShell wrote, in UTF-16", async () => {
    const file = path.join(project, "given.json");
    writeFileSync(file, `\ufeff${outputs("given")}`, "utf16le");
    expect(await find({ outputs: file })).toEqual(["given"]);
  });

  it("in the rehearsal of the checkout, where there is one", async () => {
    rehearsal(outputs("rehearsed"));
    stack("stacked");
    expect(await find()).toEqual(["rehearsed"]);
    expect(said).toEqual(["mesh: the rehearsal of this checkout"]);
  });

  it("in the stack that is named, though there is a rehearsal", async () => {
    rehearsal(outputs("rehearsed"));
    stack("stacked");
    expect(await find({ stack: "prod" })).toEqual(["stacked"]);
    expect(said).toEqual(["mesh: Pulumi stack prod"]);
  });

  it("in the stack that is selected", async () => {
    stack("stacked");
    expect(await find()).toEqual(["stacked"]);
    expect(said).toEqual(["mesh: Pulumi stack dev"]);
  });

  const failure = async (options?: SourceOptions): Promise<CliError> =>
    find(options).then(
      () => Promise.reject(new Error("it was found")),
      (error: unknown) => error as CliError,
    );

  it("nowhere: says what to do without Pulumi", async () => {
    const { message } = await failure();
    expect(message).toContain("no `pulumi` on PATH");
    expect(message).toContain("make rehearse");
  });

  it("not when Pulumi fails, whose error is told and whose output is not", async () => {
    pulumi(
      `echo secret-kubeconfig; echo "warning: x" >&2; echo "error: no stack named 'prod' found" >&2; exit 255`,
    );
    const { message } = await failure({ stack: "prod" });
    expect(message).toContain("error: no stack named 'prod' found");
    expect(message).toContain("pulumi stack select");
    expect(message).not.toContain("secret-kubeconfig");
  });

  it.each([
    ["not JSON", "is not JSON"],
    ["{}", "nothing stands yet"],
  ])("not in outputs that are %s", async (text, words) => {
    rehearsal(text);
    expect((await failure()).message).toContain(words);
  });

  it("not in a file that cannot be read, nor in two places at once", async () => {
    expect(await failure({ outputs: "/nowhere/x.json" })).toMatchObject({ exitCode: 2 });
    expect(await failure({ outputs: "-", stack: "dev" })).toMatchObject({ exitCode: 2 });
  });
});
