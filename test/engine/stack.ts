// The stack of a test's rehearsal: its own clouds, with what Pulumi.rehearsal.yaml says of everything else.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { dump, load } from "js-yaml";
import type { Rehearsal } from "../../rehearsal/rehearsal";

export const PROJECT = path.resolve(__dirname, "../..");

/** As in the tutorial: an orchestrator in one cloud, workers in the others. */
export const ROLES: Readonly<Record<string, readonly string[]>> = {
  aws: ["agent", "orchestrator"],
  gcp: ["agent", "worker"],
  azure: ["agent", "worker"],
  onprem: ["agent"],
};

/** Writes a stack of clouds of these names, each with address ranges of its own. */
export function writeStack(
  { config, root }: Pick<Rehearsal, "config" | "root">,
  names: readonly string[],
): void {
  const clouds = Object.fromEntries(
    names.map((name) => {
      const second = 60 + 2 * Object.keys(ROLES).indexOf(name);
      return [
        name,
        {
          provider: "existing",
          kubeconfig: path.join(root, name, "kubeconfig"),
          region: `region-of-${name}`,
          roles: ROLES[name],
          podCidr: `10.${second}.0.0/16`,
          serviceCidr: `10.${second + 1}.0.0/16`,
        },
      ];
    }),
  );
  const file = readFileSync(path.join(PROJECT, "Pulumi.rehearsal.yaml"), "utf8");
  const { config: entries } = load(file) as { config: Record<string, unknown> };
  writeFileSync(config, dump({ config: { ...entries, "agentweave-mesh:clouds": clouds } }));
}
