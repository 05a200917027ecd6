import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { encodeAudio, encodeEnd } from "../../../protocol/envelope.ts";
import { ProviderError, type SpeechPiece } from "../../../worker/providers/provider.ts";
import { resampled } from "../../../worker/providers/resampled.ts";
import type { Upstream } from "../../../worker/upstreams/upstream.ts";
import { collect } from "../bytes.ts";
import { breakOff, fakeServer, json, stream, type Answer } from "../fake-server.ts";

const never = new AbortController().signal;
const format: SpeechPiece = { type: "event", event: { type: "format", sample_rate: 8_000 } };
const audio: SpeechPiece = { type: "audio", samples: 2, data: Uint8Array.of(1, 2, 3, 4) };
const word = (sample: number): SpeechPiece => ({ type: "event", event: { type: "word", start: 0, length: 1, sample } });

beforeEach(() => void vi.spyOn(console, "log").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

/** Speech that counts how often it was asked for and let go of, and may fail at its end. */
function voice(pieces: readonly SpeechPiece[], failure?: Error) {
  const counts = { asked: 0, let_go: 0 };
  async function* speak(signal: AbortSignal): AsyncGenerator<SpeechPiece> {
    counts.asked++;
    signal.addEventListener("abort", () => counts.let_go++);
    yield* pieces;
    if (failure) throw failure;
  }
  return { counts, speak };
}

const limits = { waitMs: 2_000, stallMs: 2_000 };
const options = (transcoder: Upstream | undefined, outputRateHz = 16_000) => {
  return { announcedRateHz: undefined, outputRateHz, transcoder, limits };
};
/** Reads all that is sent, and answers with four samples. */
const doubling: Answer = async (request, response) => {
  response.writeHead(200).flushHeaders();
  await collect(request);
  response.write(encodeAudio(4, new Uint8Array(8)));
  response.end(encodeEnd());
};

describe("speech at the stream's own rate", () => {
  it("needs no transcoder and is as it was made", async () => {
    const { speak } = voice([format, word(0), audio]);
    expect(await collect(resampled(speak, options(undefined, 8_000), never))).toEqual([format, word(0), audio]);
  });

  it("that is not the one which was announced is refused", async () => {
    const { speak } = voice([format, audio]);
    const pieces = resampled(speak, { ...options(undefined, 8_000), announcedRateHz: 11_025 }, never);
    await expect(collect(pieces)).rejects.toMatchObject({ reason: "wrong_rate", again: "never" });
  });
});

describe("speech at another rate", () => {
  it("is resampled, and its words moved", async () => {
    await using server = await fakeServer(doubling);
    const { speak, counts } = voice([format, word(0), audio, word(2)]);
    expect(await collect(resampled(speak, options(server), never))).toEqual([
      { type: "event", event: { type: "format", sample_rate: 16_000 } },
      word(0),
      word(4),
      { type: "audio", samples: 4, data: new Uint8Array(8) },
    ]);
    expect(counts).toEqual({ asked: 1, let_go: 1 });
  });

  it("is asked of the engine once, however often the transcoder is tried", async () => {
    let tries = 0;
    await using server = await fakeServer((request, response) =>
      (++tries < 3 ? json({}, 503) : doubling)(request, response),
    );
    const { speak, counts } = voice([format, audio, word(1)]);
    const pieces = await collect(resampled(speak, options(server), never));
    expect(pieces.filter(({ type }) => type === "audio")).toHaveLength(1);
    expect([pieces.length, tries, counts.asked]).toEqual([3, 3, 1]);
  });

  it.each<[string, Answer]>([
    ["cannot be had", json({}, 503)],
    ["breaks off", breakOff(encodeAudio(1, new Uint8Array(2)))],
    ["is cut", stream(encodeAudio(1, new Uint8Array(2)))],
  ])("lets go of the engine, and does not blame it, when the transcoder %s", async (_, answer) => {
    await using server = await fakeServer(answer);
    const { speak, counts } = voice([format, audio]);
    await expect(collect(resampled(speak, options(server), never))).rejects.toMatchObject({
      reason: "resampler_failed",
      again: "retry",
    });
    expect(counts).toEqual({ asked: 1, let_go: 1 });
  });

  it("fails as the engine fails", async () => {
    await using server = await fakeServer(async (request, response) => {
      response.writeHead(200).flushHeaders();
      await collect(request);
      response.destroy();
    });
    const { speak } = voice([format, audio], new ProviderError("never", "nothing_to_speak", ""));
    await expect(collect(resampled(speak, options(server), never))).rejects.toMatchObject({
      reason: "nothing_to_speak",
    });
  });
});
