import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AudioFormat } from "../../../protocol/formats.ts";
import { encode, runUpStart } from "../../../worker/upstreams/encoder.ts";
import { PcmBuffer } from "../../../worker/upstreams/pcm-buffer.ts";
import { concat, countingPcm } from "../bytes.ts";
import { json, fakeServer } from "../fake-server.ts";
import { fakeEncoder, type Fault } from "./fake-encoder.ts";

const RATE = 1_000;
const never = new AbortController().signal;
const limits = { waitMs: 2_000, stallMs: 100 };
const lostAfter = (afterPackets: number): Fault => ({ afterPackets, by: "error" });

beforeEach(() => void vi.spyOn(console, "log").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

interface Stream {
  samples?: number;
  /** Where it goes on: an object before this one was lost. */
  outputSample?: number;
  format?: AudioFormat;
}

/** What comes of a stream at 1000 Hz, spoken as fast as there is room for it. */
async function encoded(
  transcoder: Awaited<ReturnType<typeof fakeServer>>,
  { samples = 3_000, outputSample = 0, format = "flac" }: Stream = {},
) {
  const target = { format, sampleRateHz: RATE };
  const start = runUpStart(target, RATE, outputSample);
  const lastPacket = outputSample > 0 ? Uint8Array.of(0) : undefined;
  const pcm = new PcmBuffer(RATE, start);
  const lost: number[] = [];
  const stopped = new AbortController();
  const speaking = (async () => {
    while (pcm.end < samples) {
      await pcm.room(stopped.signal);
      pcm.push(countingPcm(Math.min(25, samples - pcm.end), pcm.end));
    }
    pcm.finish();
  })();
  const headers: number[] = [];
  const pieces: Uint8Array[] = [];
  const encoder = { transcoder, target, limits, onLost: (count: number) => void lost.push(count) };
  let error: unknown;
  try {
    for await (const piece of encode(encoder, pcm, { outputSample, lastPacket }, never)) {
      if (piece.type === "event") continue;
      if (piece.samples === 0) headers.push(piece.data.length);
      else pieces.push(piece.data);
    }
    await speaking;
  } catch (thrown) {
    error = thrown;
    stopped.abort(new Error("over"));
    await speaking.catch(() => {});
  }
  return { heard: [...new Int16Array(concat(pieces).buffer)], headers, lost, error };
}

const counting = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe("an encoded stream", () => {
  it("is one encoder's, if that is not lost, whose input begins with the stream", async () => {
    await using server = await fakeEncoder([], 44);
    const { heard, headers, lost, error } = await encoded(server);
    expect([error, lost, headers, server.points]).toEqual([undefined, [], [44], [{ input: 0, output: 0 }]]);
    expect(heard).toEqual(counting(0, 3_000));
  });

  it.each(["cut", "silence", "error"] as const)(
    "whose encoder is lost by %s goes on behind its last packet: none is missing, none comes twice",
    async (by) => {
      await using server = await fakeEncoder(
        [
          { afterPackets: 150, by },
          { afterPackets: 70, by },
        ],
        44,
      );
      const { heard, headers, lost, error } = await encoded(server);
      expect(error).toBeUndefined();
      expect(heard).toEqual(counting(0, 3_000));
      expect(headers).toEqual([44]);
      // The points are those of resumePoint: FLAC hears a run-up of 20 ms.
      expect(server.points).toEqual([
        { input: 0, output: 0 },
        { input: 1_480, output: 1_500 },
        { input: 2_180, output: 2_200 },
      ]);
      expect(lost).toHaveLength(2);
    },
  );

  it("whose encoder is lost behind its last packet is whole, and no other is asked", async () => {
    for (const samples of [3_000, 2_993]) {
      await using server = await fakeEncoder([lostAfter(300)]);
      const { heard, error } = await encoded(server, { samples });
      expect(error).toBeUndefined();
      expect(heard).toEqual(counting(0, samples));
      expect(server.points).toHaveLength(1);
    }
  });

  it("without a sound is not taken for whole before it has its header", async () => {
    await using server = await fakeEncoder([lostAfter(0)], 44);
    const { headers, error } = await encoded(server, { samples: 0 });
    expect([error, headers]).toEqual([undefined, [44]]);
    await using nobody = await fakeServer(json({}, 503));
    expect((await encoded(nobody, { samples: 0 })).error).toMatchObject({
      failure: { reason: "transcoder_unavailable" },
    });
  });

  it("whose encoder is lost behind its header has one header", async () => {
    await using server = await fakeEncoder([lostAfter(0), lostAfter(0)], 44);
    const { heard, headers } = await encoded(server);
    expect(headers).toEqual([44]);
    expect(heard).toEqual(counting(0, 3_000));
    expect(server.points).toEqual(Array.from({ length: 3 }, () => ({ input: 0, output: 0 })));
  });

  it("is given up after three encoders that got it no further", async () => {
    await using server = await fakeEncoder([lostAfter(30), ...Array.from({ length: 9 }, () => lostAfter(0))]);
    const { heard, error } = await encoded(server);
    expect(error).toMatchObject({ failure: { reason: "transcoder_failed" } });
    expect(heard).toEqual(counting(0, 300));
    expect(server.points).toHaveLength(4);
  });

  it("has three attempts again after every one that got it further", async () => {
    const faults = Array.from({ length: 6 }, () => [lostAfter(0), lostAfter(0), lostAfter(3)]).flat();
    await using server = await fakeEncoder(faults);
    const { heard, error } = await encoded(server);
    expect(error).toBeUndefined();
    expect(heard).toEqual(counting(0, 3_000));
    expect(server.points).toHaveLength(19);
  });

  it("whose transcoder cannot be reached is not tried again and again", async () => {
    await using server = await fakeServer(json({}, 503));
    const started = performance.now();
    const { error, lost } = await encoded(server, { samples: 10 });
    expect(error).toMatchObject({ failure: { reason: "transcoder_unavailable" } });
    expect(lost).toEqual([]);
    expect(performance.now() - started).toBeLessThan(2 * limits.waitMs);
  });

  it("has at most a run-up and a second encoded again for a loss", async () => {
    const runUps = { flac: 20, mp3: 400 } as const;
    for (const format of ["flac", "mp3"] as const) {
      // Encoders that take all that they can, and are given up for what they hold back.
      const silent = (afterPackets: number): Fault => ({ afterPackets, by: "silence" });
      await using server = await fakeEncoder([silent(400), silent(10), silent(0), silent(50)]);
      const { heard, lost, error } = await encoded(server, { samples: 9_000, format });
      expect([error, heard.length, lost.length]).toEqual([undefined, 9_000, 4]);
      for (const samples of lost) expect(samples).toBeLessThanOrEqual(1_000 + runUps[format]);
      expect(Math.max(...lost)).toBe(1_000 + runUps[format]);
    }
  });

  it("goes on in the middle after the loss of an object, with the run-up of its format", async () => {
    for (const format of ["flac", "mp3"] as const) {
      await using server = await fakeEncoder([], 44);
      const { heard, headers } = await encoded(server, { outputSample: 2_000, format });
      expect(heard).toEqual(counting(2_000, 3_000));
      expect(headers).toEqual([]);
      expect(server.points).toEqual([{ input: format === "mp3" ? 1_600 : 1_980, output: 2_000 }]);
    }
  });
});
