/** What stands behind the method in a request's first line. */

/** Stands for the host of a request that names none. */
export const ORIGIN = "http://service/";

/** A target as a URL: a path and query, or a whole URL, as it is sent to a proxy; null for anything else ("*" too). */
export function parseTarget(target = ""): URL | null {
  // Put together and not resolved: "//name" is a path here, and no host.
  return URL.parse(target.startsWith("/") ? `${ORIGIN}${target.slice(1)}` : target);
}
