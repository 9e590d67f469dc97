// Where a program is taken from: the user's own, a release by its checksum from a mirror, or a build; and that nothing half-made stays.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { get } from "../../../rehearsal/programs/get";
import type { Program } from "../../../rehearsal/programs/table";

const script = "#!/bin/sh\necho v1.2.3\n";
const sumOf = (content: string | Buffer, algorithm = "sha256") =>
  `${algorithm}:${createHash(algorithm).update(content).digest("hex")}`;
/** A program whose pins are those of a module that is there. */
const PROGRAM: Program = { binary: "thing", version: "1.2.3", dir: "crane", package: "example.com/thing" };
const released = (content: string | Buffer, more: object = {}): Program => ({
  ...PROGRAM,
  release: { url: "https://dl.example.com/v1.2.3/thing", checksum: sumOf(content), ...more },
});

describe("a program is taken", () => {
  const environment = { ...process.env };
  let root: string;
  let folder: string;
  let mirror: Server;
  let served: Record<string, string | Buffer>;
  let asked: string[];
  let built: string[];
  const build = (program: Program, target: string) => {
    built.push(program.binary);
    writeFileSync(target, script, { mode: 0o755 });
    return Promise.resolve();
  };
  const run = (file: string) => execFileSync(file, { encoding: "utf8" });
  /** The user's own, which says a version. */
  const own = (version: string, place = "own") => {
    const file = path.join(root, place, "thing");
    mkdirSync(path.dirname(file));
    writeFileSync(file, `#!/bin/sh\necho thing v${version}\n`);
    chmodSync(file, 0o755);
    return path.dirname(file);
  };

  beforeEach(async () => {
    root = mkdtempSync(path.join(tmpdir(), "programs-"));
    folder = path.join(root, "bin");
    [served, asked, built] = [{}, [], []];
    mirror = createServer(({ url }, answer) => {
      asked.push(url!);
      const content = served[url!];
      answer.writeHead(content === undefined ? 404 : 200).end(content);
    }).listen(0, "127.0.0.1");
    await once(mirror, "listening");
    process.env["REHEARSAL_MIRROR"] = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}/`;
    delete process.env["KUBEBUILDER_ASSETS"];
    jest.spyOn(process.stdout, "write").mockReturnValue(true);
  });
  afterEach(async () => {
    process.env = { ...environment };
    jest.restoreAllMocks();
    mirror.closeAllConnections();
    await new Promise((resolve) => mirror.close(resolve));
    rmSync(root, { recursive: true });
  });

  test("from the mirror, under the host's name, if its checksum is the pinned one; the next time it is there", async () => {
    served["/dl.example.com/v1.2.3/thing"] = script;
    const found = await get(released(script), folder, build);
    expect(found).toEqual({ path: path.join(folder, "thing"), origin: "release", version: "1.2.3" });
    expect(run(found.path)).toBe("v1.2.3\n");
    expect(readdirSync(folder)).toEqual(["thing", "thing.stamp"]);
    expect(built).toEqual([]);
  });

  test("from an archive, of which it is one file, with a SHA-512", async () => {
    writeFileSync(path.join(root, "thing"), script);
    const archive = execFileSync("tar", [
      "-czf",
      "-",
      "-C",
      root,
      "--transform=s|^|thing-1.2.3/bin/|",
      "thing",
    ]);
    served["/dl.example.com/v1.2.3/thing"] = archive;
    const checksum = sumOf(archive, "sha512");
    const found = await get(released("", { checksum, member: "thing-1.2.3/bin/thing" }), folder, build);
    expect(found.origin).toBe("release");
    expect(run(found.path)).toBe("v1.2.3\n");
  });

  test("never when it is not what was pinned: both checksums are said, and nothing stays", async () => {
    served["/dl.example.com/v1.2.3/thing"] = "something else";
    const [pinned, found] = [script, "something else"].map((content) =>
      sumOf(content).slice("sha256:".length),
    );
    await expect(get(released(script), folder, build)).rejects.toThrow(new RegExp(`${found}.*${pinned}`));
    expect(readdirSync(folder)).toEqual([]);
    expect(built).toEqual([]);
  });

  test("by a build when the mirror has no such release", async () => {
    const found = await get(released(script), folder, build);
    expect(found).toEqual({ path: path.join(folder, "thing"), origin: "built", version: "1.2.3" });
    expect(readdirSync(folder)).toEqual(["thing", "thing.stamp"]);
  });

  test("by a build when nothing answers, which is asked once", async () => {
    process.env["REHEARSAL_MIRROR"] = "http://127.0.0.1:9";
    const fetched = jest.spyOn(globalThis, "fetch");
    for (const binary of ["one", "two"]) await get({ ...released(script), binary }, folder, build);
    expect(built).toEqual(["one", "two"]);
    expect(fetched).toHaveBeenCalledTimes(1);
  });

  test("from the folder when it was made there from the same pins, and is made anew when they have changed", async () => {
    await get(PROGRAM, folder, build);
    const again = () =>
      jest.isolateModulesAsync(async () => {
        // eslint-disable-next-line @typescript-eslint/no-require-imports -- As another process would load it.
        const fresh = require("../../../rehearsal/programs/get") as { get: typeof get };
        await fresh.get(PROGRAM, folder, build);
      });
    await again();
    expect(built).toEqual(["thing"]);
    const stamp = path.join(folder, "thing.stamp");
    writeFileSync(stamp, readFileSync(stamp, "utf8").replace(/"pins":"./, '"pins":"x'));
    await again();
    expect(built).toEqual(["thing", "thing"]);
  });

  test("from PATH or KUBEBUILDER_ASSETS when it is of the same minor version, and is in the folder as well", async () => {
    process.env["PATH"] = `${own("1.3.0", "new")}:${process.env["PATH"]}`;
    process.env["KUBEBUILDER_ASSETS"] = own("1.2.9");
    const found = await get({ ...released(script), ask: ["--version"] }, folder, build);
    expect(found).toEqual({ path: path.join(folder, "thing"), origin: "PATH", version: "1.2.9" });
    expect(run(found.path)).toBe("thing v1.2.9\n");
    expect([built, asked]).toEqual([[], []]);
  });

  test("from PATH in a newer version where that does", async () => {
    process.env["PATH"] = `${own("1.3.0")}:${process.env["PATH"]}`;
    await get({ ...PROGRAM, ask: ["--version"], newer: true }, folder, build);
    expect(built).toEqual([]);
  });

  test("never from PATH when it must be the pinned one", async () => {
    process.env["PATH"] = `${own("1.2.3")}:${process.env["PATH"]}`;
    expect((await get(PROGRAM, folder, build)).origin).toBe("built");
  });

  test("once, when it is asked for twice, and again after a failure, of which nothing stays", async () => {
    const failing = () => Promise.reject(new Error("no compiler"));
    await expect(get(PROGRAM, folder, failing)).rejects.toThrow("no compiler");
    expect(existsSync(path.join(folder, "thing.stamp"))).toBe(false);
    await Promise.all([get(PROGRAM, folder, build), get(PROGRAM, folder, build)]);
    expect(built).toEqual(["thing"]);
  });
});
