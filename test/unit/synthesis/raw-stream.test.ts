import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { wavHeader } from "../../../protocol/wav.ts";
import { RawStream } from "../../../worker/synthesis/raw-stream.ts";
import { concat, countingPcm } from "../bytes.ts";
import { messagesOf, openLog } from "../message-log/log-fixtures.ts";
import { MemoryLogStore } from "../message-log/memory-log-store.ts";

const logAt = (rate: number, store?: MemoryLogStore) => openLog(store, { sampleRateHz: rate, pcmRateHz: rate });

/** The messages of so many samples, pushed in pieces of these sizes, over and over. */
function stream(rate: number, samples: number, pieces: readonly number[], isWav = false) {
  const log = logAt(rate);
  const raw = new RawStream(log, isWav);
  for (let i = 0; raw.end < samples; i++) {
    raw.push(countingPcm(Math.min(pieces[i % pieces.length]!, samples - raw.end), raw.end));
  }
  raw.finish();
  return messagesOf(log);
}

describe("raw audio at the voice's own rate", () => {
  it("is the samples that were pushed", () => {
    const messages = stream(16_000, 10_001, [333]);
    expect(concat(messages.map(({ data }) => data))).toEqual(countingPcm(10_001));
    expect(messages.at(-1)).toMatchObject({ endMs: 625, endByte: 20_002 });
  });

  it("is the same messages, whatever pieces it was pushed in", () => {
    for (const rate of [8_000, 11_025, 22_050, 48_000]) {
      const whole = stream(rate, rate + 77, [rate + 77]);
      const frame = Math.floor(rate / 50);
      expect(whole.slice(0, 6).map(({ data }) => data.length / 2 / frame)).toEqual([1, 1, 2, 3, 4, 5]);
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 5 }), (pieces) => {
          expect(stream(rate, rate + 77, pieces)).toEqual(whole);
        }),
        { numRuns: 30 },
      );
    }
  });

  it("leaves with the first 20 ms, and each message with its last sample", () => {
    const log = logAt(16_000);
    const raw = new RawStream(log, false);
    raw.push(countingPcm(319));
    expect([log.end.seq, raw.end]).toEqual([0, 319]);
    raw.push(countingPcm(1));
    expect([log.end.seq, raw.end]).toEqual([1, 320]);
    raw.push(countingPcm(16_000));
    expect([log.endMs, raw.end]).toEqual([1_020, 16_320]);
  });

  it("as WAV has one header, in front of the first message, which covers no time", () => {
    const [first, ...others] = stream(16_000, 1_000, [100], true);
    expect(first).toMatchObject({ startMs: 0, endMs: 20, endByte: 44 + 640 });
    expect(first!.data.subarray(0, 44)).toEqual(wavHeader(16_000));
    expect(concat([first!.data.subarray(44), ...others.map(({ data }) => data)])).toEqual(countingPcm(1_000));
  });

  it("of nothing is nothing, but for WAV its header", () => {
    expect(stream(16_000, 0, [1])).toEqual([]);
    expect(stream(16_000, 0, [1], true)).toMatchObject([{ seq: 1, endMs: 0, endByte: 44 }]);
  });

  it("goes on in the middle of a log at the same borders, without a second header", () => {
    const whole = stream(22_050, 30_000, [30_000], true);
    for (let count = 0; count < whole.length; count++) {
      const log = logAt(22_050);
      for (const { endMs, startMs, data } of whole.slice(0, count)) {
        log.append(endMs === startMs ? 0 : (data.length - (log.end.seq === 0 ? 44 : 0)) / 2, data);
      }
      const raw = new RawStream(log, true);
      expect(raw.end).toBe(log.end.samples);
      raw.push(countingPcm(30_000 - raw.end, raw.end));
      raw.finish();
      expect(messagesOf(log)).toEqual(whole);
    }
  });
});
