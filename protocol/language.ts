/** Languages by their BCP 47 tags. */

/** Whether one of two canonical tags is a prefix of the other: `en` ~ `en-US`, but `en-GB` is not `en-US`. */
export function languagesMatch(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}-`) || b.startsWith(`${a}-`);
}
