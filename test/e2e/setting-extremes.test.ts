import { describe, expect, it } from "vitest";
import { BOUNDS } from "../support/setting-bounds.ts";
import { startGateway } from "../support/gateway.ts";
import { createSession, play } from "../support/session.ts";

describe("a gateway whose every setting is at its", () => {
  it.each([
    ["smallest value", 0, "A"],
    ["largest value", 1, "A sentence to be spoken. And another one. ".repeat(20)],
  ] as const)("%s speaks", async (_, end, text) => {
    const settings = Object.fromEntries(Object.entries(BOUNDS).map(([name, bounds]) => [name, bounds[end]]));
    const gateway = await startGateway(settings);
    try {
      const request = { provider: "mock_tone", voice: "en-US-mock-1", text, target_format: "pcm16" };
      const final = async () => (await play((await createSession(gateway.url, request)).wsUrl)).final?.type;
      // On a busy machine a timeout of 100 ms may well be exceeded once.
      await expect.poll(final).toBe("eos");
    } finally {
      await gateway.stop();
    }
  });
});
