// What a service account's token says of its own life. Nothing of it is verified: the API server does that.

/** A token and when it is good, in milliseconds since 1970. */
export interface Token {
  readonly text: string;
  readonly issued: number;
  readonly expires: number;
}

/** Reads the times of a token (a JWT, RFC 7519, section 4.1). Throws an Error, which does not quote it, for anything else. */
export function parseToken(text: string): Token {
  let claims: { iat?: unknown; exp?: unknown };
  try {
    claims = JSON.parse(Buffer.from(text.split(".")[1] ?? "", "base64url").toString("utf8")) as object;
  } catch {
    throw new Error("the token is no JWT");
  }
  const { iat, exp } = claims;
  if (typeof iat !== "number" || typeof exp !== "number" || exp <= iat)
    throw new Error("the token does not say from when until when it is good");
  return { text, issued: iat * 1000, expires: exp * 1000 };
}

/** When a token is to be renewed: at half of its life. */
export function renewalTime({ issued, expires }: Token): number {
  return issued + (expires - issued) / 2;
}
