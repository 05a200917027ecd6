/** A track over an encoder that is lost with its object. */
import type { Failure } from "../../../worker/base/errors.ts";
import { MessageLog } from "../../../worker/message-log/message-log.ts";
import { Track } from "../../../worker/synthesis/track.ts";
import { concat, countingPcm } from "../bytes.ts";
import { MemoryLogStore } from "../message-log/memory-log-store.ts";

export const failure: Failure = { reason: "provider_failed", message: "" };
const RUN_UP = 100;
export const TEXT = ["one", "two", "three", "four"].map((text, i) => ({ text, start: i * 100 }));

/**
 * A track whose stream is encoded into messages of 10 samples, from a run-up of 100 samples before the end of its log; it
 * may be lost, and another goes on.
 */
export class Stream {
  readonly store: MemoryLogStore;
  readonly log: MessageLog;
  readonly track: Track;
  readonly start: number;
  pcm: Uint8Array = new Uint8Array(0);

  constructor(store = new MemoryLogStore(), texts = TEXT) {
    this.store = store;
    const runUpStart = (samples: number) => Math.max(0, samples - RUN_UP);
    this.log = new MessageLog(store, { sampleRateHz: 1_000, pcmRateHz: 1_000, runUpStart }, () => {});
    this.start = runUpStart(this.log.end.samples);
    this.track = new Track(this.log, this, (textStart) => {
      const segments = texts.filter(({ start }) => start >= textStart);
      return { segments, done: texts.length - segments.length };
    });
  }

  get end(): number {
    return this.start + this.pcm.length / 2;
  }

  push(pcm: Uint8Array): void {
    this.pcm = concat([this.pcm, pcm]);
    while (this.end - this.log.end.samples >= 10) this.log.append(10, new Uint8Array(1));
  }

  get samples(): number[] {
    return [...new Int16Array(this.pcm.buffer)];
  }

  /** A take of the segment, in pieces of 7 samples. */
  async take(samples: number, from: number, words: readonly [start: number, sample: number][] = []): Promise<void> {
    await this.track.beginTake();
    let next = 0;
    for (let at = 0; at < samples; at += 7) {
      const length = Math.min(7, samples - at);
      for (; next < words.length && words[next]![1] < at + length; next++) this.#word(words[next]!);
      await this.track.audio(countingPcm(length, from + at));
    }
    for (; next < words.length; next++) this.#word(words[next]!);
  }

  #word([start, sample]: readonly [number, number]): void {
    this.track.word({ type: "word", start, length: 1, sample });
  }

  /** A take to the segment's end. */
  async segment(samples: number, from: number, words: readonly [number, number][] = []): Promise<void> {
    await this.take(samples, from, words);
    await this.track.endSegment();
  }

  /** The object is lost with its last row just written, and another goes on. */
  lost(): Stream {
    this.log.finish();
    const rows = this.store.rows.map((row) => structuredClone(row));
    delete rows.at(-1)!.end.ended;
    return new Stream(new MemoryLogStore(rows));
  }

  get words(): number[][] {
    this.log.finish();
    return this.store.rows.flatMap(({ words }) => words).map(({ textStart, pcmSample }) => [textStart, pcmSample]);
  }
}

export const counting = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
