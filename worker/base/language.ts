/** Languages as clients write them. */

/** The canonical spelling of a tag (`en-us` → `en-US`), or undefined if it is none. */
export function canonicalTag(tag: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(tag.replaceAll("_", "-"))[0];
  } catch {
    return undefined;
  }
}
