import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ProviderError, Misconfiguration, RequestFault } from "../../../worker/providers/provider.ts";
import { countingPcm } from "../bytes.ts";
import { limits, Recorder } from "./recording.ts";
import { audio, broken, busy, format, gone, ScriptedProvider, word } from "./scripted-provider.ts";

let recorder: Recorder;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(console, "log").mockImplementation(() => {});
  recorder = new Recorder();
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("a failing provider", () => {
  it("is asked again, a little later each time, while it has produced nothing", async () => {
    const provider = new ScriptedProvider([broken()], [format, broken()], [format, audio(10)]);
    const { failure, ms } = await recorder.run(provider);
    expect(failure).toBeUndefined();
    expect(recorder.log.counts).toMatchObject({ utterances: 3, retries: 2 });
    const [first, second, third] = provider.asked.map(({ at }) => at);
    expect(second! - first!).toBeGreaterThanOrEqual(100);
    expect(second! - first!).toBeLessThanOrEqual(200);
    expect(third! - second!).toBeGreaterThanOrEqual(200);
    expect(ms).toBeLessThanOrEqual(600);
  });

  it("is given up after the last attempt, and the client is told nothing from upstream", async () => {
    const provider = new ScriptedProvider([broken()]);
    const { failure } = await recorder.run(provider);
    expect(provider.asked).toHaveLength(3);
    expect(failure).toEqual({ reason: "provider_failed", message: "provider scripted failed at segment 1 of 1" });
  });

  it("has fresh attempts at the next segment", async () => {
    const spoken = [format, audio(1)];
    const provider = new ScriptedProvider([broken()], [broken()], spoken, [broken()], [broken()], spoken);
    expect((await new Recorder(["one", "two"]).run(provider)).failure).toBeUndefined();
  });

  it("is never asked again once a part of the segment was heard, if it says that it failed", async () => {
    const failed = new ProviderError("retry", "synthesis_failed", "secret");
    const provider = new ScriptedProvider([format, audio(1), failed]);
    const { failure } = await recorder.run(provider);
    expect(provider.asked).toHaveLength(1);
    expect(failure).toMatchObject({ reason: "provider_failed" });
    expect(recorder.heard().pcm).toHaveLength(2);
  });

  it("that was cut off is asked for the segment again, and what was heard of it skipped", async () => {
    const whole = [format, word(0, 0), audio(60), word(5, 62), audio(40, 60)];
    const provider = new ScriptedProvider([format, word(0, 0), audio(50), broken()], whole);
    expect((await recorder.run(provider)).failure).toBeUndefined();
    const { pcm, words } = recorder.heard();
    expect(pcm).toEqual(countingPcm(100));
    expect(words).toEqual([
      [0, 0],
      [5, 62],
    ]);
    expect(provider.asked).toHaveLength(2);
  });

  it("that is cut off over and over is given up", async () => {
    const { failure } = await recorder.run(new ScriptedProvider([format, audio(10), broken()]));
    expect(failure).toMatchObject({ reason: "provider_failed" });
    expect(recorder.heard().pcm).toEqual(countingPcm(10));
  });

  it("that is gone in the middle of a stream is waited for", async () => {
    const loading = () => new ProviderError("when_free", "not_ready", "loading", 1_000);
    const scripts = [[format, audio(10), broken()], ...Array.from({ length: 8 }, () => [gone()]), [loading()]];
    const { failure, ms } = await recorder.run(new ScriptedProvider(...scripts, [format, audio(30)]));
    expect(failure).toBeUndefined();
    expect(recorder.heard().pcm).toEqual(countingPcm(30));
    expect(ms).toBeGreaterThan(limits.busyMs);
  });

  it("that stays away in the middle of a stream ends it, after a while", async () => {
    const { failure, ms } = await recorder.run(new ScriptedProvider([format, audio(10), broken()], [gone()]));
    expect(failure).toMatchObject({ reason: "provider_failed" });
    expect(ms).toBeGreaterThan(limits.busyMs);
    expect(ms).toBeLessThanOrEqual(limits.goneMs);
  });

  it("that is gone at a stream's start is not waited for", async () => {
    const { failure, ms } = await recorder.run(new ScriptedProvider([gone()]));
    expect(failure).toMatchObject({ reason: "provider_failed" });
    expect(ms).toBeLessThan(1_000);
  });

  it("is not asked again where that cannot help, and the client told what it may know", async () => {
    const reasons = {
      unknown_voice: ["invalid_request", "provider scripted has no voice v any more"],
      unsupported_language: ["invalid_request", "voice v does not speak en"],
      nothing_to_speak: ["nothing_to_speak", "provider scripted found nothing to speak at segment 1 of 1"],
      other: ["provider_failed", "provider scripted failed at segment 1 of 1"],
    } as const;
    for (const [reason, [expected, message]] of Object.entries(reasons)) {
      const provider = new ScriptedProvider([new RequestFault(reason, "secret")]);
      expect((await new Recorder().run(provider)).failure).toEqual({ reason: expected, message });
      expect(provider.asked).toHaveLength(1);
    }
  });

  it("that cannot be used as the gateway is set up says so to the client, and nothing of the setup", async () => {
    const provider = new ScriptedProvider([new Misconfiguration("the key of tts.example was refused")]);
    expect((await recorder.run(provider)).failure).toEqual({
      reason: "misconfigured",
      message: "the gateway is not set up to use provider scripted",
    });
    expect(provider.asked).toHaveLength(1);
  });

  it("is not named where the transcoder failed", async () => {
    const provider = new ScriptedProvider([new ProviderError("retry", "resampler_failed", "secret")]);
    expect((await recorder.run(provider)).failure).toEqual({
      reason: "transcoder_failed",
      message: "the transcoder failed at segment 1 of 1",
    });
    expect(recorder.told).toEqual(["ignored", "ignored", "ignored"]);
  });

  it("tells the number of the segment in the whole text", async () => {
    recorder = new Recorder(["one", "two", "three"]);
    const { failure } = await recorder.run(new ScriptedProvider([format, audio(1)], [broken()]));
    expect(failure).toMatchObject({ message: "provider scripted failed at segment 2 of 3" });
  });

  it("does not have a word told twice", async () => {
    await recorder.run(new ScriptedProvider([format, word(0, 0), broken()], [format, word(0, 0), audio(10)]));
    expect(recorder.heard().words).toEqual([[0, 0]]);
  });

  it("with a bug is not asked again, and the bug comes out", async () => {
    const provider = new ScriptedProvider([]);
    // oxlint-disable-next-line require-yield
    provider.speak = async function* () {
      throw new TypeError("a bug");
    };
    expect((await recorder.run(provider)).failure).toEqual(new TypeError("a bug"));
  });
});

describe("a busy engine", () => {
  it("is asked as late as it says, without that counting as an attempt", async () => {
    const sentAway = Array.from({ length: 4 }, () => [busy(1_000)]);
    const provider = new ScriptedProvider(...sentAway, [broken()], [broken()], [format, audio(1)]);
    expect((await recorder.run(provider)).failure).toBeUndefined();
    expect(recorder.log.counts).toMatchObject({ utterances: 7, retries: 6 });
    const at = provider.asked.map((one) => one.at);
    for (let i = 1; i <= sentAway.length; i++) expect(at[i]! - at[i - 1]!).toBeGreaterThanOrEqual(1_000);
  });

  it("is given up when it stays busy, and the client told when to come again", async () => {
    const { failure, ms } = await recorder.run(new ScriptedProvider([busy(2_000)]));
    expect(failure).toEqual({ reason: "busy", message: "provider scripted is busy", retryAfterMs: 2_000 });
    expect(ms).toBeLessThanOrEqual(limits.busyMs);
  });

  it("is given up at once when it asks for more time than there is", async () => {
    const { failure, ms } = await recorder.run(new ScriptedProvider([busy(60_000)]));
    expect(failure).toMatchObject({ reason: "busy", retryAfterMs: 60_000 });
    expect(ms).toBe(0);
  });

  it("that says no time has the client come again after a second", async () => {
    const { failure } = await recorder.run(new ScriptedProvider([busy()]));
    expect(failure).toMatchObject({ reason: "busy", retryAfterMs: 1_000 });
  });

  it("that is not ready yet is said to be so", async () => {
    const provider = new ScriptedProvider([new ProviderError("when_free", "not_ready", "loading")]);
    expect((await recorder.run(provider)).failure).toMatchObject({ reason: "not_ready" });
  });
});
