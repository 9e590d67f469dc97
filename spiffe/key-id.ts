// Key identifiers of certificates, by which SPIRE names its authorities; node:crypto does not tell them.

/** 2.5.29.14 and 2.5.29.35 in DER (RFC 5280, sections 4.2.1.1 and 4.2.1.2). */
const SUBJECT_KEY_ID = Buffer.from("0603551d0e", "hex");
const AUTHORITY_KEY_ID = Buffer.from("0603551d23", "hex");

const PRIMITIVE_OCTETS = 0x04;
const SEQUENCE = 0x30;
const CONTEXT_0 = 0x80;

/** What is in the innermost of these, each the first in the one before; undefined where they are not there. Lengths are of one byte: an identifier is short. */
function nested(der: Buffer, oid: Buffer, tags: readonly number[]): string | undefined {
  const found = der.indexOf(oid);
  if (found < 0) return undefined;
  let at = found + oid.length;
  let length = 0;
  for (const tag of tags) {
    if (der[at] !== tag) return undefined;
    length = der[at + 1] ?? 0;
    at += 2;
  }
  return der.subarray(at, at + length).toString("hex");
}

/** Subject key identifier of a certificate (DER), lower-case hex: the name of an authority in `localauthority x509`. Undefined when it has none. */
export const subjectKeyId = (der: Buffer): string | undefined =>
  nested(der, SUBJECT_KEY_ID, [PRIMITIVE_OCTETS, PRIMITIVE_OCTETS]);

/** Identifier of the key that signed a certificate (DER), lower-case hex. Undefined when it does not tell. */
export const authorityKeyId = (der: Buffer): string | undefined =>
  nested(der, AUTHORITY_KEY_ID, [PRIMITIVE_OCTETS, SEQUENCE, CONTEXT_0]);
