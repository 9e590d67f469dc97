// The proof that the clouds trust each other: for every ordered pair, what one stores against what the other serves now.
import { parseSpiffeBundle } from "../components/trust/bundle";
import { execInPod } from "../components/trust/exec";
import { orderedPairs } from "../components/trust/federation";
import { NAMESPACES, serverSpiffeId, SPIRE_SERVER } from "../components/well-known";
import type { Binaries } from "./build";
import { run } from "./processes";

const EXEC_LIMIT_MS = 30_000;

/** A cloud as the proof needs it. */
export interface ProvenCloud {
  name: string;
  trustDomain: string;
  /** Kubeconfig as text. */
  kubeconfig: string;
  /** URL of its bundle endpoint, as the stack's outputs have it. */
  bundleEndpoint: string;
}

/** One ordered pair. */
export interface Proof {
  target: string;
  source: string;
  /** Digest of the bundle that `target` stores for `source`; see `digest` of rehearsal/spire/cmd/bundle-probe. */
  stored?: string;
  /** Digest of the bundle that the endpoint of `source` serves now. */
  served?: string;
  /** Why the pair is not proven. */
  failure?: string;
  milliseconds: number;
}

/** The bundle that `target` stores for `source`, in SPIFFE format. */
async function storedBundle(target: ProvenCloud, source: ProvenCloud): Promise<string> {
  const { pod, container, binary, socket } = SPIRE_SERVER;
  const place = { cloud: target.name, namespace: NAMESPACES.spireServer, pod, container };
  const command = [binary, "bundle", "list", "-id", `spiffe://${source.trustDomain}`, "-format", "spiffe"];
  const result = await execInPod(
    place,
    target.kubeconfig,
    [...command, "-socketPath", socket],
    undefined,
    EXEC_LIMIT_MS,
  );
  if (result.exitCode !== 0)
    throw new Error(`${target.name}: spire-server bundle list: ${result.stderr.trim()}`);
  return result.stdout;
}

async function prove(target: ProvenCloud, source: ProvenCloud, programs: Binaries): Promise<Proof> {
  const started = Date.now();
  const proof: Proof = { target: target.name, source: source.name, milliseconds: 0 };
  try {
    const stored = await storedBundle(target, source);
    proof.stored = parseSpiffeBundle(stored, source.trustDomain, new Date()).digest;
    // Authenticated with the very bundle that the target stores: the probe sees what the target would.
    const flags = ["-url", source.bundleEndpoint, "-id", serverSpiffeId(source.trustDomain), "-bundle", "-"];
    const served = await run(programs["bundle-probe"]!, flags, { stdin: stored });
    proof.served = (JSON.parse(served) as { digest: string }).digest;
    if (proof.stored !== proof.served) proof.failure = "the bundle stored is not the one served";
  } catch (error) {
    proof.failure = (error as Error).message;
  }
  proof.milliseconds = Date.now() - started;
  return proof;
}

/** Every ordered pair, side by side. */
export function proveAll(clouds: readonly ProvenCloud[], programs: Binaries): Promise<Proof[]> {
  return Promise.all(orderedPairs(clouds).map(({ target, source }) => prove(target, source, programs)));
}
