import { describe, expect, it } from "vitest";
import { FORMATS, type AudioFormat } from "../../protocol/formats.ts";
import { decodeStream } from "../support/decode-stream.ts";
import { createSession, expectComplete, longText, speak, statusOf, Stream } from "../support/session.ts";
import { useStack } from "../support/stack.ts";
import { largestStep, rms } from "../transcoder/signal.ts";

const stack = useStack();

/** What a decoder may add at both ends, in samples: the codec's delay and the filling of its last packet. */
const CODEC_DELAY: Partial<Record<AudioFormat, number>> = { mp3: 1105 + 1152, aac: 2048 + 1024, opus: 312 };

/** The resampler's and the clock's rounding, in ms. */
const ROUNDING_MS = 2;

/** A block of FLAC, in ms: its decoder here loses the last one now and then (the reference decoder does not). */
const FLAC_BLOCK_MS = 50;

/** Marks that stand once in a stream with one header. */
const HEADER: Partial<Record<AudioFormat, string>> = { wav: "RIFF", flac: "fLaC", opus: "OpusHead" };

const TEXT =
  "Every word is a note, and the notes follow one another. The second sentence goes on where the first ended!";

describe.each(FORMATS)("%s", (format) => {
  it.each([
    { provider: "mock_tone", voice: "en-US-mock-1", rate: 16_000 },
    { provider: "mock_tone", voice: "en-US-mock-1", rate: 24_000 },
    { provider: "espeak", voice: "en-us", rate: 22_050 },
    { provider: "espeak", voice: "en-us", rate: 8_000 },
  ])(
    "of $provider at $rate Hz is whole, in order and as long as what was spoken",
    async ({ provider, voice, rate }) => {
      const request = { provider, voice, text: TEXT, target_format: format, sample_rate_hz: rate };
      const { id, wsUrl } = await createSession(stack.url, request);
      const stream = new Stream(wsUrl);
      await stream.closed;
      const eos = expectComplete(stream);
      const { counts, state } = await statusOf(stack.url, id);
      expect(state).toBe("completed");

      const { samples, sampleRateHz } = await decodeStream(format, stream.bytes, rate);
      const decodedMs = (samples.length / sampleRateHz) * 1000;
      const addedMs = ((CODEC_DELAY[format] ?? 0) / rate) * 1000 + ROUNDING_MS;
      expect(decodedMs - counts.recorded_ms).toBeLessThanOrEqual(addedMs);
      expect(counts.recorded_ms - decodedMs).toBeLessThanOrEqual(format === "flac" ? FLAC_BLOCK_MS : ROUNDING_MS);
      expect(eos.duration_ms - counts.recorded_ms).toBeLessThanOrEqual(addedMs);
      expect(counts.recorded_ms - eos.duration_ms).toBeLessThanOrEqual(ROUNDING_MS);
      expect(rms(samples)).toBeGreaterThan(0.02);
      const header = HEADER[format];
      if (header) expect(stream.bytes.toString("latin1").split(header)).toHaveLength(2);
      expect(stream.audio.map(({ ptsMs }) => ptsMs)).toEqual(
        stream.audio.map(({ ptsMs }) => ptsMs).toSorted((a, b) => a! - b!),
      );
    },
  );

  it("has no seam in a continuous tone, from note to note and from sentence to sentence", async () => {
    const text = "aaaa aaaa aaaa. aaaa aaaa aaaa. aaaa aaaa aaaa.";
    const stream = await speak(stack.url, {
      provider: "mock_tone",
      voice: "en-US-mock-1",
      text,
      target_format: format,
      sample_rate_hz: 48_000,
    });
    expectComplete(stream);
    const { samples, sampleRateHz } = await decodeStream(format, stream.bytes, 48_000);
    // One note of at most 533 Hz, a third of full scale. Lossy codecs and G.711 add their own noise.
    const steepest = (1 / 3) * 2 * Math.sin((Math.PI * 533) / sampleRateHz);
    const edge = Math.round(sampleRateHz * 0.1); // the tone starts and stops at once: that is not a seam
    const noise = { pcm16: 0.005, wav: 0.005, flac: 0.005, mulaw: 0.03, alaw: 0.03, opus: 0.02, mp3: 0.02, aac: 0.02 };
    expect(largestStep(samples.subarray(edge, -2 * edge))).toBeLessThanOrEqual(steepest + noise[format]);
  });

  it("starts before a twentieth of a text is spoken by a provider at real time", async () => {
    const text = longText(380);
    const request = { provider: "mock_tone", text, target_format: format };
    const whole = await speak(stack.url, { ...request, voice: "en-US-mock-1" });
    const totalMs = expectComplete(whole).duration_ms;
    expect(totalMs).toBeGreaterThan(20_000);

    const { id, wsUrl } = await createSession(stack.url, { ...request, voice: "en-US-mock-paced" });
    const stream = new Stream(wsUrl);
    const first = await stream.next();
    const { counts } = await statusOf(stack.url, id);
    expect(first.seq).toBe(1);
    expect(counts.recorded_ms).toBeLessThan(totalMs / 20);
    stream.send({ type: "cancel" });
    expect(await stream.closed).toBe(1000);
    expect(stream.final).toMatchObject({ type: "error", code: 499, reason: "cancelled" });
  });
});

it("gives the same audio in binary frames as in base64", async () => {
  const request = { provider: "mock_tone", voice: "en-US-mock-1", text: TEXT, target_format: "mp3" };
  const { wsUrl } = await createSession(stack.url, request);
  const json = new Stream(wsUrl);
  await json.closed;
  const binary = new Stream(wsUrl, { binary: true });
  await binary.closed;
  expectComplete(binary);
  expect(binary.socket.protocol).toBe("tts.v1.binary");
  expect(binary.bytes.equals(json.bytes)).toBe(true);
});
