import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { wavHeader } from "../../../protocol/wav.ts";
import { encodeTape } from "../../../worker/synthesis/encode.ts";
import { cutMessages } from "../../../worker/synthesis/message-cutter.ts";
import { Tape } from "../../../worker/synthesis/tape.ts";
import type { SpeechRequest } from "../../../worker/synthesis/speech-request.ts";
import { collect, concat, countingPcm } from "../bytes.ts";
import { MemoryTapeStore } from "./memory-tape.ts";

const NO_TRANSCODER = { waitMs: 0, stallMs: 0 };

const never = new AbortController().signal;

function requestFor(format: SpeechRequest["format"], rate: number): SpeechRequest {
  const voice = { provider: "p", voice: "v", language: "en", rateHz: rate };
  return { voices: [voice], text: "t", maxChars: 100, rateHz: rate, format, sampleRateHz: rate, region: "enam" };
}

function tapeOf(rate: number, samples: number, pieceSamples: number): Tape {
  const tape = new Tape(new MemoryTapeStore(), rate);
  for (let at = 0; at < samples; at += pieceSamples) {
    tape.appendAudio(countingPcm(Math.min(pieceSamples, samples - at), at));
  }
  tape.end();
  return tape;
}

async function encoded(tape: Tape, format: "pcm16" | "wav") {
  const { packets, sampleRateHz } = encodeTape(
    tape,
    requestFor(format, tape.sampleRateHz),
    undefined,
    NO_TRANSCODER,
    never,
  );
  expect(sampleRateHz).toBe(tape.sampleRateHz);
  return collect(packets);
}

describe("raw audio at the voice's own rate", () => {
  it("needs no transcoder and is the tape's samples", async () => {
    const packets = await encoded(tapeOf(16_000, 10_001, 333), "pcm16");
    expect(concat(packets.map(({ data }) => data))).toEqual(countingPcm(10_001));
    expect(packets.reduce((sum, { samples }) => sum + samples, 0)).toBe(10_001);
  });

  it("is the same packets, whatever pieces it was recorded in", async () => {
    const reference = await encoded(tapeOf(22_050, 30_000, 30_000), "pcm16");
    expect(reference.slice(0, -1).every(({ samples }) => samples === 441)).toBe(true);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5_000 }), async (piece) => {
        expect(await encoded(tapeOf(22_050, 30_000, piece), "pcm16")).toEqual(reference);
      }),
      { numRuns: 30 },
    );
  });

  it("as WAV has one header, which covers no time", async () => {
    const [header, ...audio] = await encoded(tapeOf(16_000, 1_000, 100), "wav");
    expect(header).toEqual({ samples: 0, data: wavHeader(16_000) });
    expect(concat(audio.map(({ data }) => data))).toEqual(countingPcm(1_000));
  });

  it("gives packets that do not change when more come", async () => {
    const tape = tapeOf(16_000, 3_200, 320);
    const first = await encodeTape(tape, requestFor("pcm16", 16_000), undefined, NO_TRANSCODER, never)
      .packets[Symbol.asyncIterator]()
      .next();
    const packets = await encoded(tape, "pcm16");
    expect(first.value).toEqual(packets[0]);
    expect(packets[0]!.data).toEqual(countingPcm(320));
  });

  it("makes the first message with the first 20 ms", async () => {
    const tape = tapeOf(16_000, 16_000, 200);
    const { packets, sampleRateHz } = encodeTape(tape, requestFor("wav", 16_000), undefined, NO_TRANSCODER, never);
    const [first] = await collect(cutMessages(packets, sampleRateHz));
    expect(first).toMatchObject({ seq: 1, endMs: 20, endByte: 44 + 640 });
  });

  it("of nothing is nothing, but for WAV its header", async () => {
    expect(await encoded(tapeOf(16_000, 0, 1), "pcm16")).toEqual([]);
    expect(await encoded(tapeOf(16_000, 0, 1), "wav")).toHaveLength(1);
  });
});

describe("any other format", () => {
  it("is refused when there is no transcoder", async () => {
    const tape = tapeOf(16_000, 100, 100);
    for (const request of [requestFor("mp3", 16_000), requestFor("pcm16", 8_000), requestFor("wav", 22_050)]) {
      const { packets } = encodeTape(tape, request, undefined, NO_TRANSCODER, never);
      await expect(collect(packets)).rejects.toMatchObject({ failure: { reason: "transcoder_unavailable" } });
    }
  });

  it("has its media time at the encoder's rate", async () => {
    const tape = tapeOf(16_000, 100, 100);
    expect(encodeTape(tape, requestFor("opus", 22_050), undefined, NO_TRANSCODER, never).sampleRateHz).toBe(24_000);
    expect(encodeTape(tape, requestFor("mp3", 22_050), undefined, NO_TRANSCODER, never).sampleRateHz).toBe(22_050);
  });
});
