import { abortAllDurableObjects } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { connect, createWithLostVoices, listen, statusOf, watchWrites } from "./client.ts";

const TEXT = "One two three four five.";

describe("a change of voice", () => {
  it("is told before the new voice is heard, to a client that asked, and again to each that comes later", async () => {
    const id = await createWithLostVoices(["a"], "en-US-mock-1", TEXT);
    const notice = {
      type: "notice",
      reason: "provider_failed",
      message: "provider gone failed at segment 1 of 1",
      provider: "mock_tone",
      voice: "en-US-mock-1",
      pts_ms: 0,
      is_cut: false,
    };
    const first = await listen(id, { notices: true });
    expect([first.notices, first.finals[0]!.type]).toEqual([[notice], "eos"]);
    expect((await listen(id, { notices: true, after: first.audio.length })).notices).toEqual([notice]);
    expect((await listen(id)).notices).toEqual([]);
    expect((await statusOf(id)).notices).toEqual([notice]);
  });

  it("is told once for each voice that was tried, in their order", async () => {
    const id = await createWithLostVoices(["a", "b"], "en-US-mock-1", TEXT);
    const { notices } = await listen(id, { notices: true });
    expect(notices.map(({ provider, voice }) => `${provider}/${voice}`)).toEqual(["gone/b", "mock_tone/en-US-mock-1"]);
    expect((await listen(id, { notices: true })).notices).toEqual(notices);
    expect((await statusOf(id)).notices).toEqual(notices);
  });

  it("is stored before it is told, so that no loss can take it back", async () => {
    const id = await createWithLostVoices(["a"], "en-US-mock-paced", TEXT);
    const stored: { changes: number; isConfirmed: boolean }[] = [];
    await watchWrites(id, ({ key, value, isConfirmed }) => {
      if (key.startsWith("row:")) stored.push({ changes: value.end.changes.length, isConfirmed });
    });
    const first = await connect(id, { notices: true });
    await first.until(({ notices }) => notices.length > 0);
    expect(stored).toContainEqual({ changes: 1, isConfirmed: true });
    await abortAllDurableObjects();
    const again = await listen(id, { notices: true });
    expect(again.notices).toEqual(first.notices);
    expect(again.finals[0]!.type).toBe("eos");
  });
});
