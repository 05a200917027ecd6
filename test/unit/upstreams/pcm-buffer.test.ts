import * as fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { PcmBuffer } from "../../../worker/upstreams/pcm-buffer.ts";
import { collect, concat, countingPcm } from "../bytes.ts";

const RATE = 1_000; // a sample is a ms
const never = new AbortController().signal;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Whether a promise settles while nothing else happens. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  await turn();
  return settled;
}

/** Reads all that is handed out now; what was read so far can be looked at. */
function reading(buffer: PcmBuffer, from: number, signal = never) {
  const pieces: Uint8Array[] = [];
  const done = (async () => {
    for await (const piece of buffer.read(from, signal)) pieces.push(piece.slice());
  })();
  done.catch(() => {});
  return {
    done,
    get samples() {
      return Int16Array.from(new Int16Array(concat(pieces).buffer));
    },
  };
}

describe("a PCM buffer", () => {
  it("hands out at most a second that is unanswered", async () => {
    const buffer = new PcmBuffer(RATE, 0);
    for (let at = 0; at < 5_000; at += 100) buffer.push(countingPcm(100, at));
    const reader = reading(buffer, 0);
    await turn();
    expect(reader.samples).toHaveLength(1_000);
    buffer.answer(300, 0);
    await turn();
    expect(reader.samples).toHaveLength(1_300);
    buffer.answer(100, 0); // an encoder that goes on answers from before
    await turn();
    expect(reader.samples).toHaveLength(1_300);
    const another = buffer.read(0, never);
    expect((await another.next()).value).toHaveLength(200);
    expect(buffer.furthestRead).toBe(1_300);
    const third = reading(buffer, 0);
    await turn();
    expect(third.samples).toHaveLength(1_300);
  });

  it("gives a reader that nothing comes for an empty piece now and then, so that its stream is not taken for dead", async () => {
    vi.useFakeTimers();
    const buffer = new PcmBuffer(RATE, 0);
    const lengths: number[] = [];
    const done = (async () => {
      for await (const piece of buffer.read(0, never)) lengths.push(piece.length);
    })();
    await vi.advanceTimersByTimeAsync(95_000);
    buffer.push(countingPcm(10));
    await vi.advanceTimersByTimeAsync(20_000);
    buffer.finish();
    await vi.advanceTimersByTimeAsync(0);
    await done;
    expect(lengths).toEqual([0, 0, 0, 20]);
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  it("lets who speaks wait while a second of it is unanswered", async () => {
    const buffer = new PcmBuffer(RATE, 0);
    buffer.push(countingPcm(999));
    expect(await isSettled(buffer.room(never))).toBe(true);
    buffer.push(countingPcm(1, 999));
    const room = buffer.room(never);
    expect(await isSettled(room)).toBe(false);
    buffer.answer(1, 0);
    await room;
  });

  it("is owed an answer when its encoder may have all that it gets, and not before", () => {
    const buffer = new PcmBuffer(RATE, 500);
    expect(buffer.isOwed).toBe(false);
    buffer.push(countingPcm(999));
    expect(buffer.isOwed).toBe(false);
    buffer.push(countingPcm(1));
    expect(buffer.isOwed).toBe(true);
    buffer.answer(501, 0);
    expect(buffer.isOwed).toBe(false);
    buffer.finish();
    expect(buffer.isOwed).toBe(true);
  });

  it("keeps all that another encoder would need, and nothing before the piece that holds it", async () => {
    const buffer = new PcmBuffer(RATE, 0);
    for (let at = 0; at < 1_000; at += 100) buffer.push(countingPcm(100, at));
    buffer.answer(900, 450);
    buffer.finish();
    const samples = async (from: number) => new Int16Array(concat(await collect(buffer.read(from, never))).buffer);
    for (const from of [400, 450, 999]) expect((await samples(from))[0]).toBe(from);
    expect(await samples(400)).toHaveLength(600);
    await expect(samples(399)).rejects.toThrow("PCM from 399 on is wanted, and kept from 400 on");
    buffer.answer(1_000, 900);
    expect(await samples(950)).toHaveLength(50);
    await expect(samples(899)).rejects.toThrow(RangeError);
  });

  it("counts from the sample that it begins with", async () => {
    const buffer = new PcmBuffer(RATE, 30_000);
    expect([buffer.end, buffer.furthestRead]).toEqual([30_000, 30_000]);
    buffer.push(countingPcm(1_500, 30_000));
    const reader = reading(buffer, 30_500);
    await turn();
    expect([...reader.samples]).toEqual(Array.from({ length: 500 }, (_, i) => 30_500 + i));
    expect([buffer.end, buffer.furthestRead]).toEqual([31_500, 31_000]);
  });

  it("ends its readers when it is finished and all of it was answered far enough", async () => {
    const buffer = new PcmBuffer(RATE, 0);
    const reader = reading(buffer, 0);
    buffer.push(countingPcm(1_200));
    buffer.finish();
    expect(await isSettled(reader.done)).toBe(false);
    buffer.answer(200, 0);
    await reader.done;
    expect(reader.samples).toHaveLength(1_200);
  });

  it("ends a reader that goes on behind its end", async () => {
    const buffer = new PcmBuffer(RATE, 0);
    buffer.push(countingPcm(10));
    buffer.finish();
    for (const from of [10, 50]) expect(await collect(buffer.read(from, never))).toEqual([]);
  });

  it("lets go of whoever waits when it is aborted", async () => {
    const buffer = new PcmBuffer(RATE, 0);
    buffer.push(countingPcm(1_000));
    const controller = new AbortController();
    const room = buffer.room(controller.signal);
    const reader = reading(buffer, 0, controller.signal);
    await turn();
    controller.abort(new Error("enough"));
    await expect(room).rejects.toThrow("enough");
    await expect(reader.done).rejects.toThrow("enough");
    expect(reader.samples).toHaveLength(1_000);
    await expect(buffer.room(controller.signal)).rejects.toThrow("enough");
  });

  it("hands out every sample once and in order, whatever pieces come and however they are answered", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 1_700 }), { minLength: 1, maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 5 }),
        fc.nat(2_000),
        async (pieces, answers, start) => {
          const buffer = new PcmBuffer(RATE, start);
          const reader = reading(buffer, start);
          const speaking = (async () => {
            for (const samples of pieces) {
              await buffer.room(never);
              buffer.push(countingPcm(samples, buffer.end));
            }
            buffer.finish();
          })();
          let answered = start;
          for (let i = 0; !(await isSettled(reader.done)); i++) {
            expect(buffer.furthestRead - answered).toBeLessThanOrEqual(1_000);
            answered = Math.min(buffer.furthestRead, answered + answers[i % answers.length]!);
            buffer.answer(answered, answered - 50);
          }
          await speaking;
          expect([...reader.samples]).toEqual(Array.from({ length: buffer.end - start }, (_, i) => start + i));
        },
      ),
      { numRuns: 50 },
    );
  });
});
