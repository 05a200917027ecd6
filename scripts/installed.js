/**
 * Loaded before each script of package.json: says in one line that nothing is installed yet. Plain JavaScript, because
 * without what `npm ci` installs it runs on the machine's own Node.
 */
import { existsSync } from "node:fs";

if (!existsSync(new URL("../node_modules/node", import.meta.url))) {
  console.error("Nothing is installed here yet. Run this first: npm ci");
  process.exit(1);
}
