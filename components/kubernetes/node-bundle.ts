// Programs of this repository as one compressed file each, bundled when the Pulumi program runs, so that there is no build step to
// forget and no image to push.
import { createHash } from "node:crypto";
import * as path from "node:path";
import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";
import { PROJECT } from "../project";

/** What starts each program. */
const ENTRIES = {
  /** The reference agent. */
  agent: path.join(PROJECT, "agent/main.ts"),
  /** Observability's own programs: trust exporter, token renewer. */
  telemetry: path.join(PROJECT, "telemetry/main.ts"),
} as const;

/** A program by its name. */
export type ProgramName = keyof typeof ENTRIES;

/** What a ConfigMap may hold, keys and values together (Kubernetes, core/v1 MaxSecretSize). */
const CONFIG_MAP_LIMIT = 1024 * 1024;

/** A program. */
export interface NodeBundle {
  /** Gzip file of a CommonJS module. */
  readonly gzip: Buffer;
  /** SHA-256 of the module's text, in hex: alike wherever the bundle is made. */
  readonly digest: string;
}

const bundled: Partial<Record<ProgramName, NodeBundle>> = {};

/** The bundle of this run of the Pulumi program. Throws an Error if it does not compile, or is too large for a ConfigMap. */
export function nodeBundle(program: ProgramName): NodeBundle {
  return (bundled[program] ??= compress(bundleModule(ENTRIES[program])));
}

/** Content of the ConfigMap that brings a program along, as a recipe makes it (GeneratedConfigMap). */
export function programContent({ program, key }: { readonly program: ProgramName; readonly key: string }) {
  return { binaryData: { [key]: nodeBundle(program).gzip.toString("base64") } };
}

/** CommonJS text of a module with everything it imports, for Node 20 and newer. Throws an Error with esbuild's findings. */
export function bundleModule(entry: string): Buffer {
  const { outputFiles } = buildSync({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    format: "cjs",
    // What runs in a context of its own, as the loader has it, can require but not import.
    supported: { "dynamic-import": false },
    minifyWhitespace: true,
    minifySyntax: true,
    // Names are kept, for stack traces; compressed they weigh little.
    minifyIdentifiers: false,
    // Node prints the line that threw, which must not be the whole program.
    lineLimit: 160,
    legalComments: "none",
    logLevel: "silent",
    // The paths of this machine must not show in the output, which has to be the same everywhere.
    absWorkingDir: path.dirname(entry),
    // Nor must where a checkout's node_modules really is.
    preserveSymlinks: true,
  });
  return Buffer.from(outputFiles[0]!.contents);
}

/** Compresses a module's text, the same text to the same bytes. Throws an Error if that is more than a ConfigMap takes. */
export function compress(module: Buffer): NodeBundle {
  const gzip = gzipSync(module, { level: 9 });
  // Neither a time nor a name is in the header, only the operating system: "unknown" (RFC 1952, section 2.3.1).
  gzip[9] = 255;
  if (gzip.length > CONFIG_MAP_LIMIT - 1024) {
    throw new Error(`the bundle has ${gzip.length} bytes compressed; a ConfigMap takes ${CONFIG_MAP_LIMIT}`);
  }
  return { gzip, digest: createHash("sha256").update(module).digest("hex") };
}
