// A stack's first configuration: what it lacks by the program's own check, what an answer makes of it, and the text of its file.
import { dump, load } from "js-yaml";
import { z } from "zod";
import { PROJECT } from "../components/project";
import { parseConfig } from "./config";
import { fieldAt, isSecret, schemaAt } from "./config/explain";
import { NAMESPACE } from "./config/namespace";
import { ConfigError, formatPath, type Path, type Problem, valueAt } from "./config/problem";
import { configSchema } from "./config/schema";
import { plainSecrets } from "./config/settings";
import { stepsOf } from "./plan/property-path";

/** Settings without their namespace. */
export type Settings = Readonly<Record<string, unknown>>;

/** Settings that a stack must write although the program has a default for them, or none: a mesh can hardly change them later. */
const CHOSEN: readonly Problem[] = [
  {
    path: ["clouds"],
    message:
      "is missing; write the providers aws, gcp, azure or existing with commas between them, each with a name of its own before it or without, such as aws,gcp,onprem=existing",
  },
  {
    path: ["network", "mode"],
    message: "is missing; write tailscale, vpn or direct",
  },
  {
    path: ["trust", "domain"],
    message:
      "is missing; write a domain of yours such as mesh.example.org, under which each cloud has its trust domain",
  },
];

/** Stands for a secret that is yet to be set. Suits every setting that is one. */
const LATER = "encrypted";

/** What is to be done before settings can be a stack's. */
export interface Judgement {
  /** What is missing or wrong, in the words of the configuration. */
  readonly problems: readonly Problem[];
  /** Secrets that must be set once the file is there, which has none. */
  readonly secrets: readonly Path[];
}

/** Judges settings as the program will. Reads the kubeconfigs of existing clusters. */
export function judge(stack: string, settings: Settings, projectDir = PROJECT): Judgement {
  const plain = plainSecrets(settings).map(([path]) => ({
    path,
    message: `is a secret, which is not to be written in plain text; leave it out, and ${setSecret(stack, path)} when the file is there`,
  }));
  const secrets: Path[] = [];
  for (let whole = settings; ;) {
    const unset = CHOSEN.filter(({ path }) => valueAt(whole, path) === undefined);
    const problems = problemsOf(stack, whole, projectDir, [...plain, ...unset]);
    const missing = problems.filter(
      ({ path }) => isSecret(configSchema, whole, path) && valueAt(whole, path) === undefined,
    );
    if (missing.length === 0) return { problems, secrets };
    for (const { path } of missing) {
      whole = withValue(whole, path, LATER);
      secrets.push(path);
    }
  }
}

function problemsOf(stack: string, settings: Settings, projectDir: string, known: readonly Problem[]) {
  try {
    parseConfig(settings, { stack, projectDir }, known);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** All problems in one error. */
export const refusal = (stack: string, problems: readonly Problem[]) => new ConfigError(stack, problems);

/** Settings with a value at a path, the maps and lists on the way made where they are missing. */
function withValue(settings: Settings, path: Path, value: unknown): Settings {
  const whole: unknown = structuredClone(settings);
  path.reduce((parent, part, at) => {
    const place = parent as Record<string | number, unknown>;
    if (at === path.length - 1) return (place[part] = value);
    if (typeof place[part] !== "object" || place[part] === null)
      place[part] = typeof path[at + 1] === "number" ? [] : {};
    return place[part];
  }, whole);
  return whole as Settings;
}

/** The path of a setting as it is written, with the namespace or without: `clouds.gcp.project`. */
export const pathOfSetting = (written: string): Path =>
  stepsOf(written.startsWith(`${NAMESPACE}:`) ? written.slice(NAMESPACE.length + 1) : written);

/**
 * Settings with what was written for a path: a text where one belongs, else YAML, a list also without its brackets; for `clouds` the providers. An empty
 * text stands for the default, where there is one.
 */
export function answered(settings: Settings, path: Path, text: string): Settings {
  return withValue(settings, path, valueOf(settings, path, text.trim()));
}

function valueOf(settings: Settings, path: Path, text: string): unknown {
  if (formatPath(path) === "clouds") return cloudsOf(text);
  const field = fieldAt(configSchema, settings, path);
  if (text === "") return field?.safeParse(undefined).data;
  const schema = schemaAt(configSchema, settings, path);
  if (schema === undefined || schema instanceof z.ZodString || schema instanceof z.ZodEnum) return text;
  try {
    return load(schema instanceof z.ZodArray && !text.startsWith("[") ? `[${text}]` : text);
  } catch {
    return text;
  }
}

/** `aws,west=aws` as a map of clouds; undefined where a name is there twice, or nothing. */
function cloudsOf(text: string): Settings | undefined {
  const entries = text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "")
    .map((item) => {
      const [first = "", provider = first] = item.split("=");
      return [first, { provider }] as const;
    });
  const clouds = Object.fromEntries(entries);
  return entries.length > 0 && Object.keys(clouds).length === entries.length ? clouds : undefined;
}

/** What an answer is asked for. */
export interface Question {
  /** Of the setting that the answer is for. */
  readonly path: Path;
  readonly text: string;
}

/**
 * How a problem is asked about: by the meaning of a setting that is missing, else by what is wrong with it. Undefined for what no answer would mend, such as
 * a key that is not known.
 */
export function questionOf(settings: Settings, { path, message, meant }: Problem): Question | undefined {
  const place = formatPath(path);
  // A cloud's name is mended where it was given.
  if (path[0] === "clouds" && path.length <= 2 && meant === undefined)
    return { path: ["clouds"], text: `${place}: ${message}` };
  const schema = schemaAt(configSchema, settings, path);
  if (meant !== undefined || schema === undefined || isSecret(configSchema, settings, path)) return undefined;
  if (schema instanceof z.ZodObject || schema instanceof z.ZodRecord) return undefined;
  if (!message.startsWith("is missing")) return { path, text: `${place}: ${message}` };
  const { description, examples } = fieldAt(configSchema, settings, path)?.meta() ?? {};
  const example = (examples as unknown[] | undefined)?.[0];
  const shown = example === undefined ? "" : ` For example ${[example].flat().join(", ")}`;
  return { path, text: `${place}: ${description ?? message}${shown}` };
}

/** The text of the stack's file. */
export function stackFile(stack: string, settings: Settings): string {
  const config = Object.keys(configSchema.shape)
    .filter((key) => key in settings)
    .map((key) => [`${NAMESPACE}:${key}`, settings[key]] as const);
  const document = {
    config: { "pulumi:disable-default-providers": ["kubernetes"], ...Object.fromEntries(config) },
  };
  return `# yaml-language-server: $schema=./schema/pulumi-stack.schema.json
# The configuration of stack ${stack}. All settings, and the defaults of those that are not here: docs/configuration.md
${dump(document, { lineWidth: -1, quotingType: '"', noRefs: true, skipInvalid: true })}`;
}

const setSecret = (stack: string, path: Path) =>
  `pulumi config set --stack ${stack} --secret --path '${NAMESPACE}:${formatPath(path)}'`;

/** Commands that come next, each with what it is for. */
export function nextSteps(
  stack: string,
  settings: Settings,
  secrets: readonly Path[],
): readonly (readonly [command: string, why: string])[] {
  const { mode, tailscale } = settings["network"] as {
    mode: string;
    tailscale?: { manageTailnet?: boolean };
  };
  const clouds = settings["clouds"] as Record<string, { provider: string }>;
  const gateways = Object.keys(clouds).filter(
    (name) => mode === "vpn" && clouds[name]?.provider === "existing",
  );
  return [
    [`pulumi stack init ${stack}`, "which keeps the file as it is"],
    ...secrets.map((path) => [setSecret(stack, path), "asks for it; the program needs it"] as const),
    ...gateways.map(
      (name) =>
        [
          setSecret(stack, ["clouds", name, "vpn", "sharedKey"]),
          "only where its gateway has a key already; else one is made for each tunnel",
        ] as const,
    ),
    ...(mode === "tailscale" && tailscale?.manageTailnet !== false
      ? [
          [
            "export TAILSCALE_OAUTH_CLIENT_ID=… TAILSCALE_OAUTH_CLIENT_SECRET=…",
            "or TAILSCALE_API_KEY: with them the tailnet's keys and policy are made",
          ] as const,
        ]
      : []),
    [`npx mesh plan --stack ${stack}`, "all that it stands up; asks no cloud"],
    [`pulumi preview --stack ${stack}`, "the same by Pulumi, with the clouds' credentials"],
  ];
}
