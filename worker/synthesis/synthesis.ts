/**
 * One text being spoken: its segments, its voices, its encoder, its message log. It knows no connection; whoever delivers
 * the log tells how far it was heard.
 */
import { encodedRate, FORMAT_TRAITS } from "../../protocol/formats.ts";
import { Bell } from "../base/bell.ts";
import type { Failure } from "../base/errors.ts";
import { MessageLog, type LogStore } from "../message-log/message-log.ts";
import type { VoiceChange } from "../message-log/stored-row.ts";
import { segmentsFrom, type Segment } from "../text/segmenter.ts";
import { runUpStart } from "../upstreams/encoder.ts";
import { EncodedStream } from "./encoded-stream.ts";
import { RawStream } from "./raw-stream.ts";
import { recordSpeech } from "./recorder.ts";
import type { RetryLimits } from "./retry.ts";
import type { SpeechRequest } from "./speech-request.ts";
import { Track, type PcmSink, type Remaining } from "./track.ts";
import { speakersOf, type VoiceSurroundings } from "./speakers.ts";

export interface SynthesisSettings {
  retries: RetryLimits;
  /** The next segment is asked for while the log is at most this much ahead of what was heard, in ms. */
  leadMs: number;
}

export interface SynthesisEvents {
  /** Another voice has begun to be heard. */
  onChange: (change: VoiceChange) => void;
  /** What the client is told of something that was thrown. */
  failureOf: (error: unknown) => Failure;
}

export class Synthesis {
  readonly log: MessageLog;
  readonly #request: SpeechRequest;
  readonly #surroundings: VoiceSurroundings;
  readonly #settings: SynthesisSettings;
  readonly #failureOf: SynthesisEvents["failureOf"];
  readonly #stopped = new AbortController();
  readonly #heard = new Bell();
  #heardMs = 0;
  #isRunning = false;
  #segments: Segment[] | undefined;

  /** The synthesis whose log is in `store`, or a new one; it does nothing before {@link run}. */
  constructor(
    request: SpeechRequest,
    store: LogStore,
    surroundings: VoiceSurroundings,
    settings: SynthesisSettings,
    { onChange, failureOf }: SynthesisEvents,
  ) {
    this.#request = request;
    this.#surroundings = surroundings;
    this.#settings = settings;
    this.#failureOf = failureOf;
    const { format, sampleRateHz, rateHz } = request;
    this.log = new MessageLog(
      store,
      {
        sampleRateHz: encodedRate(format, sampleRateHz),
        pcmRateHz: rateHz,
        runUpStart: (samples) => runUpStart(request, rateHz, samples),
      },
      onChange,
    );
  }

  /** Speaks what is still missing, until the log has ended. Once is enough. */
  async run(): Promise<void> {
    if (this.#isRunning || this.log.end.ended) return;
    this.#isRunning = true;
    const { signal } = this.#stopped;
    try {
      await (this.#isRaw ? this.#runRaw(signal) : this.#runEncoded(signal));
      this.log.finish();
    } catch (error) {
      if (!signal.aborted) this.log.finish(this.#failureOf(error));
    } finally {
      this.#stopped.abort(); // a voice may still be speaking for an encoder that failed
    }
  }

  /** Stops all work, upstream too; the log ends where it stands. */
  stop(): void {
    this.#stopped.abort();
    this.log.finish();
  }

  /** A client that listens while it is spoken was sent the stream up to `ms`. */
  heard(ms: number): void {
    if (ms <= this.#heardMs) return;
    this.#heardMs = ms;
    this.#heard.ring();
  }

  /** Segments of the whole text. */
  get totalSegments(): number {
    return this.#allSegments.length;
  }

  /** Raw PCM at the rate that it is spoken at is its own encoding. */
  get #isRaw(): boolean {
    const { format, sampleRateHz, rateHz } = this.#request;
    return FORMAT_TRAITS[format].isRawPcm && sampleRateHz === rateHz;
  }

  get #allSegments(): readonly Segment[] {
    return (this.#segments ??= this.#segmentsFrom(0));
  }

  #segmentsFrom(textStart: number): Segment[] {
    const { text, voices, maxChars } = this.#request;
    return segmentsFrom(text, voices[0].language ?? "und", maxChars, textStart);
  }

  #remainingFrom(textStart: number): Remaining {
    const segments = textStart === 0 ? this.#allSegments : this.#segmentsFrom(textStart);
    return { segments, done: Math.max(0, this.totalSegments - segments.length) };
  }

  async #runRaw(signal: AbortSignal): Promise<void> {
    const stream = new RawStream(this.log, this.#request.format === "wav");
    try {
      await this.#record(stream, signal);
    } finally {
      if (!signal.aborted) stream.finish();
    }
  }

  async #runEncoded(signal: AbortSignal): Promise<void> {
    const { transcoder, transcoderLimits: limits } = this.#surroundings;
    const unneeded = new AbortController();
    const either = AbortSignal.any([signal, unneeded.signal]);
    const stream = new EncodedStream(this.log, { transcoder, target: this.#request, limits }, either);
    const recording = this.#record(stream, either).finally(() => {
      stream.finish();
    });
    recording.catch(() => stream.isEmpty && unneeded.abort());
    try {
      await stream.run();
    } catch (error) {
      if (unneeded.signal.aborted) await recording;
      throw error;
    }
    await recording;
  }

  #record(sink: PcmSink, signal: AbortSignal): Promise<void> {
    const recording = {
      speakers: speakersOf(this.#request, this.#surroundings),
      track: new Track(this.log, sink, (textStart) => this.#remainingFrom(textStart)),
      limits: this.#settings.retries,
      counts: this.log.counts,
      totalSegments: this.totalSegments,
      waitForLead: () => this.#heard.until(() => this.log.endMs - this.#heardMs <= this.#settings.leadMs, signal),
    };
    return recordSpeech(recording, signal);
  }
}
