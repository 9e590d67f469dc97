// Envoy's configuration of every agent and relay, as the program renders it, read by Envoy itself.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { NETWORK_MODES } from "../../components/network/mode";
import { planOf } from "../../infra/plan/plan";
import { run } from "../../rehearsal/processes";
import { programPath } from "../support/programs";

const dir = mkdtempSync(path.join(tmpdir(), "envoy-config-"));
afterAll(() => rmSync(dir, { recursive: true }));

const agents = { roles: { agent: { image: "registry.example.org/agent:1.0.0" } } };

test.each(["dev", "prod"].flatMap((stack) => NETWORK_MODES.map((mode) => [stack, mode] as const)))(
  "stack %s in mode %s: Envoy takes each configuration without a warning",
  async (stack, mode) => {
    const texts = (await planOf(stack, mode, { agents }))
      .map(({ inputs }) => (inputs.data as Record<string, string> | undefined)?.["envoy.yaml"])
      .filter((text) => text !== undefined);
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
