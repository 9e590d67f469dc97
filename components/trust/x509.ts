// The certificates that the program signs itself: the root of a trust domain, and the authority under it of each SPIRE server.
import { randomBytes, webcrypto, X509Certificate } from "node:crypto";
import type { JsonName } from "@peculiar/x509";
import { pemOf } from "../../spiffe/pem";

/** A CA certificate with its private key. */
export interface Authority {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS#8. */
  readonly key: string;
}

/** What a certificate says of its owner, and until when. */
export interface AuthorityTerms {
  /** Name of the trust domain, without `spiffe://`: the one URI among the certificate's names. */
  readonly trustDomain: string;
  /** Common name of the subject. */
  readonly commonName: string;
  readonly ttlSeconds: number;
}

/** Clocks of clusters that are behind this machine's by less than this still take what it signs. */
const BACKDATE_SECONDS = 3600;

/** How many CAs may follow in a chain: below the root those of the program and of SPIRE; below the program's, SPIRE's alone (RFC 5280, section 4.2.1.9). */
const PATH_LENGTH = { root: 2, intermediate: 1 } as const;

/** Loaded when it is needed: only what signs needs it, and it takes a while. */
async function library() {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  x509.cryptoProvider.set(webcrypto as never);
  return x509;
}

/** Keys of P-256, for whose signatures all that verifies SVIDs is made (Envoy, `SIGNATURES` of components/envoy/tls.ts). */
const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;

async function sign(
  { trustDomain, commonName, ttlSeconds }: AuthorityTerms,
  kind: keyof typeof PATH_LENGTH,
  issuer: Authority | undefined,
  now: Date,
): Promise<Authority> {
  const x509 = await library();
  const { publicKey, privateKey } = await webcrypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
  const end = now.getTime() + ttlSeconds * 1000;
  const above = issuer && new X509Certificate(issuer.certificate);
  const signer = issuer
    ? await webcrypto.subtle.importKey("pkcs8", derOf(issuer.key), CURVE, false, ["sign"])
    : privateKey;
  const subject: JsonName = [{ O: ["AgentWeave"] }, { CN: [commonName] }];
  const certificate = await x509.X509CertificateGenerator.create({
    // Positive, and without zeros in front, which DER does not let stand (RFC 5280, section 4.1.2.2).
    serialNumber: Buffer.from([(randomBytes(1)[0]! & 0x3f) | 0x40, ...randomBytes(15)]).toString("hex"),
    subject,
    issuer: issuer ? new x509.X509Certificate(issuer.certificate).subjectName.toJSON() : subject,
    notBefore: new Date(now.getTime() - BACKDATE_SECONDS * 1000),
    // Nothing below a CA is worth anything after its end.
    notAfter: new Date(above ? Math.min(end, Date.parse(above.validTo)) : end),
    publicKey: publicKey as never,
    signingKey: signer as never,
    signingAlgorithm: SIGNATURE,
    extensions: [
      new x509.BasicConstraintsExtension(true, PATH_LENGTH[kind], true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      new x509.SubjectAlternativeNameExtension([{ type: "url", value: `spiffe://${trustDomain}` }]),
      await x509.SubjectKeyIdentifierExtension.create(publicKey as never),
      ...(issuer
        ? [
            await x509.AuthorityKeyIdentifierExtension.create(
              new x509.X509Certificate(issuer.certificate).publicKey,
            ),
          ]
        : []),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", privateKey));
  return {
    certificate: pemOf("CERTIFICATE", Buffer.from(certificate.rawData)),
    key: pemOf("PRIVATE KEY", pkcs8),
  };
}

/** A new root of a trust domain. */
export function issueRoot(terms: AuthorityTerms, now = new Date()): Promise<Authority> {
  return sign(terms, "root", undefined, now);
}

/** A new authority under `root`. It ends with the root at the latest. */
export function issueIntermediate(
  terms: AuthorityTerms,
  root: Authority,
  now = new Date(),
): Promise<Authority> {
  return sign(terms, "intermediate", root, now);
}

/** Begin and end of a certificate's validity, ISO 8601 in UTC. */
export function validityOf(certificate: string): { notBefore: string; notAfter: string } {
  const { validFrom, validTo } = new X509Certificate(certificate);
  return { notBefore: new Date(validFrom).toISOString(), notAfter: new Date(validTo).toISOString() };
}

/** What is left of the life of a certificate that the program signed, when it is time for another. */
const LAST_SHARE = 1 / 3;

/** Whether the last third of a validity has begun, or is over, at `now` (milliseconds since 1970). */
export function endOf(
  { notBefore, notAfter }: { readonly notBefore: string; readonly notAfter: string },
  now: number,
): "near" | "past" | undefined {
  const [begin, end] = [Date.parse(notBefore), Date.parse(notAfter)];
  if (end <= now) return "past";
  return end - now < (end - begin) * LAST_SHARE ? "near" : undefined;
}

function derOf(text: string): Buffer {
  return Buffer.from(text.replaceAll(/-----[A-Z ]+-----|\s/g, ""), "base64");
}
