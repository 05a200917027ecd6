/** Where a client is, as precisely as Durable Objects can be placed: its audio is made near it. */

/** The location hints of Durable Objects. */
export type Region = "wnam" | "enam" | "sam" | "weur" | "eeur" | "apac" | "oc" | "afr" | "me";

/** For a request that does not say where it comes from, as in local development. */
export const DEFAULT_REGION: Region = "enam";

/** Where the continent's two halves are divided, in degrees of longitude. */
const NORTH_AMERICA_DIVIDE = -100;
const EUROPE_DIVIDE = 17;

const MIDDLE_EAST = new Set(["AE", "BH", "IL", "IQ", "IR", "JO", "KW", "LB", "OM", "PS", "QA", "SA", "SY", "TR", "YE"]);

const OTHERS: Readonly<Record<string, Region>> = { SA: "sam", OC: "oc", AF: "afr" };

/** Of what Cloudflare knows of a request. */
interface Whereabouts {
  continent?: string;
  country?: string;
  /** In degrees, as a decimal number. */
  longitude?: string;
}

export function regionOf(request: { readonly cf?: unknown }): Region {
  const cf = request.cf as Whereabouts | undefined;
  const longitude = Number(cf?.longitude ?? Number.NaN);
  if (cf?.continent === "NA") return longitude < NORTH_AMERICA_DIVIDE ? "wnam" : "enam";
  if (cf?.continent === "EU") return longitude > EUROPE_DIVIDE ? "eeur" : "weur";
  if (cf?.continent === "AS") return MIDDLE_EAST.has(cf.country ?? "") ? "me" : "apac";
  return OTHERS[cf?.continent ?? ""] ?? DEFAULT_REGION;
}
