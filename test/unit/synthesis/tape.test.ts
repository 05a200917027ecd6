import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Tape } from "../../../worker/synthesis/tape.ts";
import { collect, concat, countingPcm, cutAt } from "../bytes.ts";
import { bytesOf, envelopesOf, MemoryTapeStore, pcmOf } from "./memory-tape.ts";

const RATE = 1_000;
const ROW_BYTES = RATE; // half a second of two-byte samples

const never = new AbortController().signal;

function tapeOf(samples: number, pieceSamples: number, store = new MemoryTapeStore()): Tape {
  const tape = new Tape(store, RATE);
  for (let at = 0; at < samples; at += pieceSamples) {
    tape.appendAudio(countingPcm(Math.min(pieceSamples, samples - at), at));
  }
  return tape;
}

describe("a tape", () => {
  it("gives back every sample in order, behind its format and before its end", async () => {
    const tape = tapeOf(12_345, 77);
    tape.end();
    const envelopes = await envelopesOf(tape);
    expect(envelopes[0]).toEqual({ type: "event", event: { type: "format", sample_rate: RATE } });
    expect(envelopes.at(-1)).toEqual({ type: "end" });
    expect(pcmOf(await bytesOf(tape))).toEqual(countingPcm(12_345));
    expect(tape.durationMs).toBe(12_345);
  });

  it("reads the same to whoever reads it: before, while and after it is recorded, from memory and from storage", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 0, maxLength: 20_000 }).map((bytes) => bytes.subarray(0, bytes.length & ~1)),
        fc.array(fc.nat()),
        fc.nat(5),
        async (pcm, cuts, pauseEvery) => {
          const store = new MemoryTapeStore();
          const tape = new Tape(store, RATE);
          const readers = [bytesOf(tape)];
          for (const [i, piece] of cutAt(
            pcm,
            cuts.map((cut) => cut & ~1),
          ).entries()) {
            tape.appendAudio(piece.subarray(0, piece.length & ~1));
            tape.appendEvent({ type: "word", start: i, length: 1, sample: tape.position.samples });
            if (i % 7 === pauseEvery) readers.push(bytesOf(tape));
            if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
          }
          tape.end();
          readers.push(bytesOf(tape), bytesOf(new Tape(store, RATE)));
          const [first, ...others] = await Promise.all(readers);
          for (const other of others) expect(other).toEqual(first);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("wakes a reader for every piece of audio", async () => {
    const tape = tapeOf(0, 1);
    const reading = tape.read(never);
    await reading.next(); // the format
    for (let i = 0; i < 5; i++) {
      const next = reading.next();
      tape.appendAudio(countingPcm(10, i * 10));
      expect((await next).value).toHaveLength(5 + 4 + 20);
    }
  });

  it("keeps only its last seconds in memory; a reader far behind reads storage", async () => {
    const store = new MemoryTapeStore();
    const tape = tapeOf(20_000, 100, store);
    const reading = tape.read(never);
    await reading.next();
    expect(store.reads).toBe(1);
    const close = tapeOf(3_000, 100, store);
    expect(close.position.samples).toBe(23_000);
  });

  it("needs no storage for a reader that keeps up", async () => {
    const store = new MemoryTapeStore();
    const tape = new Tape(store, RATE);
    const reading = bytesOf(tape);
    for (let i = 0; i < 200; i++) {
      tape.appendAudio(countingPcm(100));
      await new Promise((resolve) => setImmediate(resolve));
    }
    tape.end();
    await reading;
    expect(store.reads).toBe(0);
  });

  it("has rows of half a second, however the audio came", async () => {
    for (const piece of [1, 499, 500, 501, 5_000]) {
      const store = new MemoryTapeStore();
      tapeOf(5_000, piece, store);
      expect(store.rows).toHaveLength(10);
      expect(store.rows.map(({ end }) => end.samples)).toEqual(store.rows.map((_, i) => (i + 1) * 500));
      for (const { bytes } of store.rows) expect(bytes.length).toBeLessThan(ROW_BYTES + 500 * 9 + 100);
    }
  });

  it("can end in the middle of a row, or before anything was recorded", async () => {
    for (const samples of [0, 1, 499, 500, 501]) {
      const tape = tapeOf(samples, 10);
      tape.end();
      expect(pcmOf(await bytesOf(tape))).toHaveLength(samples * 2);
    }
  });

  it("ends with the failure that ended it, after all that was recorded", async () => {
    const store = new MemoryTapeStore();
    const tape = tapeOf(700, 10, store);
    tape.end({ reason: "provider_failed", message: "it broke" });
    expect(pcmOf(await bytesOf(tape))).toHaveLength(1_400);
    const reopened = new Tape(store, RATE);
    expect(reopened.position.ended).toEqual({ failure: { reason: "provider_failed", message: "it broke" } });
    expect(await bytesOf(reopened)).toEqual(await bytesOf(tape));
  });

  it("ends once, also when it is ended again after a loss", async () => {
    const store = new MemoryTapeStore();
    tapeOf(700, 10, store).end();
    const reopened = new Tape(store, RATE);
    reopened.end();
    expect((await envelopesOf(reopened)).filter(({ type }) => type === "end")).toHaveLength(1);
  });

  it("stops a waiting reader when it is aborted", async () => {
    const tape = tapeOf(10, 10);
    const controller = new AbortController();
    const reading = collect(tape.read(controller.signal));
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
  });

  it("says when one of its rows is gone", async () => {
    const store = new MemoryTapeStore();
    const tape = tapeOf(10_000, 100, store);
    tape.end();
    store.get = () => undefined;
    await expect(bytesOf(tape)).rejects.toThrow("row 0 of the tape is missing");
  });
});

describe("a tape opened again after a loss", () => {
  it("goes on where its last row ended, and yields the same audio", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 4_000 }), fc.integer({ min: 1, max: 700 }), async (lostAt, piece) => {
        const store = new MemoryTapeStore();
        tapeOf(lostAt, piece, store);
        const reopened = new Tape(store, RATE);
        const { samples } = reopened.position;
        expect(samples).toBe(Math.floor(lostAt / 500) * 500);
        reopened.appendAudio(countingPcm(5_000 - samples, samples));
        reopened.end();
        expect(pcmOf(await bytesOf(reopened))).toEqual(countingPcm(5_000));
        expect(reopened.durationMs).toBe(5_000);
      }),
    );
  });

  it("knows the segment it was in, and how much of it is there", async () => {
    const store = new MemoryTapeStore();
    const tape = tapeOf(600, 100, store);
    tape.endSegment();
    expect(tape.position).toEqual({ segment: 1, segmentSamples: 0, samples: 600, changes: [] });
    tape.appendAudio(countingPcm(450));
    const reopened = new Tape(store, RATE);
    expect(reopened.position).toEqual({ segment: 1, segmentSamples: 400, samples: 1_000, changes: [] });
  });

  it("is one stream: a reader gets one format and one end", async () => {
    const store = new MemoryTapeStore();
    tapeOf(1_700, 100, store);
    const reopened = new Tape(store, RATE);
    reopened.end();
    const kinds = (await envelopesOf(reopened)).filter(({ type }) => type !== "audio");
    expect(kinds).toEqual([{ type: "event", event: { type: "format", sample_rate: RATE } }, { type: "end" }]);
    expect(concat(store.rows.map(({ bytes }) => bytes))).toEqual(await bytesOf(reopened));
  });
});
