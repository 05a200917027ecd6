import { describe, expect, it } from "vitest";
import { messageEnd, messagesBefore } from "../../../protocol/message-size.ts";

/** The lengths of a stream's first messages, in packets. */
function lengths(frameSamples: number, sampleRateHz: number, count: number): number[] {
  let start = 0;
  return Array.from({ length: count }, () => {
    const end = messageEnd(start, frameSamples, sampleRateHz);
    const packets = (end - start) / frameSamples;
    start = end;
    return packets;
  });
}

describe("the borders of messages", () => {
  it.each([
    ["packets of 20 ms", 480, 24_000, [1, 1, 2, 3, 4, 5, 5, 5]],
    ["packets of 20 ms less a part of a sample", 222, 11_111, [1, 1, 2, 3, 4, 5, 5, 5]],
    ["packets of 24 ms", 576, 24_000, [1, 1, 1, 2, 3, 4, 4, 4]],
    ["packets of 50 ms", 1_200, 24_000, [1, 1, 1, 1, 1, 2, 2, 2]],
    ["packets longer than a message", 1_024, 8_000, [1, 1, 1, 1, 1, 1, 1, 1]],
  ])("grow to 100 ms in whole %s", (_, frameSamples, sampleRateHz, expected) => {
    expect(lengths(frameSamples, sampleRateHz, expected.length)).toEqual(expected);
  });

  it("are the same from wherever one begins", () => {
    for (let count = 0, start = 0; count < 500; count++) {
      const end = messageEnd(start, 480, 24_000);
      for (const sample of [start, start + 1, end - 1]) {
        expect(messageEnd(sample, 480, 24_000)).toBe(end);
        expect(messagesBefore(sample, 480, 24_000)).toBe(count);
      }
      start = end;
    }
  });
});
