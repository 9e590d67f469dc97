// How settings are read, from Pulumi and from a stack's file, and what is said of how they were set.
import { dump } from "js-yaml";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { loadConfig, type MeshConfig, parseConfig } from "../../infra/config";
import { stackFileSchema } from "../../infra/reference/json-schema";
import { stackFileSettings } from "../../infra/config/settings";
import { problemsOf } from "../support/problems";

const clouds = { aws: { provider: "aws" } };
const direct = { mode: "direct" };
const own = (settings: object) =>
  Object.fromEntries(Object.entries(settings).map(([key, value]) => [`agentweave-mesh:${key}`, value]));
const tailnet = (keys: object) => ({
  mode: "tailscale",
  tailscale: {
    tailnet: "tail1a2b3c.ts.net",
    loginServer: "https://headscale.example.org",
    manageTailnet: false,
    ...keys,
  },
});
const onPremises = (vpn: object) => ({
  on: {
    provider: "existing",
    kubeconfig: "none",
    region: "home",
    podCidr: "10.1.0.0/16",
    serviceCidr: "10.2.0.0/16",
    vpn: { asn: 64600, gatewayAddresses: ["198.51.100.7"], ...vpn },
  },
});
const ENCRYPTED = { secure: "v1:bm9uY2U=:Y2lwaGVydGV4dA==" };

/** The stack's file as its readers here take it. */
function readFile(file: string | object): MeshConfig {
  const text = typeof file === "string" ? file : dump(file);
  const { raw, problems } = stackFileSettings(text, "test");
  return parseConfig(raw, { stack: "test", projectDir: "/srv", kubeconfigs: "made later" }, problems);
}

/** The same settings as Pulumi hands them to the program: maps as JSON, and the names of those that hold secrets. */
function readPulumi(settings: object, secretKeys: readonly string[] = []): MeshConfig {
  const texts = Object.entries(settings).map(([key, value]) => [
    key,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  pulumi.runtime.setAllConfig(Object.fromEntries(texts) as Record<string, string>, [...secretKeys]);
  return loadConfig();
}

afterEach(() => pulumi.runtime.setAllConfig({}));

const schema = z.fromJSONSchema(stackFileSchema() as Parameters<typeof z.fromJSONSchema>[0]);
const isValid = (file: object) => schema.safeParse(file).success;

const SECRETS: [string, (value: unknown) => object][] = [
  ["network.tailscale.authKey", (authKey) => ({ clouds, network: tailnet({ authKey }) })],
  [
    "network.tailscale.routerAuthKey",
    (routerAuthKey) => ({ clouds, network: tailnet({ authKey: ENCRYPTED, routerAuthKey }) }),
  ],
  [
    "network.tailscale.observabilityAuthKey",
    (key) => ({ clouds, network: tailnet({ authKey: ENCRYPTED, observabilityAuthKey: key }) }),
  ],
  ["clouds.on.vpn.sharedKey", (sharedKey) => ({ clouds: onPremises({ sharedKey }), network: direct })],
  [
    "observability.metrics.remoteWrite[0].bearerToken",
    (bearerToken) => ({
      clouds,
      network: direct,
      observability: { metrics: { remoteWrite: [{ url: "https://metrics.example.org", bearerToken }] } },
    }),
  ],
];

describe.each(SECRETS)("secret %s", (place, settings) => {
  const encrypted = { config: own(settings(ENCRYPTED)) };
  const plain = { config: own(settings("hidden-key")) };

  test("is read from a stack's file where it is encrypted", () => {
    expect(problemsOf(() => readFile(encrypted))).toEqual([]);
    expect(isValid(encrypted)).toBe(true);
  });

  test("is named, and not shown, where it is in plain text", () => {
    const told = [expect.stringMatching(/: is a secret in plain text; encrypt it with .* --secret --path/)];
    const inFile = problemsOf(() => readFile(plain));
    expect(inFile).toEqual(told);
    expect(inFile[0]).toMatch(new RegExp(`^${place.replace(/[[\].]/g, "\\$&")}: (?!.*hidden)`));
    expect(isValid(plain)).toBe(false);
    expect(problemsOf(() => readPulumi(plain.config))).toContainEqual(
      expect.stringMatching(/: is a secret in plain text/),
    );
    const [key = ""] = place.split(".");
    expect(problemsOf(() => readPulumi(plain.config, [`agentweave-mesh:${key}`])).join()).not.toMatch(
      /plain text/,
    );
  });

  test("is not shown either where it is no text", () => {
    const [problem] = problemsOf(() => readPulumi(own(settings(31415926)), Object.keys(own(settings(0)))));
    expect(problem).toMatch(/: is not a text \(in quotes\); write one$/);
    expect(problem).not.toContain("31415926");
  });
});

test("a map is read alike as a map and as JSON text, from Pulumi and from a file, and so does the schema for editors", () => {
  const settings = own({ clouds, network: direct });
  const texts = own({ clouds: JSON.stringify(clouds), network: JSON.stringify(direct) });
  const asMap = readFile({ config: settings });
  expect(asMap.clouds.map(({ name }) => name)).toEqual(["aws"]);
  expect(readFile({ config: texts })).toEqual(asMap);
  expect(readPulumi(settings)).toEqual(asMap);
  expect([settings, texts].map((config) => isValid({ config }))).toEqual([true, true]);
});

test("anchors, merge keys, other namespaces and a byte-order mark of a file are read as Pulumi reads them", () => {
  const text = `\uFEFFx-nodes: &nodes { count: 2 }
config:
  aws:profile: mesh
  agentweave-mesh:clouds: { aws: { provider: aws, nodes: { <<: *nodes, instanceType: m7i.large } } }
  agentweave-mesh:network: { mode: direct }
`;
  expect(readFile(text).clouds).toMatchObject([{ nodes: { count: 2, instanceType: "m7i.large" } }]);
});

describe("a stack's file with nothing to read here says in one sentence what is not read", () => {
  test.each<[string, string, RegExp]>([
    [
      "an ESC environment",
      "environment: [platform/dev]",
      /of an environment of Pulumi ESC .* write .* under config \(pulumi env open .*\)$/,
    ],
    [
      "an ESC environment beside settings of the file's own",
      dump({ environment: ["platform/dev"], config: own({ network: direct }) }),
      /no clouds but those of an environment of Pulumi ESC/,
    ],
    [
      "a salt alone",
      "encryptionsalt: v1:c2FsdA==",
      /has no config, .* write agentweave-mesh:clouds under it$/,
    ],
    ["nothing", "", /has no config/],
    ["no YAML", "config:\n  a: [hidden", /in a file that is no YAML \(line \d\); mend it$/],
  ])("%s", (_what, text, sentence) => {
    const problems = problemsOf(() => readFile(text));
    expect(problems).toEqual([expect.stringMatching(sentence)]);
    expect(problems.join()).not.toContain("hidden");
  });

  test("and the schema for editors lets an environment bring the clouds", () => {
    expect(isValid({ environment: ["platform/dev"] })).toBe(true);
    expect(isValid({ encryptionsalt: "v1:c2FsdA==" })).toBe(false);
  });
});

describe("a value as pulumi config set writes it, where another is asked for, names the flag that would have been right", () => {
  test.each<[string, object, RegExp[]]>([
    [
      "a number for a text",
      { tags: { "cost-center": 4711 } },
      [
        /^tags\.cost-center: is 4711; write a text \(in quotes\); pulumi config set: with --path --type string$/,
      ],
    ],
    ["a boolean for a text", { tags: { a: true } }, [/^tags\.a: is true; .* --path --type string$/]],
    [
      "a text for a number",
      { observability: { traces: { sampling: { percent: "12.5" } } } },
      [/percent: is "12\.5"; write a number; .* --path --type float$/],
    ],
    [
      "a text for a whole number",
      { agents: { replicas: "three" } },
      [/replicas: is "three"; .* --type int$/],
    ],
    ["a text for a boolean", { spire: { protect: "yes" } }, [/protect: is "yes"; .* --type bool$/]],
    [
      "JSON for a map within a map",
      { clouds: { aws: '{"provider":"hidden"}' } },
      [/^clouds\.aws: is a text; write a map of keys; .* with --path, each value of it by itself$/],
    ],
    [
      "a text for a list",
      { clouds: { aws: { provider: "aws", roles: "hidden" } } },
      [/roles: is a text; write a list, .* with --path, each value of it by itself$/],
    ],
    [
      "keys with dots, set without --path",
      { "network.mode": "direct", network: undefined, "agents.replicas": 3, 'clouds["b"]': "hidden" },
      ["network.mode", "agents.replicas", 'clouds["b"]'].map((key) => {
        const quoted = `'agentweave-mesh:${key}'`.replace(/[[\].]/g, "\\$&");
        return new RegExp(`: is a key of its own, .* config rm ${quoted} and .* set --path ${quoted}$`);
      }),
    ],
    [
      "a text for the whole",
      { trust: "hidden" },
      [/^trust: is a text and no map .* --path agentweave-mesh:trust\./],
    ],
  ])("%s", (_what, settings, messages) => {
    const all = own({ clouds, network: direct, ...settings });
    const config = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    const inFile = problemsOf(() => readFile({ config }));
    expect(inFile).toEqual(messages.map((message) => expect.stringMatching(message) as unknown));
    expect(inFile.join()).not.toContain("hidden");
    expect(problemsOf(() => readPulumi(config))).toEqual(inFile);
  });

  test.each<[string, object, RegExp]>([
    [
      "a value",
      { clouds: { aws: { provider: "aws", region: ENCRYPTED } } },
      /^clouds\.aws\.region: is encrypted, .* --path --plaintext$/,
    ],
    ["a whole map", { trust: ENCRYPTED }, /^trust: is encrypted, .* pulumi config set --plaintext$/],
  ])("%s that is encrypted though it need not be", (_what, settings, message) => {
    expect(problemsOf(() => readFile({ config: own({ clouds, network: direct, ...settings }) }))).toEqual([
      expect.stringMatching(message),
    ]);
  });

  test("a date, which YAML makes of what looks like one", () => {
    const text = `config:\n  agentweave-mesh:clouds: { aws: { provider: aws } }\n  agentweave-mesh:network: { mode: direct }\n  agentweave-mesh:tags: { created: 2026-01-15 }\n`;
    expect(problemsOf(() => readFile(text))).toEqual(["tags.created: is a date; write a text (in quotes)"]);
  });
});

describe("what Pulumi.yaml sets for every stack", () => {
  const project = dump({
    name: "agentweave-mesh",
    config: {
      "pulumi:disable-default-providers": { value: ["kubernetes"] },
      clouds: { value: { gcp: { provider: "gcp", project: "a-project" } } },
      "agentweave-mesh:network": { value: direct },
      tags: { type: "object", default: { team: "mesh" } },
      trust: { description: "which has no default" },
    },
  });
  const read = (own: object) => stackFileSettings(dump({ config: own }), "test", project);

  test("counts where the stack's file says nothing", () => {
    expect(read({})).toEqual({
      raw: {
        clouds: { gcp: { provider: "gcp", project: "a-project" } },
        network: direct,
        tags: { team: "mesh" },
      },
      problems: [],
    });
  });

  test("and gives way to what it says", () => {
    expect(read(own({ clouds })).raw).toMatchObject({ clouds, network: direct });
  });
});
