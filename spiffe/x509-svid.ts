// Messages of the SPIFFE Workload API (its X.509 part), from protobuf to an identity.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { Identity } from "./source";

/** One SVID of a response. */
export interface X509Svid {
  readonly spiffeId: string;
  /** DER certificates one after the other, leaf first. */
  readonly certificates: Uint8Array;
  /** PKCS#8 in DER. */
  readonly key: Uint8Array;
  /** DER roots of its trust domain, one after the other. */
  readonly bundle: Uint8Array;
}

/** `X509SVIDResponse` without what an agent has no use for (CRLs, hints). */
export interface X509SvidResponse {
  readonly svids: readonly X509Svid[];
  /** DER roots by the SPIFFE id of another trust domain. */
  readonly federatedBundles: ReadonlyMap<string, Uint8Array>;
}

/** Length-delimited fields of a message by their number; others are skipped, as protobuf asks. */
function fields(message: Uint8Array): { number: number; value: Uint8Array }[] {
  const reader = new BinaryReader(message);
  const found: { number: number; value: Uint8Array }[] = [];
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (type === WireType.LengthDelimited) found.push({ number, value: reader.bytes() });
    else reader.skip(type, number);
  }
  return found;
}

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("utf8");
const NOTHING = new Uint8Array();

/** Fields of which a message has one: the last counts. */
function single(message: Uint8Array): Map<number, Uint8Array> {
  return new Map(fields(message).map(({ number, value }) => [number, value]));
}

/** Reads an `X509SVIDResponse`. Throws when it is no protobuf. */
export function decodeX509SvidResponse(message: Uint8Array): X509SvidResponse {
  const all = fields(message);
  const valuesOf = (wanted: number) => all.flatMap(({ number, value }) => (number === wanted ? [value] : []));
  return {
    svids: valuesOf(1).map((value) => {
      const svid = single(value);
      return {
        spiffeId: text(svid.get(1)),
        certificates: svid.get(2) ?? NOTHING,
        key: svid.get(3) ?? NOTHING,
        bundle: svid.get(4) ?? NOTHING,
      };
    }),
    federatedBundles: new Map(
      valuesOf(3).map((value) => {
        const entry = single(value);
        return [text(entry.get(1)), entry.get(2) ?? NOTHING];
      }),
    ),
  };
}

/** Length of the DER element at the start of `bytes`, its header included. */
function derLength(bytes: Buffer): number {
  const first = bytes[1] ?? 0;
  if (first < 0x80) return 2 + first;
  const size = first & 0x7f;
  if (size === 0 || size > 4 || bytes.length < 2 + size) throw new Error("a certificate is cut off");
  return 2 + size + bytes.readUIntBE(2, size);
}

/** Certificates that stand one after the other, without anything between them. */
function splitCertificates(der: Uint8Array): X509Certificate[] {
  const certificates: X509Certificate[] = [];
  for (let rest = Buffer.from(der); rest.length > 0;) {
    const length = derLength(rest);
    if (length > rest.length) throw new Error("a certificate is cut off");
    certificates.push(new X509Certificate(rest.subarray(0, length)));
    rest = rest.subarray(length);
  }
  return certificates;
}

const pems = (der: Uint8Array) => splitCertificates(der).map((certificate) => certificate.toString());

/**
 * The identity in a response.
 * @param wanted which of the SVIDs; default: the first.
 * @throws Error that says what is missing or wrong.
 */
export function identityOf({ svids, federatedBundles }: X509SvidResponse, wanted?: string): Identity {
  const svid = svids.find(({ spiffeId }) => wanted === undefined || spiffeId === wanted);
  if (!svid) {
    const given = svids.map(({ spiffeId }) => spiffeId).join(", ") || "none";
    throw new Error(`there is no SVID for ${wanted ?? "this workload"}; given: ${given}`);
  }
  const [leaf, ...chain] = splitCertificates(svid.certificates);
  if (!leaf) throw new Error(`the SVID of ${svid.spiffeId} has no certificate`);
  const key = createPrivateKey({ key: Buffer.from(svid.key), format: "der", type: "pkcs8" });
  if (!leaf.checkPrivateKey(key)) throw new Error(`the key is not that of the SVID of ${svid.spiffeId}`);
  const trustDomain = (id: string) => id.replace(/^spiffe:\/\//, "").replace(/\/.*$/, "");
  const bundles = new Map([...federatedBundles].map(([id, der]) => [trustDomain(id), pems(der)]));
  return {
    spiffeId: svid.spiffeId,
    certificates: [leaf, ...chain].map((certificate) => certificate.toString()).join(""),
    key: key.export({ format: "pem", type: "pkcs8" }) as string,
    notAfter: new Date(leaf.validTo),
    // The own bundle last: nobody else speaks for this trust domain.
    bundles: bundles.set(trustDomain(svid.spiffeId), pems(svid.bundle)),
  };
}
