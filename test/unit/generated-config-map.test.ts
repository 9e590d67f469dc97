// The provider of GeneratedConfigMap against a stand-in for an API server, on loopback.
import { gzipSync } from "node:zlib";
import {
  digestOf,
  type GeneratedConfigMapInputs,
  makeGeneratedConfigMapProvider,
} from "../../components/kubernetes/generated-config-map-provider";
import { KubernetesApi, OPERATOR } from "../support/kubernetes-api";

const packed = (text: string, level = 9) => gzipSync(text, { level }).toString("base64");
/** What the checkout has. */
let program = "v1";
const content = () => ({ binaryData: { "program.js.gz": packed(program) } });
const provider = makeGeneratedConfigMapProvider({
  program: content,
  rules: () => ({}),
  opa: () => ({}),
  envoy: () => ({}),
  dashboards: ({ title }: { title: string }) => ({ data: { "mesh.json": title } }),
});

let api: KubernetesApi;
// It is large, and the provider loads it with its first request.
beforeAll(() => import("@kubernetes/client-node"), 5 * 60_000);
beforeEach(async () => {
  program = "v1";
  api = await KubernetesApi.start();
});
afterEach(() => api.stop());

const inputs = (more: Partial<GeneratedConfigMapInputs> = {}): GeneratedConfigMapInputs => ({
  cloud: "aws",
  kubeconfig: api.kubeconfig(),
  object: { namespace: "observability", name: "program" },
  labels: { of: "ours" },
  recipe: { name: "program", args: {} },
  digest: digestOf(content()),
  ...more,
});
const standing = () => api.configMaps.get("program");

test("its content is brought into the cluster, and is not in the state", async () => {
  const { id, outs } = await provider.create(inputs());
  expect(id).toBe("aws/observability/program");
  expect(standing()).toMatchObject({ metadata: { labels: { of: "ours" } }, ...content() });
  expect(JSON.stringify(outs)).not.toContain(content().binaryData["program.js.gz"]);
  const dashboards = { recipe: { name: "dashboards" as const, args: { title: "t" } } };
  await provider.create(inputs({ ...dashboards, digest: digestOf({ data: { "mesh.json": "t" } }) }));
  expect(standing()).toMatchObject({ data: { "mesh.json": "t" } });
});

test("it is not written with files that changed since the program read them", async () => {
  const before = inputs();
  program = "v2";
  await expect(provider.create(before)).rejects.toThrow(
    /^aws: the files of ConfigMap observability\/program changed/,
  );
  expect(api.asked).toEqual([]);
});

describe("a change", () => {
  const diff = (olds: GeneratedConfigMapInputs, news: GeneratedConfigMapInputs) =>
    provider.diff("id", olds, news);

  test("is what its content is made of; nothing else is one", async () => {
    const olds = inputs();
    expect(await diff(olds, inputs())).toEqual({ changes: false, replaces: [] });
    program = "v2";
    expect(await diff(olds, inputs())).toEqual({ changes: true, replaces: [] });
    expect(await diff(olds, { ...olds, labels: {} })).toEqual({ changes: true, replaces: [] });
  });

  test("of its place makes another one", async () => {
    const object = { namespace: "observability", name: "other" };
    expect(await diff(inputs(), inputs({ object }))).toEqual({ changes: true, replaces: ["object"] });
  });

  test("is no other packing of the same text", () => {
    const text = "the same text ".repeat(100);
    const [fast, small] = [1, 9].map((level) => digestOf({ binaryData: { file: packed(text, level) } }));
    expect(fast).toBe(small);
    expect(digestOf({ binaryData: { file: packed(`${text}.`) } })).not.toBe(small);
    expect(digestOf({ data: { file: text } })).toBe(small);
  });

  test("is written over what stands there", async () => {
    await provider.create(inputs());
    program = "v2";
    await provider.update("id", inputs(), inputs());
    expect(standing()).toMatchObject(content());
  });
});

describe("a refresh", () => {
  test("finds it as it was made", async () => {
    const { id, outs } = await provider.create(inputs());
    expect(await provider.read(id, outs)).toEqual({ id, props: outs, inputs: outs });
  });

  test("sees that it is gone", async () => {
    const { id, outs } = await provider.create(inputs());
    api.configMaps.clear();
    expect((await provider.read(id, outs)).id).toBe("");
  });

  test.each([
    ["another text", packed("tampered")],
    ["no gzip file", "bm9uZQ=="],
  ])("sees that somebody wrote something else, which the next update mends: %s", async (_what, file) => {
    const { id, outs } = await provider.create(inputs());
    api.configMaps.set("program", { metadata: {}, binaryData: { "program.js.gz": file } });
    const { props } = await provider.read(id, outs);
    expect(await provider.diff(id, props, inputs())).toEqual({ changes: true, replaces: [] });
  });

  test("sees what somebody added or took away, which the next update mends", async () => {
    const { id, outs } = await provider.create(inputs());
    const { labels } = inputs();
    const changes = [
      { metadata: { labels }, ...content(), data: { "more.yml": "more" } },
      { metadata: {}, ...content() },
    ];
    for (const change of changes) {
      api.configMaps.set("program", change);
      const { props } = await provider.read(id, outs);
      expect(await provider.diff(id, props, inputs())).toEqual({ changes: true, replaces: [] });
      await provider.update(id, props, inputs());
      expect(await provider.read(id, outs)).toEqual({ id, props: outs, inputs: outs });
      expect(standing()).not.toHaveProperty("data");
    }
  });

  test("takes labels of others for theirs", async () => {
    const { id, outs } = await provider.create(inputs());
    api.configMaps.set("program", {
      metadata: { labels: { ...inputs().labels, of_others: "yes" } },
      ...content(),
    });
    expect(await provider.read(id, outs)).toEqual({ id, props: outs, inputs: outs });
  });

  test("unpacks no bomb", async () => {
    const { id, outs } = await provider.create(inputs());
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024)).toString("base64");
    api.configMaps.set("program", { metadata: {}, binaryData: { "program.js.gz": bomb } });
    expect((await provider.read(id, outs)).props.digest).toBe("");
  });

  test("fails when the API server cannot be asked", async () => {
    const { id, outs } = await provider.create(inputs());
    api.refusals.push(403);
    await expect(provider.read(id, outs)).rejects.toThrow(/^aws: .*HTTP 403 when asked to read ConfigMap/);
  });
});

test("it leaves, and is content when it has left already", async () => {
  const { id, outs } = await provider.create(inputs());
  await provider.delete(id, outs);
  expect(standing()).toBeUndefined();
  await provider.delete(id, outs);
});

test("its errors quote neither what was written nor how it was let in", async () => {
  api.refusals.push(422);
  const error = await provider.create(inputs()).then(
    () => undefined,
    (thrown: Error) => `${thrown.message} ${JSON.stringify(thrown)}`,
  );
  expect(error).toContain("HTTP 422");
  expect(error).not.toContain(OPERATOR);
  expect(error).not.toContain(content().binaryData["program.js.gz"]);
});
