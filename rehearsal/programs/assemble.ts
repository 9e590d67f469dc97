// Assembles an image: one layer with a recipe's files, owned by root and always the same, and how it starts.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { run } from "../processes";
import type { Recipe } from "./recipes";
import { ARCH } from "./table";

const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";
const TEXTS: Readonly<Record<string, string>> = {
  "/etc/passwd": [
    "root:x:0:0:root:/root:/sbin/nologin",
    "node:x:1000:1000::/home/node:/bin/sh",
    "nobody:x:65534:65534:nobody:/home:/bin/false",
    "nonroot:x:65532:65532::/home/nonroot:/sbin/nologin",
    "",
  ].join("\n"),
  "/etc/group": "root:x:0:\nnode:x:1000:\nnobody:x:65534:\nnonroot:x:65532:\n",
  "/etc/nsswitch.conf": "hosts: files dns\n",
};
const DIRECTORIES: Readonly<Record<string, number>> = { "/tmp": 0o1777 };
const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The libraries that a program, or those in a directory, are linked with, as this machine has them; none for a static one. */
function libraries(file: string): string[] {
  if (statSync(file).isDirectory())
    return readdirSync(file, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".so"))
      .flatMap((name) => libraries(path.join(file, name)));
  const { stdout } = spawnSync("ldd", [file], { encoding: "utf8" });
  return [...stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, library]) => library!);
}

/** The files, and what they need of this machine, by their places in the image. */
function withLibraries(files: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const linked = Object.values(files).flatMap(libraries);
  const others = [...linked, CERTIFICATES].filter(existsSync);
  return { ...Object.fromEntries(others.map((file) => [file, file])), ...files };
}

function stage(recipe: Recipe, files: Readonly<Record<string, string>>, root: string): void {
  const at = (place: string) => {
    const file = path.join(root, place);
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 });
    return file;
  };
  chmodSync(root, 0o755);
  for (const [place, mode] of Object.entries({ ...DIRECTORIES, ...recipe.directories })) {
    mkdirSync(at(place), { recursive: true });
    chmodSync(at(place), mode); // whatever the umask
  }
  for (const [place, file] of Object.entries(withLibraries(files))) {
    if (statSync(file).isDirectory()) {
      cpSync(file, at(place), { recursive: true, dereference: true });
      continue;
    }
    copyFileSync(file, at(place));
    chmodSync(at(place), statSync(file).mode & 0o111 ? 0o755 : 0o644);
  }
  for (const [place, text] of Object.entries({ ...TEXTS, ...recipe.texts }))
    writeFileSync(at(place), text, { mode: 0o644 });
  if (recipe.busybox) {
    const { stdout } = spawnSync("busybox", ["--list"], { encoding: "utf8" });
    for (const name of stdout.split("\n").filter((name) => name && name !== "busybox"))
      symlinkSync("busybox", at(`/bin/${name}`));
  }
}

/** A list as crane's flags take it: comma-separated values. */
const list = (words: readonly string[]) => words.map((word) => `"${word.replaceAll('"', '""')}"`).join(",");

/**
 * Assembles an image and pushes it.
 *
 * @param files files of this machine by their places.
 * @param target where it is pushed.
 * @param work folder for what is needed meanwhile.
 */
export async function assemble(
  recipe: Recipe,
  files: Readonly<Record<string, string>>,
  target: string,
  crane: string,
  work: string,
): Promise<void> {
  const root = mkdtempSync(path.join(work, "layer-"));
  const layer = `${root}.tar.zst`;
  try {
    stage(recipe, files, root);
    const same = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
    await run("tar", ["-C", root, ...same, "--use-compress-program=zstd -1 -T0", "-cf", layer, "."]);
    await run(crane, ["append", "--oci-empty-base", "-f", layer, "-t", target]);
    const { entrypoint, cmd, user, workdir } = recipe;
    await run(crane, [
      "mutate",
      target,
      `--set-platform=linux/${ARCH}`,
      `--env=${PATH}`,
      ...(entrypoint ? [`--entrypoint=${list(entrypoint)}`] : []),
      ...(cmd ? [`--cmd=${list(cmd)}`] : []),
      ...(user ? [`--user=${user}`] : []),
      ...(workdir ? [`--workdir=${workdir}`] : []),
      `--tag=${target}`,
    ]);
  } finally {
    rmSync(root, { recursive: true, force: true });
    rmSync(layer, { force: true });
  }
}
