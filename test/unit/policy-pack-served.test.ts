// The pack as Pulumi's engine has it: its process, started as by the language host, and asked over gRPC.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { credentials } from "@grpc/grpc-js";
import { AnalyzerClient } from "@pulumi/pulumi/proto/analyzer_grpc_pb";
import {
  AnalyzeResponse,
  AnalyzerResource,
  AnalyzerResourceOptions,
  AnalyzeStackRequest,
} from "@pulumi/pulumi/proto/analyzer_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { version } from "../../package.json";

const PACK = path.resolve(__dirname, "../../policies/pack");
const HOST = require.resolve("@pulumi/pulumi/cmd/run-policy-pack");
/** A text that is not known yet, as the engine sends it (`UnknownStringValue` of its plugin/rpc.go). */
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
/** A secret, as the engine sends it (`SecretSig`, sdk/go/common/resource/properties.go). */
const secret = (value: string) => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  value,
});

/** Starts the pack for a stack with these settings. */
function start(settings: object): ChildProcess {
  const config = Object.entries(settings).map(([key, value]) => [
    `agentweave-mesh:${key}`,
    JSON.stringify(value),
  ]);
  const env = {
    ...process.env,
    PULUMI_NODEJS_PROJECT: "agentweave-mesh",
    PULUMI_NODEJS_STACK: "prod",
    PULUMI_CONFIG: JSON.stringify(Object.fromEntries(config)),
  };
  return spawn(process.execPath, [HOST, "127.0.0.1:1", PACK], { cwd: PACK, env });
}

const kubeconfig = (user: object) => JSON.stringify({ users: [{ name: "u", user }] });
const RESOURCES: readonly (readonly [type: string, name: string, properties: Record<string, unknown>])[] = [
  ["pulumi:providers:kubernetes", "a-kubernetes", { kubeconfig: secret(kubeconfig({ token: "hunter2" })) }],
  ...["b", "d", "e", "f"].map(
    (cloud) => ["pulumi:providers:kubernetes", `${cloud}-kubernetes`, { kubeconfig: UNKNOWN }] as const,
  ),
  ["pulumi:providers:kubernetes", "c-kubernetes", { kubeconfig: secret(kubeconfig({ exec: {} })) }],
  ["azure-native:resources:ResourceGroup", "azure-group", {}],
  [
    "kubernetes:apps/v1:StatefulSet",
    "a-server",
    {
      metadata: { namespace: "spire", name: "spire-server" },
      spec: { template: { spec: { containers: [] } } },
    },
  ],
];

function request(): AnalyzeStackRequest {
  const resources = RESOURCES.map(([type, name, properties]) => {
    const resource = new AnalyzerResource();
    resource.setType(type);
    resource.setName(name);
    resource.setUrn(`urn:pulumi:prod::agentweave-mesh::${type}::${name}`);
    resource.setProperties(Struct.fromJavaScript(properties as Parameters<typeof Struct.fromJavaScript>[0]));
    resource.setOptions(new AnalyzerResourceOptions());
    return resource;
  });
  const asked = new AnalyzeStackRequest();
  asked.setResourcesList(resources);
  return asked;
}

it("judges what the engine tells of a stack, secrets and values that are not known included", async () => {
  const relaxed = [{ rule: "tags", resources: "azure-*", reason: "It goes tomorrow." }];
  const child = start({ policyPack: { relaxed }, tags: { owner: "platform" } });
  try {
    const [port] = (await once(child.stdout!, "data")) as [Buffer];
    const client = new AnalyzerClient(`127.0.0.1:${String(port).trim()}`, credentials.createInsecure());
    const answer = await new Promise<AnalyzeResponse>((resolve, reject) =>
      client.analyzeStack(request(), (error, response) => (error ? reject(error) : resolve(response))),
    );
    client.close();
    const told = answer.getDiagnosticsList().map((found) => found.toObject());
    expect(new Set(told.map(({ policypackversion }) => policypackversion))).toEqual(new Set([version]));
    const [advisory, mandatory] = [0, 1];
    const said = told.map((found) => [
      found.enforcementlevel,
      found.policyname,
      found.message.split("\n").at(-1),
      found.urn.split("::").at(-1),
    ]);
    expect(said).toEqual([
      [
        mandatory,
        "kubeconfig-tokens",
        "a-kubernetes has in kubeconfig a token of user u; use an exec plugin",
        "a-kubernetes",
      ],
      [mandatory, "protected-ca", expect.stringMatching(/^a-server may be deleted/), "a-server"],
      [
        advisory,
        "relaxed",
        "azure-group lacks the tags owner (tags is relaxed: It goes tomorrow.)",
        "azure-group",
      ],
      [
        advisory,
        "not-yet-known",
        "b-kubernetes, d-kubernetes, e-kubernetes and 1 more cannot be judged: kubeconfig is not known yet (kubeconfig-tokens)",
        "",
      ],
    ]);
    expect(JSON.stringify(told)).not.toContain("hunter2");
  } finally {
    child.kill();
    await once(child, "close");
  }
});

it("does not start for a stack that relaxes a rule without a reason", async () => {
  const child = start({ policyPack: { relaxed: [{ rule: "tags" }] } });
  let said = "";
  for (const stream of [child.stdout!, child.stderr!])
    stream.on("data", (text: Buffer) => (said += String(text)));
  const [code] = (await once(child, "close")) as [number];
  expect(code).not.toBe(0);
  expect(said).toMatch(/agentweave-mesh:policyPack\.relaxed\[0\]\.reason/);
});
