/** Syntheses that are lost, whole or their transcoder alone, made by the real transcoder and heard by other decoders. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { encodedRate, FORMAT_TRAITS, type AudioFormat } from "../../../protocol/formats.ts";
import type { Service } from "../../../service/http-service.ts";
import { startTranscoder } from "../../../transcoder/server.ts";
import type { Message } from "../../../worker/message-log/message.ts";
import { MockTone } from "../../../worker/providers/mock-tone.ts";
import { ProviderError } from "../../../worker/providers/provider.ts";
import { upstreamAt } from "../../../worker/upstreams/upstream.ts";
import { decode } from "../../transcoder/decode.ts";
import { losing } from "../upstreams/losing-upstream.ts";
import { messagesOf } from "../message-log/log-fixtures.ts";
import { MOCK_RATE, spoken, synthesisOf, type Options } from "./spoken.ts";

let service: Service;
beforeAll(async () => {
  service = await startTranscoder({ port: 0, host: "127.0.0.1" });
});
afterAll(() => service.close(0));
beforeEach(() => void vi.spyOn(console, "log").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

type Target = readonly [format: AudioFormat, sampleRateHz: number];

const TARGETS: Target[] = [
  ["pcm16", 16_000],
  ["wav", 16_000],
  ["wav", 22_050],
  ["mulaw", 8_000],
  ["flac", 16_000],
  ["mp3", 22_050],
  ["aac", 16_000],
  ["opus", 24_000],
];

const isExact = ([format]: Target) => !["mp3", "aac", "opus"].includes(format);
const bytesOf = (messages: readonly Message[]) => Buffer.concat(messages.map(({ data }) => data));

/** Everything of a message but its bytes: the media time and the border. */
const places = (messages: readonly Message[]) => messages.map(({ seq, startMs, endMs }) => [seq, startMs, endMs]);

async function decodedSamples([format, sampleRateHz]: Target, messages: readonly Message[]) {
  const sample_rate = encodedRate(format, sampleRateHz);
  const audio = messages.map(({ data }) => ({ samples: 0, data }));
  const stream = { format: { type: "format", sample_rate } as const, audio, bytes: bytesOf(messages) };
  if (format === "aac") stream.audio = adtsFrames(stream.bytes).map((data) => ({ samples: 0, data }));
  return (await decode(format, { ...stream, samples: 0, error: undefined })).samples.length;
}

/** ISO 14496-3: a header of 7 bytes has the frame's length. */
function adtsFrames(bytes: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = ((bytes[at + 3]! & 3) << 11) | (bytes[at + 4]! << 3) | (bytes[at + 5]! >> 5);
    frames.push(bytes.slice(at, at + length));
    at += length;
  }
  return frames;
}

async function expectSame(target: Target, heard: Awaited<ReturnType<typeof spoken>>, whole: typeof heard) {
  expect(heard.log.end.ended).toEqual({});
  expect(places(heard.messages)).toEqual(places(whole.messages));
  if (isExact(target)) expect(bytesOf(heard.messages).equals(bytesOf(whole.messages))).toBe(true);
  expect(heard.words).toEqual(whole.words);
  expect(heard.log.counts).toMatchObject({ segments: 7, pcmSamples: whole.log.counts.pcmSamples });
  expect(await decodedSamples(target, heard.messages)).toBe(await decodedSamples(target, whole.messages));
}

describe.each(TARGETS)("a synthesis of %s at %i Hz", { timeout: 60_000 }, (...target) => {
  const [format, sampleRateHz] = target;
  const options: Options = { format, sampleRateHz };
  const needsNone = FORMAT_TRAITS[format].isRawPcm && sampleRateHz === MOCK_RATE;
  beforeAll(() => void (options.transcoder = losing(service.url, [])));

  it("that is lost behind any row is the same stream: message N is the same piece of it", async () => {
    const whole = await spoken(options);
    const { rows } = whole.store;
    expect(rows.length).toBeGreaterThan(1);
    // What came after the last row that is kept was sent, for all that anybody knows, and is made again.
    for (let count = 0; count < rows.length; count++) {
      const heard = await spoken({ ...options, rows: rows.slice(0, count) });
      await expectSame(target, heard, whole);
      const again = heard.log.counts.encodedAgainMs;
      if (count === 0 || needsNone) expect(again).toBe(0);
      else expect(again).toBeGreaterThan(0);
      expect(again).toBeLessThanOrEqual(FORMAT_TRAITS[format].runUpMs + 30); // and what its resampler's origin takes
      const kept = rows[count - 1]?.end.seq ?? 0;
      expect(bytesOf(heard.messages.slice(0, kept))).toEqual(bytesOf(whole.messages.slice(0, kept)));
    }
  });

  it("whose transcoder is killed twice is the same stream", async () => {
    const whole = await spoken(options);
    const size = bytesOf(whole.messages).length;
    const transcoder = losing(service.url, [Math.round(size * 0.4), Math.round(size * 0.3)]);
    const heard = await spoken({ ...options, transcoder });
    expect(transcoder.asked).toHaveLength(needsNone ? 0 : 3);
    await expectSame(target, heard, whole);
    if (needsNone) return;
    expect(heard.log.counts.encodedAgainMs).toBeGreaterThan(0);
    expect(heard.log.counts.encodedAgainMs).toBeLessThanOrEqual(2 * (1_000 + FORMAT_TRAITS[format].runUpMs + 30));
  });
});

describe("a synthesis that is encoded", () => {
  it("and stopped while packets come in has no message more", async () => {
    const { synthesis } = synthesisOf({ format: "flac", transcoder: losing(service.url, []) });
    const { log } = synthesis;
    const running = synthesis.run();
    await log.changed.until(() => log.end.seq >= 5, new AbortController().signal);
    synthesis.stop();
    const { seq } = log.end;
    await running;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(log.end).toMatchObject({ seq, ended: {} });
    expect(messagesOf(log)).toHaveLength(seq);
    await vi.waitFor(async () => {
      const info = (await (await upstreamAt(service.url).fetch("/v1/info")).json()) as { open_encoders: number };
      expect(info.open_encoders).toBe(0);
    });
  });

  it.each([0, 1, 30_000])(
    "reaches its end with a lead of %i ms, though the encoder holds some of it back",
    async (leadMs) => {
      for (const format of ["mp3", "opus"] as const) {
        const text = "One is short. Two is a little longer. Three.";
        const { log } = await spoken({
          format,
          sampleRateHz: 24_000,
          text,
          leadMs,
          transcoder: losing(service.url, []),
        });
        expect(log.end.ended).toEqual({});
        expect(log.counts.utterances).toBe(3);
      }
    },
  );

  /** The mock tone, which fails with its sample number `last` of a segment. */
  function failingAfter(last: number): MockTone {
    const failing = new MockTone();
    failing.speak = async function* (...of) {
      let samples = 0;
      for await (const piece of MockTone.prototype.speak.apply(this, of)) {
        if (piece.type === "audio" && (samples += piece.samples) > last) {
          throw new ProviderError("retry", "synthesis_failed", "");
        }
        yield piece;
      }
    };
    return failing;
  }

  it("whose voice fails has all that was spoken, to the last sample, behind the encoder's delay", async () => {
    for (const [format, delay] of [
      ["flac", 0],
      ["opus", 104], // 6.5 ms
    ] as const) {
      const transcoder = losing(service.url, []);
      const { log } = await spoken({ format, transcoder, providers: [failingAfter(40_700)] });
      expect(log.end.ended).toMatchObject({ failure: { reason: "provider_failed" } });
      expect([log.pcmEnd, log.counts.pcmSamples, log.end.delaySamples]).toEqual([40_000, 40_000, delay]); // whole pieces of the tone
    }
  });

  it("whose voice fails after a loss, before it has said anything new, ends with the voice's failure", async () => {
    const { store } = await spoken({ format: "mp3", transcoder: losing(service.url, []) });
    const rows = store.rows.slice(0, 2);
    const { end } = rows.at(-1)!;
    const heard = end.samples - end.delaySamples;
    const segment = end.segments.findLast(({ pcmSample }) => pcmSample <= heard - 6_400)!; // the run-up has 400 ms
    for (const missing of [6_300, 1_600, 320]) {
      const transcoder = losing(service.url, []);
      const providers = [failingAfter(heard - segment.pcmSample - missing)];
      const { log, messages } = await spoken({ format: "mp3", transcoder, rows, providers });
      expect(log.end.ended).toMatchObject({ failure: { reason: "provider_failed" } });
      expect(messages).toHaveLength(end.seq);
      expect(transcoder.asked.length).toBeLessThanOrEqual(1);
    }
  });

  it("of a text that makes no sound is an empty stream", async () => {
    const { log } = await spoken({ format: "mp3", text: "...", transcoder: losing(service.url, []) });
    expect(log.end.ended).toEqual({});
  });
});
