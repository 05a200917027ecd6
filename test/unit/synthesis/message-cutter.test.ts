import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageEnd } from "../../../protocol/message-size.ts";
import { MessageCutter } from "../../../worker/synthesis/message-cutter.ts";
import { concat, countingPcm } from "../bytes.ts";
import { messagesOf, openLog } from "../message-log/log-fixtures.ts";

interface Piece {
  samples: number;
  data: Uint8Array;
}

const RATE = 16_000;
const piece = (samples: number, bytes = samples * 2): Piece => ({ samples, data: new Uint8Array(bytes) });

/** What becomes of a stream whose packets are given. */
function cut(pieces: readonly Piece[], frameSamples = 320, rate = RATE) {
  const log = openLog(undefined, { sampleRateHz: rate, pcmRateHz: rate });
  const cutter = new MessageCutter(log, frameSamples);
  for (const { samples, data } of pieces) cutter.add(samples, data);
  cutter.finish();
  return messagesOf(log);
}

describe("messages", () => {
  it("are numbered from 1 without a hole, adjoin in time and hold every byte in order", () => {
    const anyPackets = fc.array(
      fc.record({ samples: fc.nat(4_000), data: fc.uint8Array({ minLength: 1, maxLength: 50 }) }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(anyPackets, (packets) => {
        const messages = cut(packets);
        expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, i) => i + 1));
        expect(concat(messages.map(({ data }) => data))).toEqual(concat(packets.map(({ data }) => data)));
        for (const [i, { startMs, endByte, data }] of messages.entries()) {
          expect(startMs).toBe(messages[i - 1]?.endMs ?? 0);
          expect(endByte).toBe((messages[i - 1]?.endByte ?? 0) + data.length);
        }
        const samples = packets.reduce((sum, one) => sum + one.samples, 0);
        expect(messages.at(-1)?.endMs ?? 0).toBe(Math.round((samples * 1000) / RATE));
      }),
    );
  });

  it("end where protocol/message-size.ts says, for the packets of any codec", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(8_000, 11_025, 16_000, 22_050, 24_000, 48_000),
        fc.integer({ min: 100, max: 2_500 }),
        fc.nat(80),
        (rate, frame, count) => {
          const log = openLog(undefined, { sampleRateHz: rate });
          const cutter = new MessageCutter(log, frame);
          for (let i = 0; i < count; i++) {
            const start = log.end.samples;
            const { seq } = log.end;
            cutter.add(frame, new Uint8Array(1));
            if (log.end.seq > seq) expect(log.end.samples).toBe(messageEnd(start, frame, rate));
          }
          expect(messageEnd(log.end.samples, frame, rate)).toBeGreaterThan(count * frame); // none is late
        },
      ),
    );
  });

  it("grow from 20 ms to 100 step by step, the last one is what is left", () => {
    const messages = cut(Array.from({ length: 23 }, () => piece(320)));
    expect(messages.map(({ startMs, endMs }) => endMs - startMs)).toEqual([20, 20, 40, 60, 80, 100, 100, 40]);
  });

  it("begin with the first packet that has sound, with the header before it", () => {
    const [first, second] = cut([piece(0, 44), piece(320), piece(320)]);
    expect(first).toMatchObject({ seq: 1, startMs: 0, endMs: 20 });
    expect(first!.data).toHaveLength(44 + 640);
    expect(second).toMatchObject({ seq: 2, startMs: 20, endMs: 40 });
  });

  it("are appended with their last packet, not with the one after it", () => {
    const log = openLog(undefined, { sampleRateHz: RATE });
    const cutter = new MessageCutter(log, 320);
    const seqs = Array.from({ length: 5 }, () => {
      cutter.add(320, new Uint8Array(1));
      return log.end.seq;
    });
    expect(seqs).toEqual([1, 2, 2, 3, 3]);
    expect(cutter.missing).toBe(640); // two more of the fourth message's three packets
  });

  it("are as long as their packets where those are longer", () => {
    expect(cut([piece(32_000), piece(32_000)], 32_000).map(({ endMs }) => endMs)).toEqual([2_000, 4_000]);
  });

  it("are none for no packets, and one for a lone header", () => {
    expect(cut([])).toEqual([]);
    expect(cut([piece(0, 44)])).toMatchObject([{ seq: 1, startMs: 0, endMs: 0, endByte: 44 }]);
  });

  it("have the same borders when another goes on in the middle of the log", () => {
    const packets = Array.from({ length: 100 }, (_, i) => ({ samples: 576, data: countingPcm(5, i * 5) }));
    const whole = cut(packets, 576, 22_050);
    for (let count = 0; count < whole.length; count++) {
      const log = openLog(undefined, { sampleRateHz: 22_050 });
      let cutter = new MessageCutter(log, 576);
      let next = 0;
      while (log.end.seq < count) cutter.add(packets[next]!.samples, packets[next++]!.data);
      cutter = new MessageCutter(log, 576);
      for (const { samples, data } of packets.slice(next)) cutter.add(samples, data);
      cutter.finish();
      expect(messagesOf(log)).toEqual(whole);
    }
  });
});
