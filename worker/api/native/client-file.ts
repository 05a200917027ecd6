/** GET /client.js: the client library, for a page on any origin. `npm run build:client` makes the file. */
import type { Context } from "hono";
// oxlint-disable-next-line import/default -- its text, by a rule of wrangler.toml
import clientFile from "../../../client/dist/client.js";

/** The address stays while the file changes: a browser keeps it, and asks each time whether it is still the same. */
const HEADERS = { "content-type": "text/javascript; charset=utf-8", "cache-control": "public, no-cache" };

export function getClientFile(c: Context): Response {
  return c.body(clientFile, 200, HEADERS);
}
