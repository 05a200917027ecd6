/** Languages by their BCP 47 tags. */

/** The canonical spelling of a tag (`en-us` → `en-US`), or undefined if it is none. */
export function canonicalLanguage(tag: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(tag.replaceAll("_", "-"))[0];
  } catch {
    return undefined;
  }
}

/** Whether one of two canonical tags is a prefix of the other: `en` ~ `en-US`, but `en-GB` is not `en-US`. */
export function languagesMatch(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}-`) || b.startsWith(`${a}-`);
}
