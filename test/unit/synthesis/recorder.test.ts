import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Call, type Refusal } from "../../../worker/breaker/circuit-client.ts";
import type { GatewayError } from "../../../worker/base/errors.ts";
import {
  ProviderError,
  RequestFault,
  type Catalog,
  type Provider,
  type SpeechPiece,
  type Utterance,
} from "../../../worker/providers/provider.ts";
import { recordSpeech, type Recording, type Speaker } from "../../../worker/synthesis/recorder.ts";
import { Tape } from "../../../worker/synthesis/tape.ts";
import { concat, countingPcm } from "../bytes.ts";
import { bytesOf, MemoryTapeStore, pcmOf, wordsOf } from "./memory-tape.ts";

const RATE = 1_000;
const format: SpeechPiece = { type: "event", event: { type: "format", sample_rate: RATE } };
const audio = (samples: number, from = 0): SpeechPiece => ({
  type: "audio",
  samples,
  data: countingPcm(samples, from),
});
const word = (start: number, sample: number): SpeechPiece => ({
  type: "event",
  event: { type: "word", start, length: 1, sample },
});

/** What a provider does at one request: say a piece, pause (ms), fail, or think until it is stopped. */
type Step = SpeechPiece | number | ProviderError | "hang";

/** Follows one script a request; the last one again for all further ones. */
class ScriptedProvider implements Provider {
  readonly id = "scripted";
  readonly circuitName = "scripted";
  readonly asked: { at: number; utterance: Utterance }[] = [];
  stopped = 0;
  running = 0;
  readonly #scripts: readonly (readonly Step[])[];

  constructor(...scripts: readonly (readonly Step[])[]) {
    this.#scripts = scripts;
  }

  async catalog(): Promise<Catalog> {
    return { voices: [], sampleRateHz: RATE, maxChars: 100 };
  }

  async *speak(utterance: Utterance, signal: AbortSignal): AsyncGenerator<SpeechPiece> {
    const script = this.#scripts[Math.min(this.asked.length, this.#scripts.length - 1)]!;
    this.asked.push({ at: Date.now(), utterance });
    this.running++;
    try {
      for (const step of script) {
        if (step instanceof ProviderError) throw step;
        if (typeof step === "object") yield step;
        else await this.#think(step, signal);
      }
    } finally {
      this.running--;
    }
  }

  #think(step: number | "hang", signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = step === "hang" ? undefined : setTimeout(() => settle(resolve), step);
      const stop = () => {
        this.stopped++;
        settle(() => reject(signal.reason as Error));
      };
      const settle = (how: () => void) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", stop);
        how();
      };
      signal.addEventListener("abort", stop);
    });
  }
}

const limits = { firstAudioTimeoutMs: 10_000, gapTimeoutMs: 10_000, goneTimeoutMs: 20_000, attempts: 3 };

type Task = Omit<Recording, "speakers">;

function recordingOn(tape: Tape, texts = ["one"], more: Partial<Task> = {}): Task {
  const segments = texts.map((text, i) => ({ text, start: i * 100 }));
  const counts = { utterances: 0, retries: 0 };
  return { segments, tape, limits, counts, mayGoOn: () => Promise.resolve(), onChange: () => {}, ...more };
}

/** What the circuit was told of each call. */
let told: string[];

function speakerOf(provider: Provider, voice = "v"): Speaker {
  return {
    provider: provider.id,
    voice,
    language: "en",
    rateHz: RATE,
    admit: async () => new Call(1_000, (end) => void told.push(end)),
    speak: (utterance, signal) => provider.speak(utterance, signal),
  };
}

const never = new AbortController().signal;
const busy = (retryAfterMs?: number) => new ProviderError("when_free", "busy", "all lanes taken", retryAfterMs);
const broken = () => new ProviderError("retry", "broken_stream", "secret detail of the upstream");

/** Records to the end (time passes at once), and gives back what became of it. */
async function outcome(task: Task, by: Provider | Speaker[], signal = never) {
  const started = Date.now();
  const speakers = Array.isArray(by) ? by : [speakerOf(by)];
  const done = recordSpeech({ ...task, speakers }, signal).then(
    () => undefined,
    (error: unknown) => (error as GatewayError).failure ?? error,
  );
  await vi.runAllTimersAsync();
  const failure = await done;
  expect(vi.getTimerCount()).toBe(0); // whatever happened, nothing is left waiting
  return { failure, ms: Date.now() - started };
}

async function heard(tape: Tape) {
  tape.end();
  const bytes = await bytesOf(tape);
  return { pcm: pcmOf(bytes), words: wordsOf(bytes) };
}

let store: MemoryTapeStore;
let tape: Tape;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(console, "log").mockImplementation(() => {});
  told = [];
  store = new MemoryTapeStore();
  tape = new Tape(store, RATE);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("recording", () => {
  it("asks for the segments one after the other and puts them on the tape in order", async () => {
    const provider = new ScriptedProvider(
      [format, word(0, 0), audio(30), 50, word(4, 40), audio(20, 30)],
      [format, word(2, 5), audio(40, 50)],
    );
    const recording = recordingOn(tape, ["one", "two"]);
    expect((await outcome(recording, provider)).failure).toBeUndefined();
    expect(provider.asked.map(({ utterance }) => utterance)).toEqual([
      { text: "one", voice: "v", language: "en" },
      { text: "two", voice: "v", language: "en" },
    ]);
    const { pcm, words } = await heard(tape);
    expect(pcm).toEqual(countingPcm(90));
    expect(words).toEqual([
      { start: 0, length: 1, sample: 0 },
      { start: 4, length: 1, sample: 40 },
      { start: 102, length: 1, sample: 55 },
    ]);
    expect(recording.counts).toEqual({ utterances: 2, retries: 0 });
    expect(tape.position).toMatchObject({ segment: 2, segmentSamples: 0, samples: 90 });
  });

  it("asks for no next segment before it may go on", async () => {
    const provider = new ScriptedProvider([format, audio(10)]);
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let waits = 0;
    const recording = recordingOn(tape, ["one", "two"], { mayGoOn: () => gates[waits++]!.promise });
    const done = recordSpeech({ ...recording, speakers: [speakerOf(provider)] }, never);
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
    expect((await outcome(recordingOn(tape, ["...", "two"]), provider)).failure).toBeUndefined();
    expect((await heard(tape)).pcm).toHaveLength(20);
  });
});

describe("a failing provider", () => {
  it("is asked again, a little later each time, while it has produced nothing", async () => {
    const provider = new ScriptedProvider([broken()], [format, broken()], [format, audio(10)]);
    const recording = recordingOn(tape);
    const { failure, ms } = await outcome(recording, provider);
    expect(failure).toBeUndefined();
    expect(recording.counts).toEqual({ utterances: 3, retries: 2 });
    const [first, second, third] = provider.asked.map(({ at }) => at);
    expect(second! - first!).toBeGreaterThanOrEqual(100);
    expect(second! - first!).toBeLessThanOrEqual(200);
    expect(third! - second!).toBeGreaterThanOrEqual(200);
    expect(ms).toBeLessThanOrEqual(600);
  });

  it("is given up after the last attempt, and the client is told nothing from upstream", async () => {
    const provider = new ScriptedProvider([broken()]);
    const { failure } = await outcome(recordingOn(tape), provider);
    expect(provider.asked).toHaveLength(3);
    expect(failure).toEqual({ reason: "provider_failed", message: "provider scripted failed at segment 1 of 1" });
  });

  it("has fresh attempts at the next segment", async () => {
    const provider = new ScriptedProvider(
      [broken()],
      [broken()],
      [format, audio(1)],
      [broken()],
      [broken()],
      [format, audio(1)],
    );
    expect((await outcome(recordingOn(tape, ["one", "two"]), provider)).failure).toBeUndefined();
  });

  it("is never asked again once a part of the segment was heard", async () => {
    const failed = new ProviderError("retry", "synthesis_failed", "secret");
    const provider = new ScriptedProvider([format, audio(1), failed]);
    const { failure } = await outcome(recordingOn(tape), provider);
    expect(provider.asked).toHaveLength(1);
    expect(failure).toMatchObject({ reason: "provider_failed" });
    expect((await heard(tape)).pcm).toHaveLength(2);
  });

  it("that was cut off is asked for the segment again, and what was heard of it skipped", async () => {
    const whole = [format, word(0, 0), audio(60), word(5, 62), audio(40, 60)];
    const provider = new ScriptedProvider([format, word(0, 0), audio(50), broken()], whole);
    expect((await outcome(recordingOn(tape), provider)).failure).toBeUndefined();
    const { pcm, words } = await heard(tape);
    expect(pcm).toEqual(countingPcm(100));
    expect(words.map(({ sample }) => sample)).toEqual([0, 62]);
    expect(provider.asked).toHaveLength(2);
  });

  it("that is cut off over and over is given up", async () => {
    const { failure } = await outcome(recordingOn(tape), new ScriptedProvider([format, audio(10), broken()]));
    expect(failure).toMatchObject({ reason: "provider_failed" });
    expect((await heard(tape)).pcm).toEqual(countingPcm(10));
  });

  it("that is gone in the middle of a stream is waited for", async () => {
    const gone = () => new ProviderError("retry", "unreachable", "refused");
    const loading = () => new ProviderError("when_free", "not_ready", "loading", 1_000);
    const scripts = [[format, audio(10), broken()], ...Array.from({ length: 8 }, () => [gone()]), [loading()]];
    const provider = new ScriptedProvider(...scripts, [format, audio(30)]);
    const { failure, ms } = await outcome(recordingOn(tape), provider);
    expect(failure).toBeUndefined();
    expect((await heard(tape)).pcm).toEqual(countingPcm(30));
    expect(ms).toBeGreaterThan(10_000);
  });

  it("that stays away in the middle of a stream ends it, after a while", async () => {
    const gone = new ProviderError("retry", "unreachable", "refused");
    const provider = new ScriptedProvider([format, audio(10), broken()], [gone]);
    const { failure, ms } = await outcome(recordingOn(tape), provider);
    expect(failure).toMatchObject({ reason: "provider_failed" });
    expect(ms).toBeGreaterThan(10_000);
    expect(ms).toBeLessThanOrEqual(limits.goneTimeoutMs);
  });

  it("that is gone at a stream's start is not waited for", async () => {
    const provider = new ScriptedProvider([new ProviderError("retry", "unreachable", "refused")]);
    const { failure, ms } = await outcome(recordingOn(tape), provider);
    expect(failure).toMatchObject({ reason: "provider_failed" });
    expect(ms).toBeLessThan(1_000);
  });

  it("is not asked again where that cannot help", async () => {
    const reasons = {
      unknown_voice: "invalid_request",
      unsupported_language: "invalid_request",
      nothing_to_speak: "nothing_to_speak",
      other: "provider_failed",
    };
    for (const [reason, expected] of Object.entries(reasons)) {
      const provider = new ScriptedProvider([new ProviderError("never", reason, "secret")]);
      const { failure } = await outcome(recordingOn(tape), provider);
      expect(provider.asked).toHaveLength(1);
      expect(failure).toMatchObject({ reason: expected });
      expect(JSON.stringify(failure)).not.toContain("secret");
    }
  });

  it("does not put a word on the tape twice", async () => {
    const provider = new ScriptedProvider([format, word(0, 0), broken()], [format, word(0, 0), audio(10)]);
    await outcome(recordingOn(tape), provider);
    expect((await heard(tape)).words).toHaveLength(1);
  });

  it("with a bug is not asked again, and the bug comes out", async () => {
    const provider = new ScriptedProvider([]);
    // oxlint-disable-next-line require-yield
    provider.speak = async function* () {
      throw new TypeError("a bug");
    };
    expect((await outcome(recordingOn(tape), provider)).failure).toBeInstanceOf(TypeError);
  });
});

describe("a busy engine", () => {
  it("is waited for as long as it says, without that counting as an attempt", async () => {
    const provider = new ScriptedProvider(
      [busy(1_000)],
      [busy(1_000)],
      [busy(1_000)],
      [busy(1_000)],
      [format, audio(1)],
    );
    const { failure } = await outcome(recordingOn(tape), provider);
    expect(failure).toBeUndefined();
    const at = provider.asked.map((one) => one.at);
    for (let i = 1; i < at.length; i++) expect(at[i]! - at[i - 1]!).toBeGreaterThanOrEqual(1_000);
  });

  it("is given up when it stays busy, and the client told when to come again", async () => {
    const { failure, ms } = await outcome(recordingOn(tape), new ScriptedProvider([busy(2_000)]));
    expect(failure).toEqual({ reason: "busy", message: "provider scripted is busy", retryAfterMs: 2_000 });
    expect(ms).toBeLessThanOrEqual(limits.firstAudioTimeoutMs);
  });

  it("is given up at once when it asks for more time than there is", async () => {
    const { failure, ms } = await outcome(recordingOn(tape), new ScriptedProvider([busy(60_000)]));
    expect(failure).toMatchObject({ reason: "busy", retryAfterMs: 60_000 });
    expect(ms).toBe(0);
  });

  it("that is not ready yet is said to be so", async () => {
    const provider = new ScriptedProvider([new ProviderError("when_free", "not_ready", "loading")]);
    expect((await outcome(recordingOn(tape), provider)).failure).toMatchObject({ reason: "not_ready" });
  });
});

describe("a slow provider", () => {
  it("is stopped when no first audio comes in time, and asked again", async () => {
    const provider = new ScriptedProvider([format, word(0, 0), "hang"], [9_000, format, audio(1)]);
    const { failure } = await outcome(recordingOn(tape), provider);
    expect(failure).toBeUndefined();
    expect([provider.stopped, provider.running, provider.asked.length]).toEqual([1, 0, 2]);
  });

  it("ends the session when no attempt is in time", async () => {
    const { failure } = await outcome(recordingOn(tape), new ScriptedProvider(["hang"]));
    expect(failure).toMatchObject({ reason: "provider_timeout" });
  });

  it("ends the session when it pauses too long in the middle", async () => {
    const provider = new ScriptedProvider([format, audio(1), 9_000, audio(1, 1), "hang"]);
    const { failure, ms } = await outcome(recordingOn(tape), provider);
    expect(failure).toMatchObject({ reason: "provider_timeout" });
    expect([provider.stopped, provider.asked.length, ms]).toEqual([1, 1, 19_000]);
  });

  it("has a gap timeout of its own, shorter or longer than the first audio's", async () => {
    for (const [firstAudioTimeoutMs, gapTimeoutMs] of [
      [10_000, 500],
      [500, 10_000],
    ] as const) {
      const recording = recordingOn(tape, ["one"], {
        limits: { ...limits, firstAudioTimeoutMs, gapTimeoutMs, attempts: 1 },
      });
      const { failure, ms } = await outcome(recording, new ScriptedProvider([format, audio(1), "hang"]));
      expect(failure).toMatchObject({ reason: "provider_timeout" });
      expect(ms).toBe(gapTimeoutMs);
    }
  });
});

describe("recording after a loss", () => {
  it("asks for the segment again and skips what the tape has of it", async () => {
    const whole = [format, word(0, 0), audio(600), word(5, 620), audio(400, 600)];
    await outcome(
      recordingOn(tape, ["one", "two"]),
      new ScriptedProvider([...whole.slice(0, 4), audio(50, 600), broken()]),
    );
    const reopened = new Tape(store, RATE);
    expect(reopened.position).toMatchObject({ segment: 0, segmentSamples: 500 });
    const recording = recordingOn(reopened, ["one", "two"]);
    const provider = new ScriptedProvider(whole, [format, audio(100, 1_000)]);
    expect((await outcome(recording, provider)).failure).toBeUndefined();
    const { pcm, words } = await heard(reopened);
    expect(pcm).toEqual(countingPcm(1_100));
    expect(words.map(({ sample }) => sample)).toEqual([0, 620]);
  });

  it("asks for nothing when everything is there", async () => {
    await outcome(recordingOn(tape), new ScriptedProvider([format, audio(100)]));
    const provider = new ScriptedProvider([format, audio(100)]);
    await outcome(recordingOn(tape), provider);
    expect(provider.asked).toHaveLength(0);
  });
});

describe("a circuit", () => {
  const refused = (): Promise<Refusal> => Promise.resolve({ allowed: false, retryAfterMs: 4_000 });

  it("hears how every call went, and nothing of those that say nothing of the provider", async () => {
    const provider = new ScriptedProvider(
      [busy(10)],
      [2_000, broken()],
      [10, format, audio(1)],
      [1_500, format, audio(1)],
    );
    await outcome(recordingOn(tape, ["one", "two"]), provider);
    expect(told).toEqual(["ignored", "failed", "succeeded", "slow"]);
  });

  it("is not told of what is the request's own fault, or of an abort", async () => {
    const unknown = new RequestFault("unknown_voice", "who?");
    await outcome(recordingOn(tape), new ScriptedProvider([unknown]));
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("cancelled")), 150);
    await outcome(recordingOn(tape), new ScriptedProvider(["hang"]), controller.signal);
    expect(told).toEqual(["ignored", "ignored"]);
  });

  it("that is open keeps the provider from being asked", async () => {
    const provider = new ScriptedProvider([format, audio(1)]);
    const { failure } = await outcome(recordingOn(tape), [{ ...speakerOf(provider), admit: refused }]);
    expect(failure).toMatchObject({ reason: "circuit_open", retryAfterMs: 4_000 });
    expect([provider.asked.length, told.length]).toEqual([0, 0]);
  });

  it("that opens between two attempts ends them", async () => {
    const provider = new ScriptedProvider([broken()]);
    const { admit, ...speaker } = speakerOf(provider);
    const admissions = [admit, refused];
    const { failure } = await outcome(recordingOn(tape), [{ ...speaker, admit: () => admissions.shift()!() }]);
    expect(failure).toMatchObject({ reason: "circuit_open" });
    expect(provider.asked).toHaveLength(1);
  });

  it("that opens in the middle of a stream is waited for", async () => {
    const provider = new ScriptedProvider([format, audio(10)]);
    const { admit, ...speaker } = speakerOf(provider);
    const admissions = [admit, ...Array.from({ length: 20 }, () => refused)];
    const recording = recordingOn(tape, ["one", "two"]);
    const { failure } = await outcome(recording, [{ ...speaker, admit: () => (admissions.shift() ?? admit)() }]);
    expect(failure).toBeUndefined();
    expect([provider.asked.length, admissions.length]).toEqual([2, 0]);
  });

  it("that is open hands the text to the next voice", async () => {
    const [first, second] = [new ScriptedProvider([format]), new ScriptedProvider([format, audio(5)])];
    const speakers = [{ ...speakerOf(first), admit: refused }, speakerOf(second, "w")];
    const onChange = vi.fn<() => void>();
    const recording = recordingOn(tape, ["one", "two"], { onChange });
    expect((await outcome(recording, speakers)).failure).toBeUndefined();
    expect(second.asked.map(({ utterance }) => [utterance.text, utterance.voice])).toEqual([
      ["one", "w"],
      ["two", "w"],
    ]);
    expect(tape.position.changes).toMatchObject([{ samples: 0, isCut: false, failure: { reason: "circuit_open" } }]);
    expect(onChange).toHaveBeenCalledTimes(1);
    expect(first.asked).toHaveLength(0);
  });
});

describe("where a voice fails", () => {
  it("before its first audio, the next one speaks that segment and the rest", async () => {
    const first = new ScriptedProvider([format, audio(10)], [broken()]);
    const second = new ScriptedProvider([format, audio(20, 10)], [format, audio(30, 30)]);
    const recording = recordingOn(tape, ["one", "two", "three"]);
    expect((await outcome(recording, [speakerOf(first), speakerOf(second)])).failure).toBeUndefined();
    expect(first.asked.map(({ utterance }) => utterance.text)).toEqual(["one", "two", "two", "two"]);
    expect(second.asked.map(({ utterance }) => utterance.text)).toEqual(["two", "three"]);
    expect((await heard(tape)).pcm).toEqual(countingPcm(60));
    expect(tape.position.changes).toMatchObject([{ samples: 10, isCut: false }]);
  });

  it("by hanging, the next one is not made to wait for a second try", async () => {
    const first = new ScriptedProvider(["hang"]);
    const second = new ScriptedProvider([format, audio(5)]);
    const { failure, ms } = await outcome(recordingOn(tape), [speakerOf(first), speakerOf(second)]);
    expect([failure, ms, first.asked.length]).toEqual([undefined, limits.firstAudioTimeoutMs, 1]);
  });

  it("in the middle of a segment, the segment ends there and the next voice speaks the next one", async () => {
    const first = new ScriptedProvider([format, audio(10), broken()]);
    const second = new ScriptedProvider([format, audio(20, 10)]);
    const recording = recordingOn(tape, ["one", "two"]);
    expect((await outcome(recording, [speakerOf(first), speakerOf(second)])).failure).toBeUndefined();
    expect(first.asked).toHaveLength(1);
    expect(second.asked.map(({ utterance }) => utterance.text)).toEqual(["two"]);
    expect((await heard(tape)).pcm).toEqual(countingPcm(30));
    expect(tape.position.changes).toMatchObject([{ samples: 10, isCut: true, failure: { reason: "provider_failed" } }]);
  });

  it("in the middle of the last segment, there is nothing to go on with: the recording fails", async () => {
    const first = new ScriptedProvider([format, audio(10), broken()]);
    const second = new ScriptedProvider([format, audio(20)]);
    const { failure } = await outcome(recordingOn(tape), [speakerOf(first), speakerOf(second)]);
    expect(failure).toMatchObject({ reason: "provider_failed" });
    expect([second.asked.length, tape.position.changes.length]).toEqual([0, 0]);
  });

  it("and the others too, the last one's failure is told", async () => {
    const first = new ScriptedProvider([broken()]);
    const second = new ScriptedProvider([busy(60_000)]);
    const { failure } = await outcome(recordingOn(tape), [speakerOf(first), speakerOf(second)]);
    expect(failure).toMatchObject({ reason: "busy", retryAfterMs: 60_000 });
    expect(tape.position.changes).toHaveLength(1);
  });

  it("the change is kept before anything more is recorded", async () => {
    tape.appendAudio(countingPcm(30));
    tape.changeVoice({ reason: "provider_failed", message: "" });
    const reopened = new Tape(store, RATE);
    expect(reopened.voice).toBe(1);
    expect(reopened.position).toMatchObject({ segment: 1, segmentSamples: 0, samples: 30 });
    expect((await heard(reopened)).pcm).toEqual(countingPcm(30));
  });

  it("the voice that took over goes on after a loss of the tape's end", async () => {
    const first = new ScriptedProvider([broken()]);
    const second = new ScriptedProvider([format, audio(700), broken()]);
    await outcome(recordingOn(tape, ["one", "two"]), [speakerOf(first), speakerOf(second)]);
    const reopened = new Tape(store, RATE);
    expect([reopened.voice, reopened.position.segmentSamples]).toEqual([1, 500]);
    const again = new ScriptedProvider([format, audio(700)], [format, audio(10, 700)]);
    const speakers = [speakerOf(new ScriptedProvider([format, audio(1)])), speakerOf(again)];
    expect((await outcome(recordingOn(reopened, ["one", "two"]), speakers)).failure).toBeUndefined();
    expect((await heard(reopened)).pcm).toEqual(countingPcm(710));
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
    const { failure, ms } = await outcome(recordingOn(tape), provider, controller.signal);
    expect(failure).toEqual(new Error("cancelled"));
    expect([ms, provider.asked.length, provider.running]).toEqual([150, 1, 0]);
    expect(concat([(await heard(tape)).pcm]).length).toBeLessThanOrEqual(40);
  });
});
