import { expect, it } from "vitest";
import { FORMATS } from "../../protocol/formats.ts";
import { createSession, expectComplete, longText, sha256, speak, statusOf, Stream } from "../support/session.ts";
import { report } from "../support/report.ts";
import { activity, useStack } from "../support/stack.ts";

const stack = useStack();

const SESSIONS = 100;

function requestOf(i: number) {
  return {
    provider: "mock_tone",
    voice: i % 2 ? "en-US-mock-1" : "en-US-mock-2",
    text: `Session ${i} says ${"tone ".repeat(1 + (i % 7))}${longText(60 + i)}`,
    target_format: FORMATS[i % FORMATS.length]!,
    sample_rate_hz: [16_000, 24_000, 48_000][i % 3]!,
  };
}

it(`plays ${SESSIONS} sessions at once, each whole and none with another's audio`, async () => {
  const together = await Promise.all(Array.from({ length: SESSIONS }, (_, i) => speak(stack.url, requestOf(i))));
  together.forEach((stream) => expectComplete(stream));
  // Each alone is the truth; every tenth is enough to hold the run to.
  for (let i = 0; i < SESSIONS; i += 10) {
    const alone = await speak(stack.url, requestOf(i));
    expect(sha256(together[i]!.bytes)).toBe(sha256(alone.bytes));
  }
  expect(new Set(together.map(({ bytes }) => sha256(bytes))).size).toBe(SESSIONS);
  expect(await activity(stack)).toEqual({ encoders: 0, syntheses: 0 });
});

it(`speaks ${SESSIONS} sessions of espeak at once: each whole, or ended by one clear 503`, async () => {
  const streams = await Promise.all(
    Array.from({ length: SESSIONS }, async (_, i) => {
      const text = `This is session number ${i}. ${longText(100)}`;
      const { id, wsUrl } = await createSession(stack.url, {
        provider: "espeak",
        voice: "en-us",
        text,
        target_format: "opus",
      });
      const stream = new Stream(wsUrl);
      await stream.closed;
      return { stream, status: await statusOf(stack.url, id) };
    }),
  );
  let whole = 0;
  for (const { stream, status } of streams) {
    if (stream.final?.type === "eos") {
      expectComplete(stream);
      expect(status.counts.segments_recorded).toBe(status.counts.segments);
      whole++;
      continue;
    }
    expect(stream.finals).toHaveLength(1);
    expect(stream.final).toMatchObject({ type: "error", code: 503, reason: "busy" });
    expect(stream.final!.retry_after_ms).toBeGreaterThan(0);
    expect(stream.closeCode).toBe(1013);
  }
  report(`${whole} of ${SESSIONS} espeak sessions whole, ${SESSIONS - whole} refused as busy`);
  expect(whole).toBeGreaterThan(0);
  expect(await activity(stack)).toEqual({ encoders: 0, syntheses: 0 });
});
