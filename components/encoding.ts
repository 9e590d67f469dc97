// Text files as people's tools write them.

/**
 * Text of UTF-8, or of what its byte-order mark says: PowerShell's `>` writes UTF-16 (about_Character_Encoding), Windows' editors a mark before
 * UTF-8. The mark is no part of the text. Throws a TypeError for bytes that are none.
 */
export function decodeText(bytes: Uint8Array): string {
  const [first, second] = bytes;
  const utf16 =
    first === 0xff && second === 0xfe
      ? "utf-16le"
      : first === 0xfe && second === 0xff
        ? "utf-16be"
        : undefined;
  return new TextDecoder(utf16 ?? "utf-8", { fatal: true }).decode(bytes);
}
