// The operator's identity: minted by a cloud's SPIRE server through exec, short-lived, its key in this process's memory only.
import { X509Certificate } from "node:crypto";
import { z } from "zod";
import type { Identity } from "../spiffe/source";
import { operatorSpiffeId } from "../spiffe/spiffe-id";
import type { Cluster } from "./cluster";
import { CliError, lineOf } from "./errors";
import type { MeshCloud } from "./mesh-outputs";
import { pemOf } from "../spiffe/pem";
import { runInServer } from "./spire";

/** Long enough for one run of the command line. */
const TTL = "5m";

const der = z.base64().min(1);

// What `x509 mint -output json` prints (SPIRE, cmd/spire-server/cli/x509/mint.go), until 1.14 as the one element of a list: DER in base64, the key as PKCS #8.
const mintedSchema = z.preprocess(
  (printed) => (Array.isArray(printed) ? (printed[0] as unknown) : printed),
  z.object({
    x509_svid: z.array(der).min(1),
    private_key: der,
    root_cas: z.array(der).min(1),
  }),
);

/**
 * Reads what `spire-server x509 mint -output json` printed.
 *
 * @throws CliError without a word of the text, which holds a private key.
 */
export function parseMinted(text: string, spiffeId: string, trustDomain: string): Identity {
  const unreadable = new CliError("spire-server x509 mint printed no identity. Is it SPIRE 1.14 or newer?");
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw unreadable;
  }
  const parsed = mintedSchema.safeParse(document);
  if (!parsed.success) throw unreadable;
  const { x509_svid: chain, private_key: key, root_cas: roots } = parsed.data;
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(Buffer.from(chain[0]!, "base64"));
  } catch {
    throw unreadable;
  }
  return {
    spiffeId,
    certificates: chain.map((each) => pemOf("CERTIFICATE", each)).join(""),
    key: pemOf("PRIVATE KEY", key),
    notAfter: new Date(leaf.validTo),
    bundles: new Map([[trustDomain, roots.map((each) => pemOf("CERTIFICATE", each))]]),
  };
}

/**
 * Has the cloud's SPIRE server mint the operator's identity. It is told to this process alone, over the exec connection.
 *
 * @throws an error with the server's own words when it refuses.
 */
export async function mintOperator(cloud: MeshCloud, cluster: Cluster, limitMs: number): Promise<Identity> {
  const spiffeId = operatorSpiffeId(cloud.trustDomain);
  const command = ["x509", "mint", "-spiffeID", spiffeId, "-ttl", TTL, "-output", "json"];
  const { exitCode, stdout, stderr } = await runInServer(cluster, limitMs)(command);
  if (exitCode !== 0) {
    // Its standard output may hold a key and is not repeated.
    throw new CliError(`${cloud.name}: spire-server x509 mint failed (exit ${exitCode}): ${lineOf(stderr)}`);
  }
  return parseMinted(stdout, spiffeId, cloud.trustDomain);
}
