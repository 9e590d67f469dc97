import { readFileSync } from "node:fs";
import * as path from "node:path";
import { load } from "js-yaml";
import { parseConfig } from "../../infra/config";
import { settingsReference, withReference } from "../../infra/reference/settings";

const document = readFileSync(path.resolve(__dirname, "../../docs/configuration.md"), "utf8");

test("the tables of docs/configuration.md are up to date (npm run schema)", () => {
  expect(withReference(document)).toBe(document);
});

test("every setting has a meaning", () => {
  const rows = settingsReference()
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  expect(rows.length).toBeGreaterThan(50);
  expect(rows.filter((row) => / \|\s+\|$/.test(row))).toEqual([]);
});

test("a document without the marks is refused", () => {
  expect(() => withReference("# Configuration")).toThrow("no marks between which the settings belong");
});

test("the mistakes of docs/configuration.md print what it says", () => {
  const [, example] = /## A configuration with mistakes\s+```yaml\n(.*?)```/s.exec(document)!;
  const [, printed] = /```text\n(.*?)\n```/s.exec(document)!;
  const { config } = load(example!) as { config: Record<string, unknown> };
  const raw = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key.slice("agentweave-mesh:".length), value]),
  );
  expect(() => parseConfig(raw, { stack: "staging", projectDir: "/srv/agentweave-mesh" })).toThrow(
    expect.objectContaining({ message: printed }),
  );
});
