import { differenceOf, type Json, type PlannedResource } from "../../../infra/plan/difference";

type Properties = PlannedResource["inputs"];

const VPC = "aws:ec2/vpc:Vpc";
const DEPLOYMENT = "kubernetes:apps/v1:Deployment";

const planned = (type: string, name: string, inputs: Properties, more: Partial<PlannedResource> = {}) => ({
  type,
  name,
  urn: `urn:pulumi:s::p::${type}::${name}`,
  inputs,
  ...more,
});

test("what only one of two plans has is made or deleted, by its URN", () => {
  const same = planned(VPC, "same", { cidrBlock: "10.0.0.0/16" });
  const [old, young] = ["parent", "other"].map((parent) =>
    planned(VPC, "moved", {}, { urn: `urn:pulumi:s::p::${parent}$${VPC}::moved` }),
  );
  const [gone, fresh] = [planned(VPC, "gone", {}), { type: VPC, name: "fresh", inputs: {} }];
  expect(differenceOf([gone, same, old!], [fresh, same, young!])).toEqual({
    made: [fresh, young],
    changed: [],
    replaced: [],
    deleted: [gone, old],
  });
});

const long = (end: string) => `${"a".repeat(100)}${end}${"b".repeat(100)}`;

test.each<[string, Json | undefined, Json | undefined, [path: string, before?: string, after?: string][]]>([
  [
    "nothing where only the order of keys differs",
    { a: 1, b: [{ c: 1, d: 2 }] },
    { b: [{ d: 2, c: 1 }], a: 1 },
    [],
  ],
  ["a number", 1, 2, [["p", "1", "2"]]],
  [
    "a value that came, and one that went",
    { a: true },
    { b: null },
    [
      ["p.a", "true"],
      ["p.b", undefined, "null"],
    ],
  ],
  ["a text that becomes a number", "80", 80, [["p", '"80"', "80"]]],
  ["keys that are no names", { "a.b/c": { d: "x" } }, { "a.b/c": { d: "y" } }, [['p["a.b/c"].d', "x", "y"]]],
  ["a whole value of another kind", { a: 1 }, [1], [["p", '{"a":1}', "[1]"]]],
  [
    "a long text, from where it differs on",
    long("1"),
    long("2"),
    [["p", `…${"a".repeat(20)}1${"b".repeat(57)}…`, `…${"a".repeat(20)}2${"b".repeat(57)}…`]],
  ],
  ["a long text that differs at once", "x".repeat(81), "y", [["p", `${"x".repeat(79)}…`, "y"]]],
  [
    "a text of several lines, by the first that differs",
    "a\nb\nc",
    "a\nB\tx\nc\nd",
    [["p", "line 2 of 3: b", "line 2 of 4: B x"]],
  ],
  ["lines that came at the end", "a\n", "a\nb\n", [["p", "line 2 of 2: ", "line 2 of 3: b"]]],
  ["nothing that a terminal obeys", "a", "\u001b[31mred\r", [["p", "a", " [31mred "]]],
  ["a secret, only that it is one", { secret: "d1" }, { secret: "d2" }, [["p", "[secret]", "[secret]"]]],
  ["nothing of a secret with the same digest", { secret: "d1" }, { secret: "d1" }, []],
  ["what becomes a secret, not as it was", "hunter2", { secret: "d1" }, [["p", "[secret]", "[secret]"]]],
  ["what is a secret no more, not as it is", { secret: "d1" }, "hunter2", [["p", "[secret]", "[secret]"]]],
  [
    "secrets within what came",
    undefined,
    [{ a: { secret: "d1" } }],
    [["p", undefined, '[{"a":"[secret]"}]']],
  ],
  [
    "a property that is called secret",
    { secret: { name: "a" } },
    { secret: { name: "b" } },
    [["p.secret.name", "a", "b"]],
  ],
  ["what is not known yet", "a", { unknown: true }, [["p", "a", "[unknown]"]]],
  ["nothing of what is known in neither", { unknown: true }, { unknown: true }, []],
  ["an item in the middle of a list", ["a", "b", "c"], ["a", "x", "b", "c"], [["p[1]", undefined, "x"]]],
  ["an item that went", ["a", "b", "b", "c"], ["a", "b", "c"], [["p[2]", "b"]]],
  [
    "another item, and one more",
    ["a", "b", "z"],
    ["a", "x", "y", "z"],
    [
      ["p[1]", "b", "x"],
      ["p[2]", undefined, "y"],
    ],
  ],
  [
    "another order",
    ["a", "b"],
    ["b", "a"],
    [
      ["p[0]", "a", "b"],
      ["p[1]", "b", "a"],
    ],
  ],
  [
    "items by their names",
    [
      { name: "a", v: 1 },
      { name: "b", v: 1 },
      { name: "c", v: 1 },
    ],
    [
      { name: "x", v: 1 },
      { name: "a", v: 2 },
      { name: "c", v: 1 },
    ],
    [
      ["p[0]", undefined, '{"name":"x","v":1}'],
      ["p[1].v", "1", "2"],
      ["p[1]", '{"name":"b","v":1}'],
    ],
  ],
  [
    "items with names in another order",
    [{ name: "a" }, { name: "b" }],
    [{ name: "b" }, { name: "a" }],
    [
      ["p[0].name", "a", "b"],
      ["p[1].name", "b", "a"],
    ],
  ],
  [
    "items of the same name by their place",
    [
      { name: "a", v: 1 },
      { name: "a", v: 2 },
    ],
    [
      { name: "a", v: 1 },
      { name: "a", v: 3 },
    ],
    [["p[1].v", "2", "3"]],
  ],
])("a change shows %s", (_, before, after, changes) => {
  const [old, young] = [before, after].map((value) =>
    planned(DEPLOYMENT, "d", { kept: 1, ...(value !== undefined && { p: value }) }),
  );
  const { changed } = differenceOf([old!], [young!]);
  const found = changed.flatMap((resource) =>
    resource.changes.map(({ path, before, after }) => [path, before, after]),
  );
  expect(found).toEqual(changes.map(([path, before, after]) => [path, before, after]));
});

test.each<[string, PlannedResource, PlannedResource, forcedBy: string[], deletedFirst: boolean]>([
  [
    "no property that may change",
    planned(VPC, "v", { tags: {} }),
    planned(VPC, "v", { tags: { a: "b" } }),
    [],
    false,
  ],
  [
    "the property that may not",
    planned(VPC, "v", { cidrBlock: "10.0.0.0/16", tags: {} }),
    planned(VPC, "v", { cidrBlock: "10.1.0.0/16", tags: { a: "b" } }),
    ["cidrBlock"],
    false,
  ],
  [
    "what came with such a property in it",
    planned("gcp:container/nodePool:NodePool", "n", {}),
    planned("gcp:container/nodePool:NodePool", "n", { nodeConfig: { diskSizeGb: 1, spot: true } }),
    ["nodeConfig"],
    false,
  ],
  [
    "nothing of what came with none in it",
    planned("gcp:container/nodePool:NodePool", "n", {}),
    planned("gcp:container/nodePool:NodePool", "n", { nodeConfig: { diskSizeGb: 1 } }),
    [],
    false,
  ],
  [
    "what may be such a property once it is known",
    planned("gcp:container/nodePool:NodePool", "n", { nodeConfig: { spot: true } }),
    planned("gcp:container/nodePool:NodePool", "n", { nodeConfig: { unknown: true } }),
    ["nodeConfig"],
    false,
  ],
  [
    "a fixed name's selector, the old one first",
    planned(DEPLOYMENT, "d", {
      metadata: { name: "d" },
      spec: { replicas: 1, selector: { matchLabels: { app: "a" } } },
    }),
    planned(DEPLOYMENT, "d", {
      metadata: { name: "d" },
      spec: { replicas: 2, selector: { matchLabels: { app: "b" } } },
    }),
    ["spec.selector.matchLabels.app"],
    true,
  ],
  [
    "what its options say",
    planned(DEPLOYMENT, "d", { metadata: { annotations: { "a/b": "1" } } }),
    planned(
      DEPLOYMENT,
      "d",
      { metadata: { annotations: { "a/b": "2" } } },
      { replaceOnChanges: ['metadata.annotations["a/b"]'] },
    ),
    ['metadata.annotations["a/b"]'],
    false,
  ],
])("a resource is replaced for %s", (_, before, after, forcedBy, deletedFirst) => {
  const { changed, replaced } = differenceOf([before], [after]);
  expect(changed).toHaveLength(forcedBy.length === 0 ? 1 : 0);
  expect(replaced.map((resource) => [resource.forcedBy, resource.deletedFirst])).toEqual(
    forcedBy.length === 0 ? [] : [[forcedBy, deletedFirst]],
  );
});

test("what the engine passes over is no change, and replaces nothing", () => {
  const ignoreChanges = ["cidrBlock", "list[*].a"];
  const [old, young] = ["10.0.0.0/16", "10.1.0.0/16"].map((cidrBlock) =>
    planned(VPC, "v", { cidrBlock, list: [{ a: cidrBlock, b: cidrBlock }] }, { ignoreChanges }),
  );
  const { changed, replaced } = differenceOf([old!], [young!]);
  expect(replaced).toEqual([]);
  expect(changed.map(({ changes }) => changes.map(({ path }) => path))).toEqual([["list[0].b"]]);
});
