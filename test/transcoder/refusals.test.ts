import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { encodeAudio, encodeEnd, encodeEvent } from "../../protocol/envelope.ts";
import type { Service } from "../../service/http-service.ts";
import { startTranscoder } from "../../transcoder/server.ts";
import { audioEnvelopes, body, formatEvent, info, OpenStream, transcode, type Query } from "./client.ts";
import { glide } from "./signal.ts";

const INPUT_IDLE_MS = 300;
const OUTPUT_STALLED_MS = 600;

let service: Service;
beforeAll(async () => {
  const limits = { inputIdleMs: INPUT_IDLE_MS, outputStalledMs: OUTPUT_STALLED_MS };
  service = await startTranscoder({ port: 0, host: "127.0.0.1", ...limits });
});
afterAll(() => service.close(0));

/** Whatever happened, nothing may be left open. */
afterEach(() =>
  vi.waitFor(async () => {
    const { active_streams: streams, open_encoders: encoders } = await info(service.url);
    if (streams + encoders > 0) throw new Error(`${streams} streams and ${encoders} encoders are still open`);
  }),
);

const PCM = glide(22_050, 0.2);
const MP3 = { format: "mp3", sample_rate: 24_000 };

describe("a query that cannot be met is a 400 that says what is allowed", () => {
  const refused: [Query, string][] = [
    [{ sample_rate: 24_000 }, "format must be one of pcm16, mulaw, alaw, opus, mp3, wav, flac, aac"],
    [{ format: "ogg", sample_rate: 24_000 }, "format must be one of pcm16, mulaw, alaw, opus, mp3, wav, flac, aac"],
    [{ format: "pcm16" }, "sample_rate of pcm16 must be a whole number of Hz from 8000 to 48000"],
    [{ format: "wav", sample_rate: 7_999 }, "sample_rate of wav must be a whole number of Hz from 8000 to 48000"],
    [{ format: "opus", sample_rate: "16000.5" }, "sample_rate of opus must be a whole number of Hz from 8000 to 48000"],
    [{ format: "opus", sample_rate: "1e4" }, "sample_rate of opus must be a whole number of Hz from 8000 to 48000"],
    [
      { format: "mp3", sample_rate: 11_111 },
      "sample_rate of mp3 must be one of 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000 Hz",
    ],
    [
      { format: "aac", sample_rate: 96_000 },
      "sample_rate of aac must be one of 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000 Hz",
    ],
    [{ ...MP3, bitrate: 320_000 }, "bitrate of mp3 at 24000 Hz must be from 8000 to 160000 bits per second"],
    [{ ...MP3, bitrate: "fast" }, "bitrate of mp3 at 24000 Hz must be from 8000 to 160000 bits per second"],
    [
      { format: "opus", sample_rate: 11_025, bitrate: 1 },
      "bitrate of opus at 11025 Hz must be from 6000 to 256000 bits per second",
    ],
    [
      { format: "aac", sample_rate: 8_000, bitrate: 48_001 },
      "bitrate of aac at 8000 Hz must be from 8000 to 48000 bits per second",
    ],
    [
      { format: "flac", sample_rate: 24_000, bitrate: 64_000 },
      "bitrate is not for flac: only opus, mp3 and aac have one",
    ],
  ];

  it.each(refused)("%o", async (query, message) => {
    const stream = new OpenStream(service.url, query);
    expect(await stream.status()).toBe(400);
    expect(await stream.json()).toEqual({ error: { reason: "invalid_request", message, retryable: false } });
    stream.leave();
  });

  it("also while the body is on its way", async () => {
    const stream = new OpenStream(service.url, { format: "nothing" });
    await stream.send(...body(PCM, 22_050));
    stream.end();
    expect(await stream.status()).toBe(400);
  });
});

describe("input that makes no sense ends the stream with an error", () => {
  const whole = Buffer.concat(body(PCM, 22_050));
  const refused: [string, Uint8Array[], string][] = [
    ["audio before a format", [encodeAudio(1, new Uint8Array(2))], "audio came before a format event"],
    [
      "half a sample",
      [formatEvent(22_050), encodeAudio(1, new Uint8Array(3))],
      "an audio envelope's 3 bytes are not whole 16-bit samples",
    ],
    [
      "a wrong count of samples",
      [formatEvent(22_050), encodeAudio(7, new Uint8Array(4))],
      "an audio envelope of 4 bytes says it has 7 samples",
    ],
    ["a rate too low", [formatEvent(999)], "a format event's sample_rate must be from 1000 to 384000, not 999"],
    ["a rate too high", [formatEvent(384_001)], "a format event's sample_rate must be from 1000 to 384000, not 384001"],
    ["a rate of zero", [formatEvent(0)], "a format event's sample_rate must be a positive whole number"],
    ["an unknown envelope", [Uint8Array.of(9, 0, 0, 0, 0)], "unknown envelope flags 0x09"],
    [
      "an envelope over the limit",
      [Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff)],
      "an envelope of 4294967295 bytes is over the limit",
    ],
    ["broken JSON", [Uint8Array.of(1, 0, 0, 0, 1, 0x7b)], "an envelope's JSON cannot be parsed"],
    ["bytes after the end", [whole, encodeEnd()], "bytes follow the end envelope"],
    ["no body at all", [], "the stream was cut off before its end envelope"],
    ["no end envelope", body(PCM, 22_050).slice(0, -1), "the stream was cut off before its end envelope"],
    ["a cut in an envelope", [whole.subarray(0, 5_000)], "the stream was cut off before its end envelope"],
  ];

  it.each(refused)("%s", async (_name, chunks, message) => {
    const { error } = await transcode(service.url, MP3, chunks);
    expect(error).toEqual({ reason: "invalid_input", message, retryable: false });
  });

  it("while the client keeps sending", async () => {
    const stream = new OpenStream(service.url, MP3);
    const result = stream.result();
    await stream.send(Uint8Array.of(9, 0, 0, 0, 0), ...Array.from({ length: 50 }, () => new Uint8Array(60_000)));
    stream.end();
    expect((await result).error).toMatchObject({ reason: "invalid_input" });
  });

  it("events of other kinds are passed over", async () => {
    const word = encodeEvent({ type: "word", start: 0, length: 5, sample: 0 });
    const future = Buffer.from(`\u0001\0\0\0\u0011{"type":"future"}`, "latin1");
    const [format, ...rest] = body(PCM, 22_050);
    const { bytes, error } = await transcode(service.url, MP3, [word, format!, word, future, ...rest]);
    expect(error).toBeUndefined();
    expect(bytes).toEqual((await transcode(service.url, MP3, body(PCM, 22_050))).bytes);
  });
});

describe("a stream that ends early", () => {
  it("with the upstream's error ends with that error, after what was whole by then", async () => {
    const error = { reason: "engine_failed", message: "the engine fell over", retryable: true };
    const chunks = [...body(PCM, 22_050).slice(0, -1), encodeEnd(error)];
    const result = await transcode(service.url, MP3, chunks);
    expect(result.error).toEqual(error);
    expect(result.samples).toBeGreaterThan(0);
    expect(result.samples).toBeLessThan(PCM.length * (24_000 / 22_050));
  });

  it.each(["mp3", "opus", "flac", "aac", "wav"])("by a client that leaves frees its encoder: %s", async (format) => {
    const stream = new OpenStream(service.url, { format, sample_rate: 24_000 });
    expect(await stream.status()).toBe(200);
    await stream.send(formatEvent(22_050), ...audioEnvelopes(PCM, 1_000));
    expect(await info(service.url)).toMatchObject({ active_streams: 1, open_encoders: 1 });
    stream.leave();
  });

  it("because no input comes, says so", async () => {
    const stream = new OpenStream(service.url, MP3);
    await stream.send(formatEvent(22_050), ...audioEnvelopes(PCM, 1_000));
    const started = performance.now();
    const { error } = await stream.result();
    expect(performance.now() - started).toBeGreaterThan(INPUT_IDLE_MS * 0.7);
    expect(error).toEqual({
      reason: "input_idle",
      message: `no input came for ${INPUT_IDLE_MS} ms`,
      retryable: true,
    });
  });

  it("but not because input is slow for long", async () => {
    const stream = new OpenStream(service.url, MP3);
    const result = stream.result();
    await stream.send(formatEvent(22_050));
    for (const piece of audioEnvelopes(PCM, Math.ceil(PCM.length / 6))) {
      await stream.send(piece);
      await new Promise((resolve) => setTimeout(resolve, INPUT_IDLE_MS / 2));
    }
    await stream.send(encodeEnd());
    stream.end();
    expect((await result).error).toBeUndefined();
  });

  it("because its output is not read, is cut; but only after the limit for output", async () => {
    const stream = new OpenStream(service.url, { format: "pcm16", sample_rate: 48_000 });
    expect(await stream.status()).toBe(200);
    await stream.send(formatEvent(8_000));
    const second = audioEnvelopes(glide(8_000, 1), 8_000)[0]!;
    const limit = 64 * 1024 * 1024;
    expect(await stream.sendUntilBlocked(second, limit, INPUT_IDLE_MS / 2)).toBeLessThan(limit);
    await new Promise((resolve) => setTimeout(resolve, INPUT_IDLE_MS * 0.8));
    expect(await info(service.url)).toMatchObject({ active_streams: 1 }); // longer than input may be idle
    await expect.poll(() => info(service.url), { timeout: 5_000 }).toMatchObject({ active_streams: 0 });
    await expect(stream.result()).rejects.toThrow("aborted");
  });
});
