/** The contract of a request that goes on in the middle of a stream. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeEnd } from "../../protocol/envelope.ts";
import { FORMATS, resamplerPeriod, resumePoint, type AudioFormat } from "../../protocol/formats.ts";
import { isCeltAlone, lastToc } from "../../protocol/opus-mode.ts";
import type { Service } from "../../service/http-service.ts";
import { startTranscoder } from "../../transcoder/server.ts";
import { between, seeded } from "../support/random.ts";
import { audioEnvelopes, body, formatEvent, OpenStream, transcode, type Query } from "./client.ts";
import { borders, bytesOf, encode, goOn, join, resample } from "./seam.ts";
import { decode } from "./decode.ts";
import { glide, rms } from "./signal.ts";

let service: Service;
beforeAll(async () => {
  service = await startTranscoder({ port: 0, host: "127.0.0.1" });
});
afterAll(() => service.close(0));

const FROM_HZ = 22_050;
const TO_HZ = 24_000;
const PCM = glide(FROM_HZ, 4);

/** Samples of a packet at 24 kHz, as the format event says. */
const FRAME: Record<AudioFormat, number> = {
  pcm16: 480,
  wav: 480,
  mulaw: 480,
  alaw: 480,
  opus: 480,
  mp3: 576,
  aac: 1024,
  flac: 1200,
};

const after = (bytes: Uint8Array, whole: Uint8Array) => Buffer.from(whole).subarray(whole.length - bytes.length);

describe.each(FORMATS)("%s", (format) => {
  const query = { format, sample_rate: TO_HZ };

  it("says how many samples a packet has", async () => {
    const { format: announced } = await transcode(service.url, query, body(PCM, FROM_HZ));
    expect(announced.frame).toBe(FRAME[format]);
  });

  it("given all of the input, is the original from any packet's end on", async () => {
    const whole = await transcode(service.url, query, body(PCM, FROM_HZ));
    for (const border of borders(whole).filter((_, index) => index % 7 === 0)) {
      const rest = await transcode(service.url, { ...query, output_sample: border }, body(PCM, FROM_HZ));
      expect(rest.error).toBeUndefined();
      expect(rest.format).toEqual(whole.format);
      expect(rest.samples).toBe(whole.samples - border);
      expect(Buffer.compare(rest.bytes, after(rest.bytes, whole.bytes))).toBe(0);
    }
  });

  it("given a run-up, has the original's delay, packets and end, and no header", async () => {
    const whole = await transcode(service.url, query, body(PCM, FROM_HZ));
    const border = borders(whole).find((sample) => sample > 2 * TO_HZ)!;
    const { inputSample } = resumePoint(format, TO_HZ, FROM_HZ, border);
    expect(inputSample).toBeGreaterThan(0);
    const at = { ...query, input_sample: inputSample, output_sample: border };
    const toc = format === "opus" ? { last_toc: 4 } : {};
    const input = PCM.subarray(inputSample);
    const rest = await transcode(service.url, { ...at, ...toc }, body(input, FROM_HZ));
    expect(rest.error).toBeUndefined();
    expect(rest.format).toEqual(whole.format);
    let end = 0;
    const expected = whole.audio.filter(({ samples }) => (end += samples) > border).map(({ samples }) => samples);
    expect(rest.audio.map(({ samples }) => samples)).toEqual(expected);

    const pieces = await transcode(service.url, { ...at, ...toc }, [
      formatEvent(FROM_HZ),
      ...audioEnvelopes(input, 37),
      encodeEnd(),
    ]);
    expect(Buffer.compare(pieces.bytes, rest.bytes)).toBe(0);
  });
});

describe("an Ogg stream that goes on", () => {
  it("keeps its serial and counts its pages and its granules further", async () => {
    const query = { format: "opus", sample_rate: TO_HZ };
    const whole = await transcode(service.url, query, body(PCM, FROM_HZ));
    for (const toc of [lastToc(whole.audio[9]!.data), 31 << 3]) {
      const border = borders(whole).find((sample) => sample > 2 * TO_HZ)!;
      const { inputSample } = resumePoint("opus", TO_HZ, FROM_HZ, border);
      const at = { input_sample: inputSample, output_sample: border, last_toc: toc };
      const rest = await transcode(service.url, { ...query, ...at }, body(PCM.subarray(inputSample), FROM_HZ));
      const pagesOf = (audio: typeof rest.audio) =>
        audio.map(({ data }) => {
          const page = Buffer.from(data);
          return { type: page[5], granule: page.readBigUInt64LE(6), serial: page[14], sequence: page.readUInt32LE(18) };
        });
      expect(pagesOf(rest.audio)).toEqual(pagesOf(whole.audio.slice(-rest.audio.length)));
    }
  });

  it("has no packet of SILK after that", async () => {
    const source = { format: "opus", fromHz: FROM_HZ, toHz: 16_000, pcm: PCM } as const;
    const whole = encode(source);
    const border = borders(whole).find((sample) => sample > 2 * 16_000)!;
    expect(isCeltAlone(lastToc(whole.audio.at(-1)!.data))).toBe(false);
    for (const { data } of goOn(source, whole, border).audio) expect(isCeltAlone(lastToc(data))).toBe(true);
  });
});

describe("a stream that loses its encoder again and again", () => {
  it.each(FORMATS)("is one stream as long as the uncut one: %s", async (format) => {
    const source = { format, fromHz: FROM_HZ, toHz: TO_HZ, pcm: PCM };
    const uncut = encode(source);
    const starts = [0.1, 0.7, 1.5, 1.6, 2.9, 3.9].map((seconds) =>
      borders(uncut).find((border) => border >= seconds * TO_HZ)!,
    );
    const whole = starts.reduce((stream, border) => join(stream, border, goOn(source, stream, border)), uncut);
    expect(whole.samples).toBe(uncut.samples);
    const [heard, expected] = [await decode(format, whole), await decode(format, uncut)];
    expect(heard.samples.length).toBe(expected.samples.length);
    expect(rms(heard.samples)).toBeCloseTo(rms(expected.samples), 2);
  });
});

describe("a resampler that starts in the middle", () => {
  // Where the filter's phases are no whole number, single samples depend on where the blocks end.
  it.each([
    [22_050, 24_000],
    [22_050, 11_111],
    [16_000, 24_000],
    [33_699, 22_166],
    [37_042, 23_163],
    [16_490, 16_434],
  ])("makes the same samples once its filter is full: %d Hz to %d Hz", (fromHz, toHz) => {
    const random = seeded(11);
    const noise = Int16Array.from({ length: fromHz * 12 }, () => between(random, -20_000, 20_000));
    const whole = resample(noise, fromHz, toHz);
    const period = resamplerPeriod(fromHz, toHz);
    for (const firstSample of [period, 2 * period, period * Math.floor((5 * fromHz) / period)]) {
      const start = (firstSample / fromHz) * toHz;
      const filled = Math.ceil(toHz / 50);
      const again = resample(noise.subarray(firstSample), fromHz, toHz, firstSample);
      expect(again.length).toBe(whole.length - start);
      expect(Buffer.compare(bytesOf(again.subarray(filled)), bytesOf(whole.subarray(start + filled)))).toBe(0);
    }
  });
});

describe("a point at which no encoder can go on", () => {
  const MP3 = { format: "mp3", sample_rate: TO_HZ };
  const OPUS = { format: "opus", sample_rate: TO_HZ };
  const WHOLE = "must be a whole number of samples from 0 to 99999999999";
  const refused: [Query, string][] = [
    [{ ...MP3, input_sample: -1 }, `input_sample ${WHOLE}`],
    [{ ...MP3, input_sample: "some" }, `input_sample ${WHOLE}`],
    [{ ...MP3, output_sample: "" }, `output_sample ${WHOLE}`],
    [{ ...MP3, output_sample: 57.6 }, `output_sample ${WHOLE}`],
    [{ ...MP3, output_sample: 100_000_000_000 }, `output_sample ${WHOLE}`],
    [
      { ...MP3, input_sample: 147 },
      "input_sample must be 0 where output_sample is 0: a stream begins with the first sample",
    ],
    [{ ...MP3, output_sample: 577 }, "output_sample of mp3 at 24000 Hz must be a multiple of 576, not 577"],
    [{ ...OPUS, output_sample: 480 * 3 }, "output_sample of opus must be the end of a page, such as 1920, not 1440"],
    [
      { ...OPUS, input_sample: 147, output_sample: 480 * 4 },
      "last_toc of opus must be the first byte of the packet before output_sample, from 0 to 255",
    ],
    [
      { ...OPUS, input_sample: 147, output_sample: 480 * 4, last_toc: 256 },
      "last_toc of opus must be the first byte of the packet before output_sample, from 0 to 255",
    ],
  ];

  it.each(refused)("is a 400 where the query tells: %o", async (query, message) => {
    const stream = new OpenStream(service.url, query);
    expect(await stream.status()).toBe(400);
    expect(await stream.json()).toEqual({ error: { reason: "invalid_request", message, retryable: false } });
    stream.leave();
  });

  it.each([
    [
      { ...MP3, input_sample: 148, output_sample: 57_600 },
      "input_sample must be a multiple of 147 for input of 22050 Hz, not 148",
    ],
    [
      { ...MP3, input_sample: 147 * 4, output_sample: 576 },
      "output_sample is 576, but the input begins after it, at 640",
    ],
    [{ ...MP3, output_sample: 576 * 1000 }, "output_sample is 576000, but the stream ends at 97344"],
  ])("ends the stream where only the input tells: %o", async (query, message) => {
    const { error } = await transcode(service.url, query, body(PCM, FROM_HZ));
    expect(error).toEqual({ reason: "invalid_input", message, retryable: false });
  });
});
