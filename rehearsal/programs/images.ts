// The images of the rehearsal, in a registry of its own: copied from where they are published, else assembled from the programs of this
// machine under their real names.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import path from "node:path";
import { run } from "../processes";
import { progress, say } from "../progress";
import { until } from "../proof/steps";
import { assemble } from "./assemble";
import { answers } from "./download";
import type { Binaries } from "./get";
import { NODE, type Recipe, RECIPES } from "./recipes";
import { ARCH, PROGRAMS } from "./table";

/** Where an image came from. */
export interface ImageOrigin {
  readonly reference: string;
  readonly origin: "pulled" | "assembled" | "stand-in";
  /** Its registry, what it was assembled from, or what stands in. */
  readonly what: string;
}

/** What is needed to have the images. */
export interface FillArgs {
  /** Full references, `registry/repository:tag`. */
  readonly references: readonly string[];
  readonly programs: Binaries;
  /** The Node.js that images with it have: of the version that they name. */
  readonly node: string;
  /** Directory of the registry's content. What each image was made from is in a file beside it. */
  readonly storage: string;
}

/** A reference without its registry: `spiffe/spire-server:1.15.3`. */
export const placeOf = (reference: string) => reference.slice(reference.indexOf("/") + 1);
const registryOf = (reference: string) => reference.slice(0, reference.indexOf("/"));

function recipeOf(reference: string): Recipe | undefined {
  const [, name = "", minor] = /([^/:@]+):(\d+\.\d+)?[^/:@]*$/.exec(reference) ?? [];
  return RECIPES[`${name}:${minor}`] ?? RECIPES[name];
}

/** Configuration of a registry that serves `storage`: https://distribution.github.io/distribution/about/configuration/ */
export function registryConfig(storage: string, address: string): string {
  return JSON.stringify({
    version: 0.1,
    log: { level: "warn" },
    storage: { filesystem: { rootdirectory: storage } },
    http: { addr: address },
  });
}

/** True if an image's own registry can be reached. */
async function isReached(reference: string): Promise<boolean> {
  const host = registryOf(reference).replace(/^docker\.io$/, "registry-1.docker.io");
  const status = await answers(`https://${host}/v2/`);
  return status === 200 || status === 401;
}

/** Names of the programs that are needed to have the images: none of those whose registry can be reached. */
export async function imagePrograms(references: readonly string[]): Promise<string[]> {
  const needed = await Promise.all(
    references.map(async (reference) =>
      (await isReached(reference)) ? [] : Object.values(recipeOf(reference)?.files ?? {}),
    ),
  );
  const names = new Set(needed.flat());
  return PROGRAMS.map(({ binary }) => binary).filter(
    (name) => ["crane", "registry"].includes(name) || names.has(name),
  );
}

/** Files of this machine by their places in an image; undefined when one is not there. */
function sources(recipe: Recipe, { programs, node }: FillArgs): Record<string, string> | undefined {
  const entries = Object.entries(recipe.files).map(([place, source]) => {
    const file = path.isAbsolute(source) ? source : source === NODE ? node : programs[source];
    return file !== undefined && existsSync(file) ? [place, file] : undefined;
  });
  return entries.every((entry) => entry !== undefined) ? Object.fromEntries(entries) : undefined;
}

/** Says of what an image is assembled, so that it is assembled anew when that changes. */
function inputsOf(recipe: Recipe, files: Readonly<Record<string, string>>): string {
  const states = Object.entries(files).map(([place, file]) => {
    const { size, mtimeMs } = statSync(file);
    return [place, size, mtimeMs];
  });
  return createHash("sha256")
    .update(JSON.stringify([recipe, states]))
    .digest("hex");
}

function assembledOf(reference: string, recipe: Recipe): ImageOrigin {
  if (recipe.standIn) return { reference, origin: "stand-in", what: recipe.standIn };
  const versions = new Map(PROGRAMS.map(({ binary, version }) => [binary, version]));
  const programs = Object.values(recipe.files).map((source) => {
    if (path.isAbsolute(source)) return `this machine's ${path.basename(source)}`;
    return versions.has(source) ? `${source} ${versions.get(source)}` : source;
  });
  return { reference, origin: "assembled", what: programs.join(", ") };
}

/** What is in the storage, by reference. */
type Done = Record<string, ImageOrigin & { readonly inputs?: string }>;

const doneFile = (storage: string) => `${storage}.json`;

function doneIn(storage: string): Done {
  if (!existsSync(storage)) return {};
  try {
    return JSON.parse(readFileSync(doneFile(storage), "utf8")) as Done;
  } catch {
    return {};
  }
}

/** True if all these images are in the storage, whatever they are from. */
export function haveImages(references: readonly string[], storage: string): boolean {
  const done = doneIn(storage);
  return references.every((reference) => reference in done);
}

/** True if the image is there, and from what would be taken now. */
function isThere(reference: string, args: FillArgs, done: Done): boolean {
  const before = done[reference];
  if (!before || before.origin === "pulled") return before !== undefined;
  const recipe = recipeOf(reference);
  const files = recipe && sources(recipe, args);
  return files !== undefined && before.inputs === inputsOf(recipe!, files);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Has a registry serve `storage` to this machine while `work` is done; it ends with this process, however that ends. */
async function withRegistry(
  { programs, storage }: FillArgs,
  work: (address: string, folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(`${storage}.work-`);
  const address = `127.0.0.1:${await freePort()}`;
  const config = path.join(folder, "registry.yaml");
  writeFileSync(config, registryConfig(storage, address));
  const command = ["--pdeathsig", "KILL", programs["registry"]!, "serve", config];
  const registry: ChildProcess = spawn("setpriv", command, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, OTEL_TRACES_EXPORTER: "none" },
  });
  let words = "";
  registry.stderr!.on("data", (text: Buffer) => (words = (words + text.toString()).slice(-2_000)));
  const ended = once(registry, "exit");
  try {
    const failed = ended.then(([code]) =>
      Promise.reject(new Error(`the registry ended (exit ${code}): ${words.trim()}`)),
    );
    failed.catch(() => {});
    const serves = async () => (await fetch(`http://${address}/v2/`)).ok || undefined;
    await Promise.race([until("the registry for the images", serves, { pollMs: 50 }), failed]);
    await work(address, folder);
  } finally {
    registry.kill("SIGKILL"); // what was pushed is on disk
    await ended.catch(() => {});
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Puts one image into the registry at `address`. */
async function put(
  reference: string,
  args: FillArgs,
  address: string,
  folder: string,
): Promise<Done[string]> {
  const target = `${address}/${placeOf(reference)}`;
  const crane = args.programs["crane"]!;
  let why = `${registryOf(reference)} cannot be reached`;
  if (await isReached(reference)) {
    try {
      await run(crane, ["copy", `--platform=linux/${ARCH}`, reference, target]);
      return { reference, origin: "pulled", what: registryOf(reference) };
    } catch (error) {
      why = (error as Error).message.trim();
    }
  }
  const recipe = recipeOf(reference);
  if (!recipe)
    throw new Error(
      `${reference} cannot be had: ${why}, and rehearsal/programs/recipes.ts has no recipe for it`,
    );
  const files = sources(recipe, args);
  if (!files) {
    const needs = Object.values(recipe.files).join(", ");
    throw new Error(`${reference} cannot be had: ${why}, and it cannot be assembled without ${needs}`);
  }
  await assemble(recipe, files, target, crane, folder);
  return { ...assembledOf(reference, recipe), inputs: inputsOf(recipe, files) };
}

/** Puts every image that is not there yet, from the same programs, into a registry's storage. */
export async function fillRegistry(args: FillArgs): Promise<ImageOrigin[]> {
  const { storage } = args;
  const references = [...new Set(args.references)];
  const missing = references.filter((reference) => !isThere(reference, args, doneIn(storage)));
  if (missing.length > 0) {
    mkdirSync(storage, { recursive: true });
    const report = progress("the images");
    await withRegistry(args, async (address, folder) => {
      for (const [index, reference] of missing.entries()) {
        report(`${reference}, ${missing.length - index} to go`);
        const image = await put(reference, args, address, folder);
        // Read anew: other images may be put there meanwhile.
        writeFileSync(doneFile(storage), JSON.stringify({ ...doneIn(storage), [reference]: image }, null, 2));
      }
    });
    say(`  ${missing.length} images are new in the registry`);
  }
  const done = doneIn(storage);
  return references.map((reference) => {
    const { origin, what } = done[reference]!;
    return { reference, origin, what };
  });
}
