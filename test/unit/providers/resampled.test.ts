import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { encodeAudio, encodeEnd, encodeEvent } from "../../../protocol/envelope.ts";
import { ProviderError, type SpeechPiece } from "../../../worker/providers/provider.ts";
import { resampled } from "../../../worker/providers/resampled.ts";
import { startTranscoder } from "../../../transcoder/server.ts";
import type { Upstream } from "../../../worker/upstreams/upstream.ts";
import { glide } from "../../transcoder/signal.ts";
import { collect } from "../bytes.ts";
import { breakOff, fakeServer, json, stall, stream, type Answer } from "../fake-server.ts";
import { losing } from "../upstreams/losing-upstream.ts";

const never = new AbortController().signal;
const format: SpeechPiece = { type: "event", event: { type: "format", sample_rate: 8_000 } };
const outputFormat = encodeEvent({ type: "format", sample_rate: 16_000, delay: 0, frame: 320 });
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
  return { outputRateHz, transcoder, limits };
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

  it("has the words that come behind its last audio", async () => {
    await using server = await fakeServer((request, response) => {
      response.writeHead(200);
      request.once("data", () => response.write(encodeAudio(4, new Uint8Array(8))));
      request.on("end", () => response.end(encodeEnd()));
    });
    const heard = Promise.withResolvers<void>();
    const speak = async function* (): AsyncGenerator<SpeechPiece> {
      yield* [format, audio];
      await heard.promise;
      yield word(2);
    };
    const types: string[] = [];
    for await (const piece of resampled(speak, options(server), never)) {
      types.push(piece.type === "event" ? piece.event.type : piece.type);
      if (piece.type === "audio") heard.resolve();
    }
    expect(types).toEqual(["format", "audio", "word"]);
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
    ["breaks off", breakOff(outputFormat)],
    ["is cut", stream(outputFormat)],
    ["says that it failed", stream(outputFormat, encodeEnd({ reason: "crashed", message: "", retryable: true }))],
  ])("lets go of the engine, and does not blame it, when the transcoder %s", async (_, answer) => {
    await using server = await fakeServer(answer);
    const { speak, counts } = voice([format, audio]);
    await expect(collect(resampled(speak, options(server), never))).rejects.toMatchObject({
      reason: "resampler_failed",
      again: "retry",
    });
    expect(counts).toEqual({ asked: 1, let_go: 1 });
  });

  it("goes on with another resampler where one is lost, and asks the engine once", async () => {
    await using service = await startTranscoder({ port: 0, host: "127.0.0.1" }).then((started) => ({
      ...started,
      [Symbol.asyncDispose]: () => started.close(0),
    }));
    const second = new Uint8Array(glide(8_000, 1).buffer);
    const pieces = Array.from({ length: 30 }, (_, i): SpeechPiece[] => [
      { type: "event", event: { type: "word", start: i, length: 1, sample: i * 800 } },
      { type: "audio", samples: 800, data: second.slice((i % 10) * 1_600, (i % 10) * 1_600 + 1_600) },
    ]).flat();
    const { speak, counts } = voice([format, ...pieces]);
    const spoken = async (cuts: number[]) => {
      const all = await collect(resampled(speak, options(losing(service.url, cuts)), never));
      const data = all.flatMap((piece) => (piece.type === "audio" ? [piece.data] : []));
      const words = all.flatMap((piece) =>
        piece.type === "event" && piece.event.type === "word" ? [piece.event] : [],
      );
      return { pcm: Buffer.concat(data), words };
    };
    const whole = await spoken([]);
    expect(whole.pcm).toHaveLength(3 * 16_000 * 2);
    expect(whole.words.map(({ sample }) => sample)).toEqual(Array.from({ length: 30 }, (_, i) => i * 1_600));
    expect(await spoken([10_000, 30_000])).toEqual(whole);
    expect(counts.asked).toBe(2);
  });

  it("is not asked of the engine faster than the resampler takes it", async () => {
    await using server = await fakeServer(stall(outputFormat));
    let pulled = 0;
    const speak = async function* (): AsyncGenerator<SpeechPiece> {
      yield format;
      for (;;) {
        pulled++;
        yield { type: "audio", samples: 80, data: new Uint8Array(160) }; // 10 ms
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const controller = new AbortController();
    const reading = collect(resampled(speak, options(server), controller.signal)).catch((error: unknown) => error);
    await vi.waitFor(() => expect(pulled).toBe(100));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(pulled).toBe(100);
    controller.abort(new Error("enough"));
    expect(await reading).toEqual(new Error("enough"));
  });

  it("without a format is broken", async () => {
    for (const pieces of [[], [audio], [word(0)]]) {
      const { speak } = voice(pieces);
      await expect(collect(resampled(speak, options(undefined), never))).rejects.toMatchObject({
        reason: "broken_stream",
        again: "retry",
      });
    }
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
