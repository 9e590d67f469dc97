// DER as PEM (RFC 7468).

/** `der` is base64 without line breaks, or bytes. */
export function pemOf(label: "CERTIFICATE" | "PRIVATE KEY", der: string | Buffer): string {
  const text = typeof der === "string" ? der : der.toString("base64");
  return `-----BEGIN ${label}-----\n${text.match(/.{1,64}/g)?.join("\n") ?? ""}\n-----END ${label}-----\n`;
}
