/** What the Worker and its objects are set up with, parsed once in the life of an isolate. */
import { env } from "cloudflare:workers";
import { parseConfig } from "./config.ts";
import { createProviders } from "./providers/registry.ts";
import { upstreamAt } from "./upstream.ts";

export const config = parseConfig(env);

export const providers = createProviders(config);

export const transcoder = config.TRANSCODER_URL ? upstreamAt(config.TRANSCODER_URL) : undefined;
