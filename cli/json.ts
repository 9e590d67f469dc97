// JSON as the command line prints it.

/** What JSON leaves as it is in texts, and a terminal may obey: control characters beyond ASCII, and what turns the order of words or hides them. */
const OBEYED = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const escaped = (character: string) =>
  Array.from({ length: character.length }, (_, at) => {
    const unit = character.charCodeAt(at).toString(16).padStart(4, "0");
    return `\\u${unit}`;
  }).join("");

/** `value` as indented JSON in which peers' words are nothing but words. */
export const jsonText = (value: unknown): string =>
  JSON.stringify(value, undefined, 2).replace(OBEYED, escaped);
