import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Refusal } from "../../../worker/breaker/circuit-client.ts";
import { Misconfiguration, RequestFault } from "../../../worker/providers/provider.ts";
import { countingPcm } from "../bytes.ts";
import { limits, Recorder } from "./recording.ts";
import { audio, broken, busy, format, gone, ScriptedProvider } from "./scripted-provider.ts";

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

describe("a circuit", () => {
  const refused: Refusal = { allowed: false, retryAfterMs: 4_000 };

  it("hears how every call went, and nothing of those that say nothing of the provider", async () => {
    recorder = new Recorder(["one", "two"]);
    const spoken = [format, audio(1)];
    await recorder.run(new ScriptedProvider([busy(10)], [2_000, broken()], [10, ...spoken], [1_500, ...spoken]));
    expect(recorder.told).toEqual(["ignored", "failed", "succeeded", "slow"]);
  });

  it("is not told of what is the request's own fault, or of an abort", async () => {
    await recorder.run(new ScriptedProvider([new RequestFault("unknown_voice", "who?")]));
    const [controller, stopped] = [new AbortController(), new AbortController()];
    setTimeout(() => controller.abort(new Error("cancelled")), 150);
    await recorder.run(new ScriptedProvider(["hang"]), controller.signal);
    const torn = new ScriptedProvider([]);
    // oxlint-disable-next-line require-yield
    torn.speak = async function* (_, signal) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      throw gone(); // what a request says that was torn down
    };
    setTimeout(() => stopped.abort(new Error("cancelled")), 150);
    await recorder.run(torn, stopped.signal);
    expect(recorder.told).toEqual(["ignored", "ignored", "ignored"]);
  });

  it("opens at once for a wrong setup", async () => {
    await recorder.run(new ScriptedProvider([new Misconfiguration("401")]));
    expect(recorder.told).toEqual(["opens"]);
  });

  it("that is open keeps the provider from being asked", async () => {
    const provider = new ScriptedProvider([format, audio(1)]);
    const { failure } = await recorder.run([recorder.speaker(provider, { refusals: [refused] })]);
    expect(failure).toEqual({
      reason: "circuit_open",
      message: "provider scripted is in trouble and not asked now",
      retryAfterMs: 4_000,
    });
    expect([provider.asked.length, recorder.told.length]).toEqual([0, 0]);
    expect(recorder.log.counts).toMatchObject({ utterances: 0, retries: 0 });
  });

  it("that opens between two attempts ends them", async () => {
    const provider = new ScriptedProvider([broken()]);
    const { failure } = await recorder.run([recorder.speaker(provider, { refusals: [undefined, refused] })]);
    expect(failure).toMatchObject({ reason: "circuit_open" });
    expect(provider.asked).toHaveLength(1);
  });

  it("that opens in the middle of a stream is waited for", async () => {
    const provider = new ScriptedProvider([format, audio(10)]);
    const refusals = [undefined, ...Array.from({ length: 20 }, () => refused)];
    recorder = new Recorder(["one", "two"]);
    const { failure } = await recorder.run([recorder.speaker(provider, { refusals })]);
    expect(failure).toBeUndefined();
    expect([provider.asked.length, refusals.length]).toEqual([2, 0]);
    expect(recorder.log.counts).toMatchObject({ utterances: 2, retries: 0 });
  });

  it("that is open hands the text to the next voice", async () => {
    const [first, second] = [new ScriptedProvider([format]), new ScriptedProvider([format, audio(5)])];
    recorder = new Recorder(["one", "two"]);
    const speakers = [recorder.speaker(first, { refusals: [refused] }), recorder.speaker(second, { voice: "w" })];
    expect((await recorder.run(speakers)).failure).toBeUndefined();
    expect(second.asked.map(({ utterance }) => [utterance.text, utterance.voice])).toEqual([
      ["one", "w"],
      ["two", "w"],
    ]);
    recorder.heard();
    expect(recorder.changes).toMatchObject([{ pcmSample: 0, isCut: false, failure: { reason: "circuit_open" } }]);
    expect(first.asked).toHaveLength(0);
  });
});

describe("where a voice fails", () => {
  const run = (...providers: ScriptedProvider[]) =>
    recorder.run(providers.map((provider) => recorder.speaker(provider)));

  it("before its first audio, the next one speaks that segment and the rest", async () => {
    const first = new ScriptedProvider([format, audio(10)], [broken()]);
    const second = new ScriptedProvider([format, audio(20, 10)], [format, audio(30, 30)]);
    recorder = new Recorder(["one", "two", "three"]);
    expect((await run(first, second)).failure).toBeUndefined();
    expect(first.texts).toEqual(["one", "two", "two", "two"]);
    expect(second.texts).toEqual(["two", "three"]);
    expect(recorder.heard().pcm).toEqual(countingPcm(60));
    expect(recorder.changes).toMatchObject([{ pcmSample: 10, isCut: false }]);
  });

  it("by hanging, the next one is not made to wait for a second try", async () => {
    const first = new ScriptedProvider(["hang"]);
    const { failure, ms } = await run(first, new ScriptedProvider([format, audio(5)]));
    expect([failure, ms, first.asked.length]).toEqual([undefined, limits.busyMs, 1]);
  });

  it("in the middle of a segment, the segment ends there and the next voice speaks the next one", async () => {
    const first = new ScriptedProvider([format, audio(10), broken()]);
    const second = new ScriptedProvider([format, audio(20, 10)]);
    recorder = new Recorder(["one", "two"]);
    expect((await run(first, second)).failure).toBeUndefined();
    expect(first.asked).toHaveLength(1);
    expect(second.texts).toEqual(["two"]);
    expect(recorder.heard().pcm).toEqual(countingPcm(30));
    expect(recorder.changes).toMatchObject([{ pcmSample: 10, isCut: true, failure: { reason: "provider_failed" } }]);
    expect(recorder.log.counts.segments).toBe(2);
  });

  it("in the middle of the last segment, there is nothing to go on with: the recording fails", async () => {
    const first = new ScriptedProvider([format, audio(10), broken()]);
    const second = new ScriptedProvider([format, audio(20)]);
    expect((await run(first, second)).failure).toMatchObject({ reason: "provider_failed" });
    recorder.heard();
    expect([second.asked.length, recorder.changes.length]).toEqual([0, 0]);
  });

  it("and the others too, the last one's failure is told", async () => {
    const { failure } = await run(new ScriptedProvider([broken()]), new ScriptedProvider([busy(60_000)]));
    expect(failure).toMatchObject({ reason: "busy", retryAfterMs: 60_000 });
    recorder.heard();
    expect(recorder.changes).toHaveLength(1);
  });

  it("and the next one too, a third one goes on", async () => {
    const third = new ScriptedProvider([format, audio(10)]);
    expect((await run(new ScriptedProvider([broken()]), new ScriptedProvider([broken()]), third)).failure).toBe(
      undefined,
    );
    recorder.heard();
    expect(recorder.changes.map(({ pcmSample, isCut }) => [pcmSample, isCut])).toEqual([
      [0, false],
      [0, false],
    ]);
  });

  it("the voice that took over goes on after a loss, and the one before it is not asked again", async () => {
    recorder = new Recorder(["one", "two"]);
    const first = new ScriptedProvider([broken()]);
    await run(first, new ScriptedProvider([format, audio(700), broken()], [busy(60_000)]));
    recorder.log.sent(1);
    await vi.runAllTimersAsync();
    recorder.lose();
    expect(recorder.log.end.changes).toHaveLength(1);
    const again = new ScriptedProvider([format, audio(900)], [format, audio(10, 900)]);
    expect((await run(first, again)).failure).toBeUndefined();
    expect([first.asked.length, again.texts]).toEqual([3, ["one", "two"]]);
    expect(recorder.heard().pcm).toEqual(countingPcm(910));
  });
});
