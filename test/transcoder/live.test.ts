import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeEnd } from "../../protocol/envelope.ts";
import { FORMATS, type AudioFormat } from "../../protocol/formats.ts";
import type { Service } from "../../service/http-service.ts";
import { startTranscoder } from "../../transcoder/server.ts";
import { audioEnvelopes, body, formatEvent, info, OpenStream, transcode, type Transcoded } from "./client.ts";
import { decode, fromPcm } from "./decode.ts";
import { glide, largestStep, pitch, rms, stepOfTone, tone } from "./signal.ts";

let service: Service;
beforeAll(async () => {
  service = await startTranscoder({ port: 0, host: "127.0.0.1" });
});
afterAll(() => service.close(0));

const idle = async () => {
  await expect.poll(() => info(service.url)).toMatchObject({ active_streams: 0, open_encoders: 0 });
};

/** Audio needed at 22050 Hz before the first is heard, in ms; measured, at the codec's own rate. */
const NEEDED_MS: Record<AudioFormat, number> = {
  pcm16: 40,
  wav: 40,
  mulaw: 40,
  alaw: 40,
  opus: 40,
  flac: 70,
  aac: 70,
  mp3: 110,
};

describe("a stream whose input is still open", () => {
  it.each(FORMATS)("has already given its header and its first sound: %s", async (format) => {
    const stream = new OpenStream(service.url, { format, sample_rate: 24_000 });
    const envelopes = stream.envelopes();
    expect((await envelopes.next()).value).toMatchObject({ type: "event", event: { sample_rate: 24_000 } });
    const hasHeader = ["wav", "opus", "flac"].includes(format);
    const header = hasHeader ? (await envelopes.next()).value : { type: "audio", samples: 0 };
    expect(header).toMatchObject({ type: "audio", samples: 0 });
    await stream.send(formatEvent(22_050));
    const first = envelopes.next();
    let heard = false;
    void first.then(() => (heard = true));
    let fedMs = 0;
    for (const piece of audioEnvelopes(glide(22_050, 0.5), 220)) {
      await stream.send(piece);
      fedMs += 10;
      await sleep(8);
      if (heard) break;
    }
    expect((await first).value).toMatchObject({ type: "audio" });
    expect(fedMs).toBeLessThanOrEqual(NEEDED_MS[format]);
    stream.leave();
  });
});

describe("streams side by side", () => {
  it("do not mix", async () => {
    const pitches = [300, 400, 500, 600, 700, 800];
    const encoded = await Promise.all(
      pitches.map((hz) =>
        transcode(service.url, { format: "mp3", sample_rate: 24_000 }, body(tone(hz, 22_050, 2), 22_050)),
      ),
    );
    for (const [index, hz] of pitches.entries()) {
      const { samples, sampleRateHz } = await decode("mp3", encoded[index]!);
      expect(pitch(samples.subarray(4_000, -4_000), sampleRateHz)).toBeCloseTo(hz, 0);
      const alone = await transcode(
        service.url,
        { format: "mp3", sample_rate: 24_000 },
        body(tone(hz, 22_050, 2), 22_050),
      );
      expect(alone.bytes).toEqual(encoded[index]!.bytes);
    }
    await idle();
  });
});

describe("a change of rate in the middle", () => {
  const SECONDS = 0.5; // whole periods of the tone, so that the parts join
  const parts = [22_050, 16_000, 24_000, 24_000, 48_000];
  const chunks = [
    ...parts.flatMap((hz) => [formatEvent(hz), ...audioEnvelopes(tone(440, hz, SECONDS), 999)]),
    encodeEnd(),
  ];

  it.each(FORMATS)("loses nothing and does not click: %s", async (format) => {
    const encoded: Transcoded = await transcode(service.url, { format, sample_rate: 24_000 }, chunks);
    const { samples, sampleRateHz } = await decode(format, encoded);
    const delay = format === "opus" ? 0 : (encoded.format.delay ?? 0);
    const heard = samples.subarray(delay, delay + Math.round(parts.length * SECONDS * sampleRateHz));
    expect(heard.length).toBe(parts.length * SECONDS * sampleRateHz);
    const middle = heard.subarray(2_000, -2_000);
    expect(pitch(middle, sampleRateHz)).toBeCloseTo(440, 0);
    expect(rms(middle)).toBeCloseTo(0.354, 1);
    expect(largestStep(middle)).toBeLessThan(stepOfTone(440, sampleRateHz) * 1.15 + 0.035);
  });

  it("to the rate it already has changes nothing", async () => {
    const pcm = glide(22_050, 1);
    const half = pcm.length / 2;
    const query = { format: "opus", sample_rate: 24_000 };
    const once = await transcode(service.url, query, body(pcm, 22_050));
    const twice = await transcode(service.url, query, [
      formatEvent(22_050),
      ...audioEnvelopes(pcm.subarray(0, half), 5_000),
      formatEvent(22_050),
      ...audioEnvelopes(pcm.subarray(half), 5_000),
      encodeEnd(),
    ]);
    expect(twice.bytes).toEqual(once.bytes);
  });
});

describe("a reader that does not read", () => {
  it("stops the input being read, and gets everything once it reads", async () => {
    const stream = new OpenStream(service.url, { format: "pcm16", sample_rate: 48_000 });
    expect(await stream.status()).toBe(200);
    const second = audioEnvelopes(glide(8_000, 1), 8_000)[0]!;
    await stream.send(formatEvent(8_000));
    // 16 kB in become 96 kB out. What the sockets of both directions hold is the system's; the rest is bounded.
    const limit = 64 * 1024 * 1024;
    const sent = await stream.sendUntilBlocked(second, limit, 1_000);
    expect(sent).toBeLessThan(limit / 2);
    expect(await info(service.url)).toMatchObject({ active_streams: 1 });
    const result = stream.result();
    await stream.send(encodeEnd());
    stream.end();
    const { samples, error } = await result;
    expect(error).toBeUndefined();
    expect(samples).toBe((sent / second.length) * 48_000);
    await idle();
  });
});

describe("an envelope of the largest size", () => {
  it("is encoded in turns that leave room for others, and leaves from its beginning", async () => {
    const stream = new OpenStream(service.url, { format: "opus", sample_rate: 48_000 });
    const envelopes = stream.envelopes();
    await stream.send(formatEvent(8_000), ...audioEnvelopes(glide(8_000, 60), 480_000));
    await envelopes.next();
    await envelopes.next();
    await envelopes.next();
    const started = performance.now();
    expect(await info(service.url)).toMatchObject({ active_streams: 1 });
    expect(performance.now() - started).toBeLessThan(150);
    stream.leave();
    await idle();
  });
});

describe("the log", () => {
  it("has one line a request with its sums", async () => {
    const lines: string[] = [];
    const original = console.log;
    console.log = (line: string) => lines.push(line);
    try {
      await transcode(service.url, { format: "flac", sample_rate: 16_000 }, body(glide(8_000, 1), 8_000));
      await expect.poll(() => lines.length).toBe(1);
    } finally {
      console.log = original;
    }
    expect(JSON.parse(lines[0]!)).toMatchObject({
      service: "transcoder",
      path: "/v1/transcode",
      status: 200,
      format: "flac",
      sample_rate: 16_000,
      input_samples: 8_000,
      output_bytes: expect.any(Number),
      media_ms: 1_000,
    });
  });
});

it("PCM of the same rate passes unchanged", async () => {
  const pcm = glide(22_050, 0.3);
  const { bytes } = await transcode(service.url, { format: "pcm16", sample_rate: 22_050 }, body(pcm, 22_050));
  expect(fromPcm(bytes)).toEqual(fromPcm(new Uint8Array(pcm.buffer)));
});
