/** Records a text on a raw stream while time passes at once, and tells what became of it. */
import { vi } from "vitest";
import { Call, type Refusal } from "../../../worker/breaker/circuit-client.ts";
import type { Failure } from "../../../worker/base/errors.ts";
import type { MessageLog } from "../../../worker/message-log/message-log.ts";
import type { VoiceChange } from "../../../worker/message-log/stored-row.ts";
import type { Provider } from "../../../worker/providers/provider.ts";
import { RawStream } from "../../../worker/synthesis/raw-stream.ts";
import { recordSpeech } from "../../../worker/synthesis/recorder.ts";
import { promisedSpeech } from "../../../worker/synthesis/promised-speech.ts";
import { Track } from "../../../worker/synthesis/track.ts";
import type { Speaker } from "../../../worker/synthesis/speakers.ts";
import { concat } from "../bytes.ts";
import { messagesOf, openLog } from "../message-log/log-fixtures.ts";
import { MemoryLogStore } from "../message-log/memory-log-store.ts";
import { RATE } from "./scripted-provider.ts";

export const never = new AbortController().signal;
export const limits = { attempts: 3, busyMs: 10_000, goneMs: 20_000 };

/** Times are those of {@link limits}, as the Worker's are. */
export const timeouts = { firstAudioMs: 10_000, gapMs: 10_000 };

export interface SpeakerOptions {
  voice?: string;
  timeouts?: typeof timeouts;
  /** Of each call in turn; undefined admits it. */
  refusals?: (Refusal | undefined)[];
}

/** A session's recording, which may be lost and opened again. */
export class Recorder {
  /** What the circuits were told of each call. */
  readonly told: string[] = [];
  readonly changes: VoiceChange[] = [];
  readonly texts: readonly string[];
  store: MemoryLogStore;
  log: MessageLog;
  limits = limits;
  waitForLead = () => Promise.resolve();

  /** @param texts of the segments; each stands 100 characters behind the one before it. */
  constructor(texts: readonly string[] = ["one"], store = new MemoryLogStore()) {
    this.texts = texts;
    this.store = store;
    this.log = this.#open();
  }

  #open(): MessageLog {
    return openLog(this.store, { sampleRateHz: RATE, pcmRateHz: RATE }, (change) => void this.changes.push(change));
  }

  /** The object is lost, and another opens what was written. */
  lose(): void {
    this.log = this.#open();
  }

  speaker(
    provider: Provider,
    { voice = "v", timeouts: times = timeouts, refusals = [] }: SpeakerOptions = {},
  ): Speaker {
    return {
      provider: provider.id,
      voice,
      language: "en",
      rateHz: RATE,
      admit: async () => refusals.shift() ?? new Call(1_000, (end) => void this.told.push(end)),
      speak: (utterance, onFirstAudio, signal) =>
        promisedSpeech(
          (each) => provider.speak(utterance, each),
          { timeouts: times, rateHz: RATE, onFirstAudio },
          signal,
        ),
    };
  }

  /** Not yet over when it returns. */
  start(speakers: readonly Speaker[], signal = never): Promise<void> {
    const segments = this.texts.map((text, i) => ({ text, start: i * 100 }));
    const sink = new RawStream(this.log, false);
    const track = new Track(this.log, sink, (textStart) => {
      const remaining = segments.filter(({ start }) => start >= textStart);
      return { segments: remaining, done: segments.length - remaining.length };
    });
    const { counts } = this.log;
    const totalSegments = segments.length;
    const recording = { speakers, track, limits: this.limits, counts, totalSegments, waitForLead: this.waitForLead };
    return recordSpeech(recording, signal).finally(() => sink.finish());
  }

  /** Records to the end; time passes at once. */
  async run(by: Provider | readonly Speaker[], signal = never): Promise<{ failure: unknown; ms: number }> {
    const started = Date.now();
    const speakers = "speak" in by ? [this.speaker(by)] : by;
    const done = this.start(speakers, signal).then(
      () => undefined,
      (error: unknown) => (error as { failure?: Failure }).failure ?? error,
    );
    await vi.runAllTimersAsync();
    const failure = await done;
    const left = vi.getTimerCount();
    if (left > 0) throw new Error(`${left} timers are left waiting`);
    return { failure, ms: Date.now() - started };
  }

  /** Ends the log, and gives back what a client heard. */
  heard() {
    this.log.finish();
    return {
      pcm: concat(messagesOf(this.log).map(({ data }) => data)),
      words: this.store.rows.flatMap(({ words }) => words).map(({ textStart, pcmSample }) => [textStart, pcmSample]),
    };
  }
}
