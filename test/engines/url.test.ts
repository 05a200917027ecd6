/** Holds any running engine to the contract: ENGINE_URL, and if need be ENGINE_VOICE, ENGINE_WORDS=1, ENGINE_BURST. */
import { describe } from "vitest";
import { describeEngine } from "./conformance.ts";

const { ENGINE_URL: url, ENGINE_VOICE: voice, ENGINE_WORDS: words, ENGINE_BURST: burst } = process.env;

describe.runIf(url)("ENGINE_URL", () => {
  describeEngine(String(url), {
    start: async () => ({ url: String(url), close: async () => {} }),
    ...(voice && { voice }),
    ...(burst && { burst: Number(burst) }),
    words: words === "1",
  });
});
