// Values in HCL 1, the language of SPIRE's configuration files.

/**
 * `text` as a string literal of HCL 1. JSON's escapes are HCL's too. The dollar sign is written by its code point: `${` would open an interpolation,
 * which has no escape of its own, and with `-expandEnv` SPIRE replaces `$name` wherever it stands (pkg/common/config/config.go).
 *
 * @throws an Error if `text` is not valid Unicode, which no HCL string can hold.
 */
export function hclString(text: string): string {
  if (/\p{Surrogate}/u.test(text))
    throw new Error("not valid Unicode: a string with half of a surrogate pair");
  return JSON.stringify(text).replaceAll("$", "\\u0024");
}

/** A list of string literals. */
export function hclList(texts: readonly string[]): string {
  return `[${texts.map(hclString).join(", ")}]`;
}
