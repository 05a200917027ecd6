import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sleep } from "../../../worker/base/sleep.ts";
import type { SpeechPiece } from "../../../worker/providers/provider.ts";
import { promisedSpeech } from "../../../worker/synthesis/promised-speech.ts";
import { audio, format, RATE, ScriptedProvider, word, type Step } from "./scripted-provider.ts";

const timeouts = { firstAudioMs: 1_000, gapMs: 500 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What comes of a provider's script, for a listener who takes `listenerMs` over each piece. */
async function listen(
  script: readonly Step[],
  listenerMs = 0,
  signal = new AbortController().signal,
  rateHz: number | "unknown" = RATE,
) {
  const provider = new ScriptedProvider(script);
  const pieces: SpeechPiece[] = [];
  const firstAudioMs: number[] = [];
  const utterance = { text: "", voice: "v", language: undefined };
  let wasAborted = false;
  const speak = (either: AbortSignal) => {
    either.addEventListener("abort", () => (wasAborted = true));
    return provider.speak(utterance, either);
  };
  const listening = (async () => {
    const told = (ms: number) => void firstAudioMs.push(ms);
    const promises = { timeouts, rateHz: rateHz === "unknown" ? undefined : rateHz, onFirstAudio: told };
    for await (const piece of promisedSpeech(speak, promises, signal)) {
      pieces.push(piece);
      await sleep(listenerMs);
    }
    return undefined;
  })().catch((error: unknown) => error);
  let timersLeft = -1;
  void listening.then(() => (timersLeft = vi.getTimerCount()));
  await vi.runAllTimersAsync();
  const error = await listening;
  expect([provider.running, timersLeft]).toEqual([0, 0]);
  if (error === undefined) expect(wasAborted).toBe(false);
  return { error, pieces, firstAudioMs, stopped: provider.stopped };
}

describe("speech at the announced rate", () => {
  it("is what the provider speaks, at any rate if it announced none", async () => {
    for (const rateHz of [RATE, "unknown"] as const) {
      expect((await listen([format, audio(1)], 0, undefined, rateHz)).error).toBeUndefined();
    }
    const { error, pieces } = await listen([format, audio(1)], 0, undefined, RATE + 1);
    expect(error).toMatchObject({ again: "never", reason: "wrong_rate" });
    expect(pieces).toEqual([]);
  });

  it("begins with its format", async () => {
    const speak = async function* () {
      yield audio(1);
    };
    const promises = { timeouts, rateHz: undefined, onFirstAudio: () => {} };
    const next = promisedSpeech(speak, promises, new AbortController().signal).next();
    await expect(next).rejects.toMatchObject({ again: "retry", reason: "broken_stream" });
  });
});

describe("speech in time", () => {
  it("is what the provider speaks, with the time of its first audio", async () => {
    const script = [format, 300, word(0, 0), 400, audio(5), 100, audio(5)];
    const { error, pieces, firstAudioMs } = await listen(script);
    expect(error).toBeUndefined();
    expect(pieces).toEqual(script.filter((step) => typeof step === "object"));
    expect(firstAudioMs).toEqual([700]);
  });

  it("that makes no sound tells how long the provider took to say so", async () => {
    expect((await listen([format, 900])).firstAudioMs).toEqual([900]);
    expect((await listen([format, audio(0), 900, audio(0)])).firstAudioMs).toEqual([900]);
  });

  it("does not count the time that its listener takes", async () => {
    const { error, firstAudioMs } = await listen([format, word(0, 0), 10, audio(1), audio(1)], 60_000);
    expect([error, firstAudioMs]).toEqual([undefined, [10]]);
  });

  it("has one time for the first audio, whatever comes before it", async () => {
    const { error, stopped } = await listen([format, 600, word(0, 0), 600, audio(1)]);
    expect(error).toMatchObject({ again: "retry", reason: "timeout", message: "no first audio in time" });
    expect(stopped).toBe(1);
  });

  it("has a new time for each piece that follows", async () => {
    expect((await listen([audio(1), 499, audio(1), 499, audio(1), 499])).error).toBeUndefined();
    expect((await listen([audio(1), 501, audio(1)])).error).toMatchObject({ message: "no further audio in time" });
  });

  it("ends with its listener, and with the provider's own failure", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 100);
    expect((await listen([format, "hang"], 0, controller.signal)).error).toEqual(new Error("enough"));
    expect((await listen([format, "hang"])).error).toMatchObject({ reason: "timeout" });
  });
});
