// Verifies a mesh: every cloud by itself, then every ordered pair. A library; the command line and the rehearsal call it.
import { orderedPairs } from "../../components/trust/pairs";
import { type Connect, connectKubernetes } from "../cluster";
import { DEFAULT_LIMIT_MS, eachOf } from "../limits";
import { cutsOf, withCuts } from "../links";
import { memberOf } from "../member";
import type { Mesh } from "../mesh-outputs";
import type { VerifyReport } from "../report";
import { verifyClouds } from "./cloud";
import { verifyPair } from "./pair";

export interface VerifyOptions {
  /** Longest time of each check, in milliseconds. Default 15,000. */
  readonly limitMs?: number;
  /** How clusters are reached. Default: through their kubeconfigs. */
  readonly connect?: Connect;
}

/**
 * Checks everything side by side. Never throws for what is wrong with the mesh: that is in the report, with cause and next
 * step. It changes nothing but this: each target fetches its peers' bundles, as it would by itself in its next poll.
 */
export async function verifyMesh(mesh: Mesh, options: VerifyOptions = {}): Promise<VerifyReport> {
  const { limitMs = DEFAULT_LIMIT_MS, connect = connectKubernetes } = options;
  const members = mesh.clouds.map((cloud) => memberOf(cloud, connect, limitMs));
  const [clouds, found] = await Promise.all([
    verifyClouds(members, mesh.network, limitMs),
    eachOf(orderedPairs(members), ({ target, source }) => verifyPair(target, source, limitMs)),
  ]);
  const cuts = cutsOf(mesh, clouds, found);
  const pairs = withCuts(found, cuts);
  const checks = [...clouds, ...pairs].flatMap((report): readonly { status: string }[] => report.checks);
  return { ok: checks.every(({ status }) => status !== "failed"), clouds, pairs, cuts };
}
