// The program's own settings as Pulumi hands them over and as a stack's file has them: read alike, and judged by how they were set.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { isDate } from "node:util/types";
import { load, type Mark, YAMLException } from "js-yaml";
import { decodeText } from "../../components/encoding";
import { isSecret } from "./explain";
import { NAMESPACE } from "./namespace";
import { change, ConfigError, type Path, type Problem } from "./problem";
import { configSchema } from "./schema";

/** Settings as far as they can be read. */
export interface Settings {
  /** Without the namespace, for `parseConfig`. */
  readonly raw: Readonly<Record<string, unknown>>;
  /** What cannot be read, or was set in a way that it should not be. No text that may be a secret is quoted. */
  readonly problems: readonly Problem[];
}

const PREFIX = `${NAMESPACE}:`;

/** Stands for a text that only Pulumi can decrypt. Suits every setting that is a secret. */
export const ENCRYPTED = "encrypted";

/** Where a value stands in settings, with what Pulumi keeps of an encrypted one: `{ secure: … }`. */
function* leaves(value: unknown, path: Path): Generator<[Path, unknown]> {
  if (typeof value !== "object" || value === null || isDate(value) || isEncrypted(value)) {
    yield [path, value];
    return;
  }
  const parts = Array.isArray(value) ? value.entries() : Object.entries(value);
  for (const [key, part] of parts) yield* leaves(part, [...path, key]);
}

const isEncrypted = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  Object.keys(value).join() === "secure" &&
  typeof (value as { secure: unknown }).secure === "string";

/** How a single value is set. `flags`: beside `--path`. */
const setBy = (key: string, flags = "") => `pulumi config set --path ${flags}${PREFIX}${key}`;

/**
 * Settings out of keys with their namespace, the keys of other namespaces left out. Each holds a map, or the same as JSON text, as Pulumi gives a
 * program every map and as `pulumi config set` writes one that it is given whole.
 *
 * @param mayBePlain Whether a secret at this path may stand there in the clear, because it was decrypted a moment ago.
 */
export function settingsOf(
  entries: Readonly<Record<string, unknown>>,
  mayBePlain: (path: Path) => boolean,
): Settings {
  const raw: Record<string, unknown> = {};
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(entries)) {
    if (!name.startsWith(PREFIX)) continue;
    const key = name.slice(PREFIX.length);
    const [, first = ""] = /^([A-Za-z]+)[.[]/.exec(key) ?? [];
    if (first in configSchema.shape) {
      const message = `is a key of its own, since it was set without --path; remove it with pulumi config rm '${name}' and write ${setBy(`'${key}'`).replace(`${PREFIX}'`, `'${PREFIX}`)}`;
      problems.push({ path: [key], message, meant: key.split(/[.[\]"]+/).filter((part) => part !== "") });
      continue;
    }
    if (typeof value !== "string") raw[key] = value;
    else {
      try {
        raw[key] = JSON.parse(value);
      } catch {
        // Not only broken JSON: any plain text that was written where a map belongs.
        problems.push({
          path: [key],
          message: `is a text and no map of keys; write one, or set single values with ${setBy(`${key}.…`)}`,
        });
      }
    }
  }
  for (const [path] of plainSecrets(raw)) {
    if (mayBePlain(path)) continue;
    const message =
      "is a secret in plain text; encrypt it with pulumi config set --secret --path, and change it where it is from, if others could read it";
    problems.push({ path, message });
  }
  return { raw, problems };
}

/** The secrets in settings that are not encrypted, with their places. */
export function plainSecrets(raw: Settings["raw"]): [Path, unknown][] {
  const isPlain = (value: unknown) => value !== "" && value !== null && !isEncrypted(value);
  return [...leaves(raw, [])].filter(([path, value]) => isPlain(value) && isSecret(configSchema, raw, path));
}

/** What a Pulumi.yaml sets for every stack (https://www.pulumi.com/docs/iac/concepts/projects/project-file/): keys without a namespace are of the project's own. */
function projectEntries(file: string | Uint8Array): Record<string, unknown> {
  const { config } = (load(typeof file === "string" ? file : decodeText(file)) ?? {}) as { config?: object };
  return Object.fromEntries(
    Object.entries(config ?? {}).flatMap(([name, declared]: [string, unknown]): [string, unknown][] => {
      const key = name.includes(":") ? name : `${PREFIX}${name}`;
      if (typeof declared !== "object" || declared === null) return [[key, declared]];
      const { value, default: otherwise = value } = declared as { value?: unknown; default?: unknown };
      return otherwise === undefined ? [] : [[key, otherwise]];
    }),
  );
}

/** Names of the stacks that have a file in a folder, such as that of Pulumi.yaml, sorted. */
export function stacks(folder: string): readonly string[] {
  return readdirSync(folder)
    .flatMap((name) => /^Pulumi\.(.+)\.yaml$/.exec(name)?.[1] ?? [])
    .sort();
}

/**
 * The settings of a stack as Pulumi has them: of its own file, and of the project's for what it leaves out.
 *
 * @param projectDir directory of Pulumi.yaml.
 * @param file path of the stack's file. Default: `Pulumi.<stack>.yaml` beside Pulumi.yaml.
 * @throws ConfigError as `stackFileSettings`, or because there is no such file.
 */
export function stackSettings(
  stack: string,
  projectDir: string,
  file = path.join(projectDir, `Pulumi.${stack}.yaml`),
): Settings {
  if (!existsSync(file)) {
    const message = `is in no file, since there is no ${path.basename(file)}; write it, or name one of ${stacks(projectDir).join(", ")}`;
    throw new ConfigError(stack, [{ path: [], message }]);
  }
  const project = path.join(projectDir, "Pulumi.yaml");
  return stackFileSettings(readFileSync(file), stack, existsSync(project) ? readFileSync(project) : "");
}

/**
 * Settings out of the text of a `Pulumi.<stack>.yaml`. An encrypted value counts as given where a secret is expected; elsewhere it is a problem,
 * since only Pulumi can decrypt it.
 *
 * @param project text of Pulumi.yaml. Default: one that sets nothing.
 * @throws ConfigError with one problem where the file has nothing that can be read here.
 */
export function stackFileSettings(
  file: string | Uint8Array,
  stack: string,
  project: string | Uint8Array = "",
): Settings {
  const refuse = (message: string): never => {
    throw new ConfigError(stack, [{ path: [], message }]);
  };
  let document: unknown;
  try {
    document = load(typeof file === "string" ? file : decodeText(file));
  } catch (error) {
    const mark = error instanceof YAMLException ? (error.mark as Mark | undefined) : undefined;
    // The parser's own words quote the text.
    return refuse(
      `is in a file that is no YAML${mark === undefined ? "" : ` (line ${mark.line + 1})`}; mend it`,
    );
  }
  const { config, environment } = (document ?? {}) as { config?: object; environment?: unknown };
  const entries = { ...projectEntries(project), ...(typeof config === "object" ? config : undefined) };
  if (!(`${PREFIX}clouds` in entries) && environment !== undefined) {
    return refuse(
      "has no clouds but those of an environment of Pulumi ESC (environment:), which pulumi preview and up read and nothing else does; write what is to be read here under config (pulumi env open shows what the environment has)",
    );
  }
  if (!Object.keys(entries).some((name) => name.startsWith(PREFIX))) {
    return refuse(`has no config, of which all is read here; write ${PREFIX}clouds under it`);
  }
  const { raw, problems } = settingsOf(entries, () => false);
  const given = structuredClone(raw) as Record<string, unknown>;
  const unreadable: Problem[] = [];
  for (const [path, value] of leaves(raw, [])) {
    if (!isEncrypted(value)) continue;
    if (isSecret(configSchema, raw, path)) change(given, path, (parent, key) => (parent[key] = ENCRYPTED));
    else {
      change(given, path, (parent, key) => delete parent[key]);
      unreadable.push({
        path,
        message: `is encrypted, which it need not be, and only pulumi preview and up can read it; write it anew with ${path.length === 1 ? "pulumi config set" : "pulumi config set --path"} --plaintext`,
      });
    }
  }
  return { raw: given, problems: [...problems, ...unreadable] };
}
