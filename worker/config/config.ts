/** The settings of this Worker and its objects, parsed once in the life of an isolate. */
import { env } from "cloudflare:workers";
import { parseConfig } from "./settings.ts";

export const config = parseConfig(env);
