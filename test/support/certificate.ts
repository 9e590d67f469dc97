// X.509 certificates for tests, written as DER (RFC 5280), because Node can read certificates but not make them.
import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";

const tlv = (tag: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  const length =
    body.length < 128
      ? [body.length]
      : body.length < 256
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const sequence = (...parts: Buffer[]) => tlv(0x30, ...parts);
const octets = (part: Buffer) => tlv(0x04, part);
const bits = (part: Buffer) => tlv(0x03, Buffer.from([0]), part);
const oid = (hex: string) => tlv(0x06, Buffer.from(hex, "hex"));
const TRUE = Buffer.from([0x01, 0x01, 0xff]);
const generalizedTime = (time: Date) =>
  tlv(0x18, Buffer.from(`${time.toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`));

export interface CertificateOptions {
  /** URI SANs; undefined leaves the extension out. */
  uri?: string | string[];
  /** IPv4 address SAN. Default: none. */
  ip?: string;
  /** DNS name SAN. Default: none. */
  dns?: string;
  /** Default: the start of 2020. */
  notBefore?: Date;
  /** Default: a week from now. */
  notAfter?: Date;
  /** Default true. */
  ca?: boolean;
  /** Key usage as RFC 5280 has its bits, for example 0x80 for digitalSignature; undefined leaves the extension out. Default: what suits `ca`. */
  keyUsage?: number | undefined;
  /** Length of an RSA key. Default: the key is of P-256. */
  rsaBits?: number;
  /** Common name of its subject. Default: none; all have the same name, as those of SPIRE do. */
  commonName?: string;
  /** Whose key signs it. Default: its own. */
  issuer?: Certificate;
}

/** A certificate with the private key of its subject. */
export interface Certificate {
  readonly der: Buffer;
  readonly key: KeyObject;
  /** Subject key identifier. */
  readonly keyId: Buffer;
}

const extension = (id: string, value: Buffer, ...critical: Buffer[]) =>
  sequence(oid(id), ...critical, octets(value));

const keyUsageOf = (bits: number) => {
  const unused = Math.max(0, Math.log2(bits & -bits));
  return extension("551d0f", tlv(0x03, Buffer.from([unused, bits])), TRUE);
};

/** A new certificate with a new key. Key identifiers tell authorities apart. */
export function issue(options: CertificateOptions = {}): Certificate {
  const {
    uri,
    ip,
    dns,
    notBefore = new Date("2020-01-01T00:00:00Z"),
    notAfter = new Date(Date.now() + 7 * 86_400_000),
    ca = true,
    issuer,
    rsaBits,
    commonName,
  } = options;
  // A CA signs certificates and lists of revoked ones, a leaf its handshakes.
  const keyUsage = "keyUsage" in options ? options.keyUsage : ca ? 0x86 : 0x80;
  const { publicKey, privateKey } =
    rsaBits === undefined
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: rsaBits });
  const spki = publicKey.export({ format: "der", type: "spki" });
  const keyId = createHash("sha256").update(spki).digest().subarray(0, 20);
  const algorithm = sequence(oid("2a8648ce3d040302")); // ecdsa-with-SHA256
  const attribute = (id: string, value: string) =>
    tlv(0x31, sequence(oid(id), tlv(0x0c, Buffer.from(value))));
  const organization = attribute("55040a", "SPIFFE");
  const name = sequence(organization);
  const subject = commonName === undefined ? name : sequence(organization, attribute("550403", commonName));
  const names = [
    ...[uri ?? []].flat().map((each) => tlv(0x86, Buffer.from(each))),
    ...(dns === undefined ? [] : [tlv(0x82, Buffer.from(dns))]),
    ...(ip === undefined ? [] : [tlv(0x87, Buffer.from(ip.split(".").map(Number)))]),
  ];
  const body = sequence(
    tlv(0xa0, tlv(0x02, Buffer.from([2]))), // version 3
    tlv(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    name,
    sequence(generalizedTime(notBefore), generalizedTime(notAfter)),
    subject,
    spki,
    tlv(
      0xa3,
      sequence(
        extension("551d13", ca ? sequence(TRUE) : sequence(), TRUE), // basic constraints
        ...(keyUsage === undefined ? [] : [keyUsageOf(keyUsage)]),
        extension("551d0e", octets(keyId)), // subject key identifier
        extension("551d23", sequence(tlv(0x80, issuer?.keyId ?? keyId))), // authority key identifier
        ...(names.length === 0 ? [] : [extension("551d11", sequence(...names))]), // subject alternative name
      ),
    ),
  );
  const signature = sign("sha256", body, issuer?.key ?? privateKey);
  return { der: sequence(body, algorithm, bits(signature)), key: privateKey, keyId };
}

/** DER of a new self-signed certificate with a new P-256 key. */
export function selfSigned(options: CertificateOptions = {}): Buffer {
  return issue(options).der;
}

/** A bundle in SPIFFE format with these X.509 authorities; what is no certificate goes in as it is. */
export function spiffeBundle(ders: Buffer[], more: Record<string, unknown> = {}): string {
  const jwk = (der: Buffer) => {
    try {
      return new X509Certificate(der).publicKey.export({ format: "jwk" });
    } catch {
      return { kty: "EC" };
    }
  };
  return JSON.stringify({
    keys: ders.map((der) => ({ use: "x509-svid", ...jwk(der), x5c: [der.toString("base64")] })),
    ...more,
  });
}
