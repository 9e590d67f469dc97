// Envoy's configuration of every agent and relay, as the program renders it, read by Envoy itself.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { NETWORK_MODES } from "../../components/network/mode";
import { envoyContent } from "../../components/workloads/envoy/text";
import { planOf } from "../../infra/plan/plan";
import { run } from "../../rehearsal/processes";
import { programPath } from "../support/programs";

const dir = mkdtempSync(path.join(tmpdir(), "envoy-config-"));
afterAll(() => rmSync(dir, { recursive: true }));

const agents = { roles: { worker: { image: "registry.example.org/worker:1.0.0", protocol: "http" } } };

test.each(["dev", "prod"].flatMap((stack) => NETWORK_MODES.map((mode) => [stack, mode] as const)))(
  "stack %s in mode %s: Envoy takes each configuration without a warning",
  async (stack, mode) => {
    const texts = (await planOf(stack, { mode, changed: { agents } })).resources.flatMap(
      ({ inputs: { recipe, data } }) =>
        recipe?.name === "envoy"
          ? Object.values(envoyContent(recipe.args).data)
          : (data?.["envoy.yaml"] ?? []),
    );
    // Of six agents, three collectors and the trace store.
    expect(texts.length).toBe(10);
    for (const [index, text] of texts.entries()) {
      const file = path.join(dir, `${stack}-${mode}-${index}.yaml`);
      writeFileSync(file, text);
      const said = await run(await programPath("envoy"), [
        ...["--mode", "validate", "--config-path", file, "--log-level", "warning"],
      ]);
      expect(said.trim()).toBe(`configuration '${file}' OK`);
    }
  },
  180_000,
);
