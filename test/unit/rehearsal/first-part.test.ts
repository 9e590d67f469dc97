// What a rehearsal can prove before everything is there that it shows the mesh with.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { resolveImages } from "../../../components/images";
import { configOf, firstPart, imageFolder, rehearsalOf } from "../../../rehearsal/rehearsal";

const STACK = path.resolve(__dirname, "../../../Pulumi.rehearsal.yaml");

describe("the first part of a rehearsal", () => {
  let project: string;
  beforeEach(() => {
    project = mkdtempSync(path.join(tmpdir(), "first-"));
    cpSync(STACK, path.join(project, path.basename(STACK)));
  });
  afterEach(() => rmSync(project, { recursive: true }));

  const { prometheus, jaeger, grafana, otelCollector } = resolveImages({ digests: false });
  const shows = [prometheus, jaeger, grafana, otelCollector];
  /** Has these images in the registry's storage. */
  function store(references: readonly string[]): void {
    const folder = imageFolder({ project });
    mkdirSync(folder, { recursive: true });
    const done = Object.fromEntries(references.map((reference) => [reference, { reference }]));
    writeFileSync(`${folder}.json`, JSON.stringify(done));
  }

  test.each([
    ["none of the images", [] as string[]],
    ["all but one", shows.slice(1)],
  ])("is the same mesh without what shows it, where there is %s of that", (_what, images) => {
    store(images);
    const whole = rehearsalOf(project);
    const first = firstPart(whole)!;
    const { observability, ...mesh } = configOf(whole);
    expect(observability).toBeDefined();
    expect(configOf(first)).toEqual({ ...mesh, observability: undefined });
    expect({ ...first, config: whole.config }).toEqual(whole);
  });

  test("is nothing of its own where a mesh stands, which keeps what shows it, or where a tailnet's policy knows of that", () => {
    store([]);
    const whole = rehearsalOf(project);
    expect(firstPart({ ...whole, mode: "tailscale" })).toBeUndefined();
    expect(firstPart(whole)).toBeDefined();
    writeFileSync(path.join(whole.root, "outputs.json"), "{}");
    expect(firstPart(whole)).toBeUndefined();
  });

  test("is nothing of its own where all images are there", () => {
    store(shows);
    expect(firstPart(rehearsalOf(project))).toBeUndefined();
  });
});
