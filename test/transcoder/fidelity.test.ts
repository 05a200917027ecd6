import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FORMATS, type AudioFormat } from "../../protocol/formats.ts";
import type { Service } from "../../service/http-service.ts";
import { startTranscoder } from "../../transcoder/server.ts";
import { body, formatEvent, transcode, type Transcoded } from "./client.ts";
import { decode } from "./decode.ts";
import { largestStep, pitch, rms, stepOfTone, tone } from "./signal.ts";
import { encodeEnd } from "../../protocol/envelope.ts";

const TONE_HZ = 440;
const SECONDS = 1.237; // no whole number of anyone's frames

const MPEG_RATES = [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
const ANY_RATES = [8_000, 11_111, 16_000, 22_050, 24_000, 44_100, 48_000];
const RATES: Record<AudioFormat, number[]> = {
  pcm16: ANY_RATES,
  wav: ANY_RATES,
  mulaw: ANY_RATES,
  alaw: ANY_RATES,
  flac: ANY_RATES,
  opus: ANY_RATES,
  mp3: MPEG_RATES,
  aac: MPEG_RATES,
};

/** Encoder delay in seconds, as each announces it. */
function delaySeconds({ format }: Transcoded): number {
  return (format.delay ?? 0) / format.sample_rate;
}

let service: Service;
beforeAll(async () => {
  service = await startTranscoder({ port: 0, host: "127.0.0.1" });
});
afterAll(() => service.close(0));

describe.each(FORMATS)("%s", (format) => {
  const cases = RATES[format].flatMap((to) => [...new Set([22_050, to])].map((from) => ({ from, to })));

  it.each(cases)("decodes to what went in: $from Hz to $to Hz", async ({ from, to }) => {
    const encoded = await transcode(service.url, { format, sample_rate: to }, body(tone(TONE_HZ, from, SECONDS), from));
    expect(encoded.error).toBeUndefined();
    const { samples, sampleRateHz } = await decode(format, encoded);

    // Length: what the envelopes say, less what an Ogg decoder drops by itself.
    const preSkip = format === "opus" ? delaySeconds(encoded) : 0;
    const announced = encoded.samples / encoded.format.sample_rate - preSkip;
    expect(samples.length).toBe(Math.round(announced * sampleRateHz));
    const padding = announced - SECONDS - (delaySeconds(encoded) - preSkip);
    expect(padding).toBeGreaterThan(-1.5 / to);
    expect(padding).toBeLessThan(format === "mp3" || format === "aac" ? (2 * 1152) / to : 1.5 / to);

    // The tone, without the codec's own attack and decay.
    const start = Math.round((delaySeconds(encoded) - preSkip) * sampleRateHz);
    const voiced = samples.subarray(start, start + Math.floor(SECONDS * sampleRateHz));
    const middle = voiced.subarray(Math.floor(voiced.length * 0.1), Math.floor(voiced.length * 0.9));
    expect(rms(middle)).toBeGreaterThan(0.354 * 0.9);
    expect(rms(middle)).toBeLessThan(0.354 * 1.1);
    expect(pitch(middle, sampleRateHz)).toBeCloseTo(TONE_HZ, 0);
    expect(largestStep(middle)).toBeLessThan(stepOfTone(TONE_HZ, sampleRateHz) * 1.15 + 0.035);
  });

  it("is whole when nothing is said", async () => {
    for (const chunks of [body(new Int16Array(0), 22_050), [encodeEnd()], [formatEvent(22_050), encodeEnd()]]) {
      const encoded = await transcode(service.url, { format, sample_rate: 24_000 }, chunks);
      expect(encoded.error).toBeUndefined();
      const { samples } = encoded.samples > 0 ? await decode(format, encoded) : { samples: [] };
      expect(samples.length).toBe(encoded.samples);
    }
  });

  it("keeps the shortest inputs", async () => {
    for (const length of [1, 2, 17, 40]) {
      const pcm = new Int16Array(length).fill(1000);
      const encoded = await transcode(service.url, { format, sample_rate: 24_000 }, body(pcm, 16_000));
      expect(encoded.error).toBeUndefined();
      expect(encoded.samples - encoded.format.delay!).toBeGreaterThanOrEqual(Math.ceil(length * 1.5));
    }
  });
});

describe("lossless formats", () => {
  it("give back every sample when the rate is the same", async () => {
    const pcm = tone(TONE_HZ, 22_050, SECONDS);
    for (const format of ["pcm16", "wav", "flac"] as const) {
      const encoded = await transcode(service.url, { format, sample_rate: 22_050 }, body(pcm, 22_050));
      const { samples } = await decode(format, encoded);
      expect(Int16Array.from(samples, (sample) => Math.round(sample * 32_768))).toEqual(pcm);
    }
  });
});

describe("containers", () => {
  const pcm = tone(TONE_HZ, 16_000, SECONDS);

  it.each([
    ["wav", "RIFF"],
    ["opus", "OpusHead"],
    ["flac", "fLaC"],
  ] as const)("%s has its header once, first, and of no duration", async (format, magic) => {
    const { audio, bytes } = await transcode(service.url, { format, sample_rate: 16_000 }, body(pcm, 16_000));
    expect(audio[0]!.samples).toBe(0);
    expect(Buffer.from(audio[0]!.data).includes(magic)).toBe(true);
    expect(Buffer.from(bytes).toString("latin1").split(magic)).toHaveLength(2);
    expect(audio.slice(1).every(({ samples }) => samples > 0)).toBe(true);
  });

  it("WAV says that its length is not known", async () => {
    const { bytes } = await transcode(service.url, { format: "wav", sample_rate: 16_000 }, body(pcm, 16_000));
    expect(Buffer.from(bytes).readUInt32LE(4)).toBe(0xffffffff);
    expect(Buffer.from(bytes).readUInt32LE(40)).toBe(0xffffffff);
  });

  it("MP3 has neither a Xing frame nor ID3, and each envelope is one frame", async () => {
    const { audio, bytes } = await transcode(service.url, { format: "mp3", sample_rate: 16_000 }, body(pcm, 16_000));
    const text = Buffer.from(bytes).toString("latin1");
    for (const mark of ["Xing", "Info", "ID3", "TAG"]) expect(text).not.toContain(mark);
    for (const { data, samples } of audio) {
      expect([data[0], data[1]! & 0xe0, samples]).toEqual([0xff, 0xe0, 576]);
    }
  });

  it("AAC is one ADTS frame an envelope", async () => {
    const { audio } = await transcode(service.url, { format: "aac", sample_rate: 16_000 }, body(pcm, 16_000));
    for (const { data, samples } of audio) {
      expect([data[0], data[1]! & 0xf6, samples]).toEqual([0xff, 0xf0, 1024]);
      expect(((data[3]! & 3) << 11) | (data[4]! << 3) | (data[5]! >> 5)).toBe(data.length);
    }
  });

  it("Ogg pages grow from 20 ms to 100 ms as the messages do, and the last ends exactly where the audio does", async () => {
    const { audio, format } = await transcode(service.url, { format: "opus", sample_rate: 11_025 }, body(pcm, 16_000));
    expect(format).toEqual({ type: "format", sample_rate: 12_000, delay: 78, frame: 240 });
    const [header, ...pages] = audio.map(({ data, samples }) => ({ page: Buffer.from(data), samples }));
    expect(header!.page.readUInt32LE(28 + 12)).toBe(11_025); // input sample rate
    const ramp = [240, 240, 480, 720, 960];
    const pageSamples = pages.map(({ samples }) => samples).slice(0, -1);
    expect(pageSamples).toEqual([...ramp, ...Array(pages.length - 1 - ramp.length).fill(1_200)]);
    let position = 0;
    for (const [index, { page, samples }] of pages.entries()) {
      position += samples;
      expect(page.toString("latin1", 0, 4)).toBe("OggS");
      expect(page[5]).toBe(index === pages.length - 1 ? 4 : 0);
      expect(page.readBigUInt64LE(6)).toBe(BigInt(position * 4)); // 48 kHz
      expect(page.readUInt32LE(18)).toBe(index + 2);
    }
    expect(position).toBe(78 + Math.ceil((pcm.length * 12_000) / 16_000));
  });

  it("the bit rate is the one asked for", async () => {
    const asked: [AudioFormat, number, number][] = [
      ["mp3", 24_000, 32_000],
      ["mp3", 44_100, 128_000],
      ["aac", 24_000, 32_000],
      ["opus", 24_000, 16_000],
      ["opus", 48_000, 256_000], // packets longer than an Ogg segment
    ];
    for (const [format, rate, bitrate] of asked) {
      const query = { format, sample_rate: rate, bitrate };
      const encoded = await transcode(service.url, query, body(tone(TONE_HZ, rate, 4), rate));
      const { bytes, samples } = encoded;
      const decoded = await decode(format, encoded);
      expect(pitch(decoded.samples.subarray(rate, -rate), decoded.sampleRateHz)).toBeCloseTo(TONE_HZ, 0);
      const ratio = (bytes.length * 8 * rate) / samples / bitrate;
      expect(ratio).toBeGreaterThan(0.5);
      expect(ratio).toBeLessThan(format === "opus" ? 2.5 : 1.1); // opus: a target that a sine overruns
    }
  });
});
