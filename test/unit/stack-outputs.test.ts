// Kubeconfigs of existing clusters that are outputs of another stack, which Pulumi's mocks play.
import * as pulumi from "@pulumi/pulumi";
import { ExistingCluster } from "../../components/clouds/existing";
import { parseConfig } from "../../infra/config";
import type { CloudConfigOf } from "../../infra/config";
import { KUBECONFIG } from "../../infra/plan/fakes";
import { record, valueOf } from "../../infra/plan/recorder";
import { askStacks } from "../../infra/stack-outputs";

const STACK = "example/clusters/prod";
const at = (server: string, context = "a-cluster") => KUBECONFIG(context).replace("cluster.example", server);

/** What the settings come to when the other stack has these outputs. */
async function settled(output: string, outputs: object, secretOutputNames: string[] = [], more: object = {}) {
  const cloud = {
    provider: "existing",
    region: "here",
    kubeconfig: { stack: STACK, output },
    podCidr: "10.60.0.0/16",
    serviceCidr: "10.61.0.0/16",
    ...more,
  };
  const second = {
    ...cloud,
    context: "b-cluster",
    kubeconfig: { stack: STACK, output: "second" },
    podCidr: "10.62.0.0/16",
    serviceCidr: "10.63.0.0/16",
  };
  const raw = {
    trust: { domain: "mesh.example.org" },
    clouds: { a: cloud, b: second },
    network: { mode: "direct" },
    observability: { enabled: false },
  };
  const context = { stack: "test", projectDir: "/" };
  const all = { second: at("second.example", "b-cluster"), ...outputs };
  const [asked] = await record(() => askStacks(parseConfig(raw, context)), {
    outputs: { "pulumi:pulumi:StackReference": { outputs: all, secretOutputNames } },
  });
  return parseConfig(raw, { ...context, stackOutputs: await asked });
}

test.each<[string, string, object, string[]]>([
  ["plain text", "a", { a: at("a.example") }, []],
  ["a secret", "a", { a: at("a.example") }, ["a"]],
  ["an object, as EKS gives it", "a", { a: JSON.parse(at("a.example")) }, []],
  ["one of a map, secret", "all.a", { all: { a: at("a.example") } }, ["all"]],
])(
  "an output that is %s makes a cluster whose kubeconfig is a secret",
  async (_what, output, outputs, secrets) => {
    const config = await settled(output, outputs, secrets);
    const cloud = config.clouds[0] as CloudConfigOf<"existing">;
    const [cluster] = await record(() => new ExistingCluster("a", cloud));
    for (const text of [cluster.kubeconfig, cluster.credentials]) {
      expect(await pulumi.isSecret(text)).toBe(true);
      expect(await valueOf(text)).toContain("https://a.example");
    }
  },
);

test.each<[string, string, object, object, string]>([
  [
    "that is missing",
    "a",
    {},
    {},
    `clouds.a.kubeconfig: there is no output a of stack ${STACK}; write one that`,
  ],
  ["of a map that lacks it", "all.a", { all: {} }, {}, `there is no output all.a of stack ${STACK};`],
  [
    "that is no kubeconfig",
    "a",
    { a: "token: [very-secret" },
    {},
    `output a of stack ${STACK} is not a kubeconfig`,
  ],
  [
    "without the context",
    "a",
    { a: at("a.example", "c") },
    {},
    `clouds.a.context: is "a-cluster", which is not in output a of stack ${STACK}; write`,
  ],
  [
    "with the context named in vain",
    "a",
    { a: at("a.example") },
    { context: "x" },
    `is "x", which is not in output a`,
  ],
  [
    "that names a file",
    "a",
    { a: at("a.example").replace("certificate-authority-data", "certificate-authority") },
    {},
    `output a of stack ${STACK}: context "a-cluster" names a file in certificate-authority`,
  ],
  [
    "that names a plugin by a relative path",
    "a",
    { a: at("a.example").replace('"true"', '"./bin/token"') },
    {},
    "names its plugin by a relative path",
  ],
  ["of another cloud's cluster", "a", { a: at("second.example") }, {}, "leads to the API server of cloud a"],
])(
  "an output %s is a mistake of the configuration that quotes nothing of it",
  async (_what, output, outputs, more, message) => {
    const error = await settled(output, outputs, [], more).catch((error: Error) => error);
    expect(error).toMatchObject({ name: "ConfigError", message: expect.stringContaining(message) });
    expect(String(error)).not.toContain("very-secret");
  },
);

test("no stack is asked where every kubeconfig is a file", async () => {
  expect(await askStacks({ clouds: [] })).toBeUndefined();
});

test.each([
  [{ stack: "prod", output: "a" }, "clouds.a.kubeconfig.stack"],
  [{ stack: STACK }, "clouds.a.kubeconfig: is a map; write the path"],
  [3, "write the path of a kubeconfig file, or the output of another stack"],
])("the configuration refuses %j", (kubeconfig, message) => {
  const clouds = { a: { provider: "existing", region: "here", kubeconfig } };
  expect(() => parseConfig({ clouds }, { stack: "test", projectDir: "/" })).toThrow(message);
});
