// Words of others, fit for a log or an error: in one line and not too long.

const LONGEST = 500;

/** `text` without control characters and what else moves a cursor or hides words, at most 500 characters of it. */
export function plainText(text: string): string {
  const short = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  return short.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, " ");
}
