/** Scripts, as Unicode and ISO 15924 name them in four letters: `Latn`, `Cyrl`, `Hani`, `Hira`. */

/** Whether `code` is a script that Unicode knows. */
export function isScript(code: string): boolean {
  if (!/^\p{Lu}\p{Ll}{3}$/u.test(code)) return false;
  try {
    new RegExp(`\\p{scx=${code}}`, "u").test("");
    return true;
  } catch {
    return false;
  }
}

/** Letters of the scripts, and those that belong to several or to none. Digits have names in every language. */
const inScripts = (scripts: readonly string[]) => scripts.map((code) => `\\p{scx=${code}}`).join("");

/**
 * Whether a voice that reads `scripts` has anything to read in the text. A text without letters and numbers, such as an
 * emoji, is left to the voice: true.
 */
export function readsAnything(text: string, scripts: readonly string[]): boolean {
  const readable = new RegExp(`\\p{N}|(?=\\p{L})[\\p{sc=Zyyy}\\p{sc=Zinh}${inScripts(scripts)}]`, "u");
  return readable.test(text) || !/\p{L}/u.test(text);
}

/** How many letters of the text a voice that reads `scripts` cannot read. */
export function unreadLetters(text: string, scripts: readonly string[]): number {
  const unread = new RegExp(`(?=\\p{L})[^\\p{sc=Zyyy}\\p{sc=Zinh}${inScripts(scripts)}]`, "gu");
  return text.match(unread)?.length ?? 0;
}
