import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { countingPcm } from "../bytes.ts";
import { limits, Recorder, timeouts } from "./recording.ts";
import { audio, broken, busy, format, ScriptedProvider, word } from "./scripted-provider.ts";

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(console, "log").mockImplementation(() => {});
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("recording", () => {
  it("asks for the segments one after the other and records them in order", async () => {
    const provider = new ScriptedProvider(
      [format, word(0, 0), audio(30), 50, word(4, 40), audio(20, 30)],
      [format, word(2, 5), audio(40, 50)],
    );
    const recorder = new Recorder(["one", "two"]);
    const began = Date.now();
    expect((await recorder.run(provider)).failure).toBeUndefined();
    expect(provider.asked.map(({ utterance }) => utterance)).toEqual([
      { text: "one", voice: "v", language: "en", place: { startMs: 0, streamBeganAt: began } },
      { text: "two", voice: "v", language: "en", place: { startMs: 50, streamBeganAt: began } },
    ]);
    expect(recorder.log.counts).toEqual({ segments: 2, utterances: 2, retries: 0, pcmSamples: 90, encodedAgainMs: 0 });
    const { pcm, words } = recorder.heard();
    expect(pcm).toEqual(countingPcm(90));
    expect(words).toEqual([
      [0, 0],
      [4, 40],
      [102, 55],
    ]);
  });

  it("asks for no next segment before it is near enough to its listener", async () => {
    const provider = new ScriptedProvider([format, audio(10)]);
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let waits = 0;
    const recorder = new Recorder(["one", "two"]);
    recorder.waitForLead = () => gates[waits++]!.promise;
    const done = recorder.start([recorder.speaker(provider)]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(provider.asked).toHaveLength(0);
    gates[0]!.resolve();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(provider.asked).toHaveLength(1);
    gates[1]!.resolve();
    await done;
    expect(provider.asked).toHaveLength(2);
  });

  it("passes a segment that makes no sound", async () => {
    const provider = new ScriptedProvider([format], [format, audio(10)]);
    const recorder = new Recorder(["...", "two"]);
    expect((await recorder.run(provider)).failure).toBeUndefined();
    expect(recorder.log.counts.segments).toBe(2);
    expect(recorder.heard().pcm).toEqual(countingPcm(10));
  });

  it("of a text that has nothing to speak asks for nothing", async () => {
    const provider = new ScriptedProvider([format, audio(10)]);
    expect((await new Recorder([]).run(provider)).failure).toBeUndefined();
    expect(provider.asked).toHaveLength(0);
  });
});

describe("a slow provider", () => {
  it("is stopped when no first audio comes in time, and asked again", async () => {
    const provider = new ScriptedProvider([format, word(0, 0), "hang"], [9_000, format, audio(1)]);
    expect((await new Recorder().run(provider)).failure).toBeUndefined();
    expect([provider.stopped, provider.running, provider.asked.length]).toEqual([1, 0, 2]);
  });

  it("ends the session when no attempt is in time", async () => {
    const { failure } = await new Recorder().run(new ScriptedProvider(["hang"]));
    expect(failure).toMatchObject({
      reason: "provider_timeout",
      message: "provider scripted took too long at segment 1 of 1",
    });
  });

  it("ends the session when it pauses too long in the middle", async () => {
    const provider = new ScriptedProvider([format, audio(1), 9_000, audio(1, 1), "hang"]);
    const { failure, ms } = await new Recorder().run(provider);
    expect(failure).toMatchObject({ reason: "provider_timeout" });
    expect([provider.stopped, provider.asked.length, ms]).toEqual([1, 1, 19_000]);
  });

  it("has a gap timeout of its own, shorter or longer than the first audio's", async () => {
    for (const [firstAudioMs, gapMs] of [
      [10_000, 500],
      [500, 10_000],
    ] as const) {
      const recorder = new Recorder();
      const speaker = recorder.speaker(new ScriptedProvider([format, audio(1), "hang"]), {
        timeouts: { firstAudioMs, gapMs },
      });
      const { failure, ms } = await recorder.run([speaker]);
      expect(failure).toMatchObject({ reason: "provider_timeout" });
      expect(ms).toBe(gapMs);
    }
  });

  it("has the time before its first audio counted over all the words that come before it", async () => {
    const words = Array.from({ length: 4 }, (_, i) => [word(i, 0), timeouts.firstAudioMs / 4 + 1]).flat();
    const recorder = new Recorder();
    recorder.limits = { ...limits, attempts: 1 };
    expect((await recorder.run(new ScriptedProvider([format, ...words, audio(1)]))).failure).toMatchObject({
      reason: "provider_timeout",
    });
  });
});

describe("recording after a loss", () => {
  const whole = [format, word(0, 0), audio(600), word(5, 620), audio(400, 600)];

  it("asks for the segment again and skips what was heard of it", async () => {
    const recorder = new Recorder(["one", "two"]);
    await recorder.run(new ScriptedProvider([...whole.slice(0, 4), audio(50, 600), broken()], [broken()]));
    recorder.log.sent(1);
    await vi.runAllTimersAsync();
    recorder.lose();
    expect(recorder.log.end.samples).toBe(650); // all of it was in the row that was written
    const provider = new ScriptedProvider(whole, [format, audio(100, 1_000)]);
    expect((await recorder.run(provider)).failure).toBeUndefined();
    const { pcm, words } = recorder.heard();
    expect(pcm).toEqual(countingPcm(1_100));
    expect(words).toEqual([
      [0, 0],
      [5, 620],
    ]);
    expect(provider.texts).toEqual(["one", "two"]);
  });

  it("asks for nothing that was heard to its end, and for all that was not written", async () => {
    const recorder = new Recorder(["one", "two", "three"]);
    await recorder.run(new ScriptedProvider([format, audio(100)], [format, audio(100, 100)], [busy(60_000)]));
    recorder.lose();
    expect(recorder.log.end.seq).toBe(0);
    const provider = new ScriptedProvider([format, audio(100)], [format, audio(100, 100)], [format, audio(100, 200)]);
    await recorder.run(provider);
    expect(provider.texts).toEqual(["one", "two", "three"]);
    recorder.log.sent(1);
    await vi.runAllTimersAsync();
    recorder.lose();
    const last = new ScriptedProvider([format, audio(100, 200)]);
    await recorder.run(last);
    expect(last.texts).toEqual(["three"]); // it began, and nobody knows that it was complete
    expect(recorder.heard().pcm).toEqual(countingPcm(300));
  });
});

describe("an abort", () => {
  it.each([
    ["while the provider thinks", ["hang"]],
    ["while a busy engine is waited for", [busy(5_000)]],
    ["while the provider speaks", [format, audio(10), 100, audio(10), 100, audio(10), "hang"]],
  ] as const)("%s stops everything at once", async (_, script) => {
    const provider = new ScriptedProvider(script);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("cancelled")), 150);
    const recorder = new Recorder();
    const { failure, ms } = await recorder.run(provider, controller.signal);
    expect(failure).toEqual(new Error("cancelled"));
    expect([ms, provider.asked.length, provider.running]).toEqual([150, 1, 0]);
    expect(recorder.heard().pcm.length).toBeLessThanOrEqual(40);
  });

  it("before anything was asked asks for nothing", async () => {
    const provider = new ScriptedProvider([format, audio(1)]);
    const signal = AbortSignal.abort(new Error("cancelled"));
    const { failure } = await new Recorder().run(provider, signal);
    expect(failure).toEqual(new Error("cancelled"));
    expect(provider.asked).toHaveLength(0);
  });
});
