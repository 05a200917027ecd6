import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeAudio, encodeEnd } from "../../protocol/envelope.ts";
import { FORMATS } from "../../protocol/formats.ts";
import type { Service } from "../../service/http-service.ts";
import { StreamEncoder } from "../../transcoder/stream-encoder.ts";
import { startTranscoder } from "../../transcoder/server.ts";
import { body, formatEvent, transcode, type Transcoded } from "./client.ts";
import { glide } from "./signal.ts";

let service: Service;
beforeAll(async () => {
  service = await startTranscoder({ port: 0, host: "127.0.0.1" });
});
afterAll(() => service.close(0));

/** `bytes` cut at pieces of these sizes, over and over. */
function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += pieces.at(-1)!.length) {
    pieces.push(bytes.subarray(at, at + sizes[pieces.length % sizes.length]!));
  }
  return pieces;
}

function bytesOf(pcm: Int16Array): Uint8Array {
  return new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
}

const sizes = (max: number) => fc.array(fc.integer({ min: 1, max }), { minLength: 1, maxLength: 8 });

function envelopesOf({ format, audio }: Transcoded): unknown {
  return { format, audio: audio.map(({ samples, data }) => ({ samples, data: Buffer.from(data).toString("base64") })) };
}

/** Through a bare encoder, to a rate that every other must be resampled to. */
function encode(rates: readonly { hz: number; pcm: Int16Array }[], pieceBytes: readonly number[]) {
  using encoder = new StreamEncoder({ format: "pcm16", sampleRateHz: 11_111, bitrate: undefined });
  const pieces = rates.flatMap(({ hz, pcm }) => [
    ...encoder.setInputRate(hz),
    ...cut(bytesOf(pcm), pieceBytes).flatMap((piece) => [...encoder.push(piece)]),
  ]);
  return [...pieces, ...encoder.finish()];
}

describe.each(FORMATS)("%s", (format) => {
  it.each([
    { from: 24_000, to: 24_000 },
    { from: 22_050, to: 16_000 },
  ])("over HTTP has the same envelopes however the input is cut: $from Hz to $to Hz", async ({ from, to }) => {
    const pcm = glide(from, 0.43);
    const query = { format, sample_rate: to };
    const whole = envelopesOf(await transcode(service.url, query, body(pcm, from)));
    await fc.assert(
      fc.asyncProperty(sizes(4_000), sizes(3_000), async (envelopeSamples, chunkBytes) => {
        const envelopes = cut(
          bytesOf(pcm),
          envelopeSamples.map((samples) => samples * 2),
        ).map((piece) => encodeAudio(piece.length / 2, piece));
        const stream = Buffer.concat([formatEvent(from), ...envelopes, encodeEnd()]);
        expect(envelopesOf(await transcode(service.url, query, cut(stream, chunkBytes)))).toEqual(whole);
      }),
      { numRuns: 8 },
    );
  });
});

describe("the encoder", () => {
  // libswresample alone fails this one, fed sample by sample.
  it("resamples 22050 Hz to 11111 Hz the same sample by sample", () => {
    const pcm = glide(22_050, 1);
    expect(encode([{ hz: 22_050, pcm }], [2])).toEqual(encode([{ hz: 22_050, pcm }], [100_000]));
  });

  it("holds a steady level to the last sample, whatever the rate", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_000, max: 96_000 }), fc.integer({ min: 0, max: 3_000 }), (hz, length) => {
        const pieces = encode([{ hz, pcm: new Int16Array(length).fill(10_000) }], [1_000]);
        const samples = pieces.flatMap(({ data }) => [...new Int16Array(data.slice().buffer)]);
        expect(samples.every((sample) => Math.abs(sample - 10_000) < 600)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("resamples any input the same in any pieces, also over changes of rate, and loses nothing", () => {
    const part = fc.record({
      hz: fc.oneof(fc.constantFrom(8_000, 11_111, 22_050, 24_000, 48_000), fc.integer({ min: 1_000, max: 96_000 })),
      pcm: fc.int16Array({ maxLength: 3_000 }),
    });
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 3 }), sizes(900), (parts, samples) => {
        // Parts of one rate in a row are one part.
        const distinct = parts.filter(({ hz }, index) => hz !== parts[index - 1]?.hz);
        const pieces = encode(
          distinct,
          samples.map((count) => count * 2),
        );
        expect(pieces).toEqual(encode(distinct, [1_000_000]));
        const expected = distinct.reduce((sum, { hz, pcm }) => sum + Math.ceil((pcm.length * 11_111) / hz), 0);
        expect(pieces.reduce((sum, piece) => sum + piece.samples, 0)).toBe(expected);
      }),
      { numRuns: 150 },
    );
  });
});
