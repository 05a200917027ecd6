/**
 * Where the recording stands: in the text, segment after segment, and in the PCM. What is recorded goes to the encoder;
 * segments, words and voice changes go to the message log, each with its place.
 *
 * After a loss it begins a run-up before the end of the log, in the segment that lies there: that is spoken again, and what
 * comes before the run-up is skipped.
 */
import type { WordEvent } from "../../protocol/envelope.ts";
import { BYTES_PER_SAMPLE } from "../../protocol/formats.ts";
import type { Failure } from "../base/errors.ts";
import type { MessageLog } from "../message-log/message-log.ts";
import type { Word } from "../message-log/stored-row.ts";
import type { Segment } from "../text/segmenter.ts";

/** Takes PCM, s16le mono. */
export interface PcmSink {
  /** Samples of the stream so far. */
  readonly end: number;
  /** Resolves when the sink has taken it. */
  push(pcm: Uint8Array): Promise<void> | void;
}

/** The segments that are still to be spoken. */
export interface Remaining {
  segments: readonly Segment[];
  /** Segments of the text before them. */
  done: number;
}

export class Track {
  /** Index of the voice that is to speak, among the request's. */
  voice: number;
  readonly #log: MessageLog;
  readonly #sink: PcmSink;
  readonly #segments: readonly Segment[];
  /** Segments of the text before them. */
  readonly #done: number;
  /** Where segments behind the first one began before the loss, by their index: they begin there again. */
  readonly #knownStarts = new Map<number, number>();
  #streamBeganAt: number | undefined;
  #index = 0;
  #segmentStart: number;
  #isInSegment: boolean;
  /** Samples of the take under way. */
  #taken = 0;
  /** Words of it that wait for their audio: a take that fails before it leaves none. */
  #words: Word[] = [];
  /** Where the text goes on behind the last word, in UTF-16 code units. */
  #wordsEnd: number;

  /** @param remainingFrom tells the segments from a place in the text on, in UTF-16 code units. */
  constructor(log: MessageLog, sink: PcmSink, remainingFrom: (textStart: number) => Remaining) {
    const { changes, segments, wordsEnd } = log.end;
    // The voice before the last change is not asked again: its part of the run-up is silence.
    const from = Math.max(sink.end, changes.at(-1)?.pcmSample ?? 0);
    const first = segments.findLast(({ pcmSample }) => pcmSample <= from);
    const remaining = remainingFrom(first?.textStart ?? 0);
    this.#log = log;
    this.#sink = sink;
    this.#segments = remaining.segments;
    this.#done = remaining.done;
    this.#segmentStart = first?.pcmSample ?? 0;
    this.#isInSegment = first !== undefined;
    this.#wordsEnd = wordsEnd;
    this.voice = changes.length;
    for (const { textStart, pcmSample } of segments) {
      const index = this.#segments.findIndex(({ start }) => start === textStart);
      if (index > 0) this.#knownStarts.set(index, pcmSample);
    }
  }

  /** The segment that is to be spoken; undefined behind the last. */
  get segment(): Segment | undefined {
    return this.#segments[this.#index];
  }

  /** Its number among all of the text's, from 1. */
  get number(): number {
    return this.#done + this.#index + 1;
  }

  /** Where {@link segment} begins in the stream; an encoder's delay is not counted. */
  get place(): { startMs: number; streamBeganAt: number } {
    const startMs = (this.#segmentStart * 1000) / this.#log.settings.pcmRateHz;
    this.#streamBeganAt ??= Date.now() - startMs;
    return { startMs, streamBeganAt: this.#streamBeganAt };
  }

  /** No segment follows that another voice could begin with. */
  get isLast(): boolean {
    return this.#furthest === this.#segments.length - 1;
  }

  /** Some of the stream was recorded. */
  get isUnderWay(): boolean {
    return this.#sink.end > 0 || this.#log.end.seq > 0;
  }

  /** Some of {@link segment} was recorded, by this object or by one that was lost. */
  get isInSegment(): boolean {
    return this.#isInSegment || this.#furthest > this.#index;
  }

  /** Another take of {@link segment} begins; what was recorded of it is skipped. */
  async beginTake(): Promise<void> {
    await this.#silence(this.#segmentStart);
    this.#taken = 0;
    this.#words = [];
  }

  /** The promise, if there is one, is of a sink that has no room yet: audio comes too often to wait for nothing. */
  audio(pcm: Uint8Array): Promise<void> | void {
    const samples = pcm.length / BYTES_PER_SAMPLE;
    const from = this.#sink.end - this.#segmentStart - this.#taken;
    const to = this.#end - this.#segmentStart - this.#taken;
    this.#taken += samples;
    if (!this.#isInSegment) this.#log.beginSegment({ textStart: this.segment!.start, pcmSample: this.#segmentStart });
    this.#isInSegment = true;
    this.#tellWords(Math.min(this.#segmentStart + this.#taken, this.#end));
    const data = pcm.subarray(
      Math.max(0, from) * BYTES_PER_SAMPLE,
      Math.max(0, Math.min(to, samples)) * BYTES_PER_SAMPLE,
    );
    return this.#push(data);
  }

  /** A word before its audio; one that an earlier take has told is passed over. */
  word({ start, length, sample }: WordEvent): void {
    const textStart = this.segment!.start + start;
    const known = this.#words.at(-1);
    if (textStart < (known ? known.textStart + known.length : this.#wordsEnd)) return;
    this.#words.push({ textStart, length, pcmSample: this.#segmentStart + sample });
  }

  /** The segment is complete. If it ended before a loss, it ends there again, and else behind all that was heard of it. */
  async endSegment(): Promise<void> {
    this.#tellWords(this.#end);
    await this.#silence(Math.min(this.#end, Math.ceil(this.#log.pcmEnd)));
    this.#next();
  }

  /** The next voice goes on: with the segment, or behind it if a part of it was recorded and cannot be spoken again. */
  async changeVoice(failure: Failure): Promise<void> {
    const isCut = this.isInSegment;
    // Whatever was heard before a loss was heard: the voice that follows begins behind it.
    this.#index = this.#furthest;
    await this.#silence(Math.ceil(this.#log.pcmEnd));
    if (isCut) this.#next();
    this.voice++;
    this.#log.changeVoice({ failure, isCut, pcmSample: this.#sink.end });
  }

  #next(): void {
    this.#index++;
    this.#segmentStart = this.#sink.end;
    this.#isInSegment = this.#knownStarts.has(this.#index);
    this.#log.counts.segments = this.#done + this.#index;
  }

  /** Index of the last segment that was begun, before a loss or since. */
  get #furthest(): number {
    return Math.max(this.#index, ...this.#knownStarts.keys());
  }

  /** Where the segment must end: where the next one that has a sound is known to begin. */
  get #end(): number {
    const next = [...this.#knownStarts].find(([index]) => index > this.#index);
    return next ? next[1] : Number.POSITIVE_INFINITY;
  }

  /** Tells the log the words that begin before sample `until`: a take may be cut off before it comes to the others. */
  #tellWords(until: number): void {
    const isThere = ({ pcmSample }: Word) => pcmSample < until;
    for (const word of this.#words.filter(isThere)) {
      this.#log.addWord(word);
      this.#wordsEnd = word.textStart + word.length;
    }
    this.#words = this.#words.filter((word) => !isThere(word));
  }

  async #silence(until: number): Promise<void> {
    const samples = until - this.#sink.end;
    if (samples > 0) await this.#push(new Uint8Array(samples * BYTES_PER_SAMPLE));
  }

  #push(pcm: Uint8Array): Promise<void> | void {
    if (pcm.length === 0) return undefined;
    this.#log.counts.pcmSamples = this.#sink.end + pcm.length / BYTES_PER_SAMPLE;
    return this.#sink.push(pcm);
  }
}
