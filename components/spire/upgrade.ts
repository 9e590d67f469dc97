// SPIRE takes its minor versions one at a time: what a server may be changed to, and who is asked before it is.
import * as pulumi from "@pulumi/pulumi";
import type { types } from "@pulumi/kubernetes";

/** Major and minor version in the tag of an image; undefined where no tag says it. */
function minorOf(image: string): { readonly major: number; readonly minor: number } | undefined {
  const tag = /:v?(\d+)\.(\d+)\.\d+[\w.-]*(@|$)/.exec(image.slice(image.lastIndexOf("/") + 1));
  return tag ? { major: Number(tag[1]), minor: Number(tag[2]) } : undefined;
}

/**
 * What is wrong with changing a server's image from `running` to `wanted`; undefined where nothing is. SPIRE supports a change by one minor version,
 * and its server refuses the tables of an older one (SPIRE, doc/upgrading.md, and `migrateDB` of pkg/server/datastore/sqlstore/migration.go).
 * Where a tag has no version, nobody can tell, and nothing is wrong.
 *
 * @param settled false while the change to `running` has not reached every pod: what one has may be older then. Default: true.
 */
export function upgradeProblem(running: string, wanted: string, settled = true): string | undefined {
  const [from, to] = [minorOf(running), minorOf(wanted)];
  if (!from || !to) return undefined;
  const said = ({ major, minor }: typeof from) => `${major}.${minor}`;
  if (from.major !== to.major)
    return `SPIRE ${said(from)} runs and ${said(to)} is wanted: the change to another major version is not known here; read SPIRE's doc/upgrading.md`;
  const step = Math.sign(to.minor - from.minor);
  if (Math.abs(to.minor - from.minor) > 1) {
    const next = said({ major: from.major, minor: from.minor + step });
    return `SPIRE ${said(from)} runs and ${said(to)} is wanted, but SPIRE takes one minor version at a time: set images.overrides.spireServer and images.overrides.spireAgent to ${next}, run pulumi up, and go on from there (docs/upgrading.md)`;
  }
  if (step > 0 && !settled)
    return `the change to SPIRE ${said(from)} has not reached every pod of the server: mend that first (images.overrides.spireServer), run pulumi up --refresh, and then go on to ${said(to)}`;
  return undefined;
}

/** What is wrong with agents of one image at a server of another: they are of its minor version or the one before (SPIRE, doc/upgrading.md). */
export function agentProblem(server: string, agent: string): string | undefined {
  const [of, at] = [minorOf(agent), minorOf(server)];
  if (!of || !at || (of.major === at.major && [0, 1].includes(at.minor - of.minor))) return undefined;
  return `SPIRE agents of ${of.major}.${of.minor} do not go with a server of ${at.major}.${at.minor}: set images.overrides.spireAgent to the same minor version, or to the one before`;
}

type StatefulSet = Pick<types.output.apps.v1.StatefulSet, "spec" | "status">;

const imageIn = ({ spec }: StatefulSet) => spec.template.spec?.containers[0]?.image ?? "";

/** Fails where the server's new image is not one that the one before may be changed to. What the engine asks before it changes the StatefulSet `name`. */
export const refuseSkipped =
  (name: string): pulumi.ResourceHookFunction =>
  ({ oldOutputs, newInputs }) => {
    const running = oldOutputs as StatefulSet;
    const { currentRevision, updateRevision } = running.status ?? {};
    const settled = currentRevision === updateRevision;
    const problem = upgradeProblem(imageIn(running), imageIn(newInputs as StatefulSet), settled);
    if (problem) throw new Error(`${name}: ${problem}`);
  };

/**
 * Has a preview and an `up` refuse a server whose version is not the next one. A hook of the engine's, since only the engine knows what runs; undefined on
 * Pulumi's mocks, which take none (pulumi/pulumi, sdk/nodejs/runtime/mocks.ts) and on which nothing runs.
 */
export function oneMinorAtATime(name: string): pulumi.ResourceHookBinding | undefined {
  const monitor = pulumi.runtime.getMonitor() as object | undefined;
  if (!monitor || !("registerResourceHook" in monitor)) return undefined;
  return {
    beforeUpdate: [new pulumi.ResourceHook(`${name}-upgrade`, refuseSkipped(name), { onDryRun: true })],
  };
}
