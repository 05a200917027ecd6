/**
 * PCM on its way to an encoder: what was not yet answered by encoded audio, and what another encoder would have to hear if
 * this one were lost. It bounds both: whoever speaks waits for room, and whoever reads gets one second ahead of the answers.
 *
 * Positions are samples from the start of the stream, s16le mono.
 */
import { BYTES_PER_SAMPLE } from "../../protocol/formats.ts";
import { Bell } from "../base/bell.ts";

/** PCM that an encoder may hold unanswered, in ms: more than any codec holds back. Unbounded, sockets swallow minutes. */
const UNANSWERED_MS = 1_000;

/** A reader that nothing comes for gets an empty piece so often, in ms: the transcoder ends a stream that says nothing. */
const KEEP_ALIVE_MS = 30_000;

export class PcmBuffer {
  readonly rateHz: number;
  readonly #changed = new Bell();
  readonly #unansweredSamples: number;
  #pieces: Uint8Array[] = [];
  /** Where the first piece begins. */
  #start: number;
  #end: number;
  #answered: number;
  #furthestRead: number;
  #isFinished = false;

  /** An empty buffer whose first sample will be number `start`. */
  constructor(rateHz: number, start: number) {
    this.rateHz = rateHz;
    this.#unansweredSamples = (rateHz * UNANSWERED_MS) / 1000;
    this.#start = this.#end = this.#answered = this.#furthestRead = start;
  }

  /** Behind the last sample. */
  get end(): number {
    return this.#end;
  }

  /** Nothing follows {@link end}. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  /** How far any encoder was given it. */
  get furthestRead(): number {
    return this.#furthestRead;
  }

  /** Whether an encoder owes an answer: it may have all that it gets before its next one. */
  get isOwed(): boolean {
    return this.#isFinished || !this.#hasRoom();
  }

  push(pcm: Uint8Array): void {
    if (pcm.length === 0) return;
    this.#pieces.push(pcm);
    this.#end += pcm.length / BYTES_PER_SAMPLE;
    this.#changed.ring();
  }

  /** Nothing follows. */
  finish(): void {
    this.#isFinished = true;
    this.#changed.ring();
  }

  /** Waits until less than a second of it is unanswered. @throws the signal's reason. */
  async room(signal: AbortSignal): Promise<void> {
    await this.#changed.until(() => this.#hasRoom(), signal);
  }

  #hasRoom(): boolean {
    return this.#end - this.#answered < this.#unansweredSamples;
  }

  /**
   * Everything before `sample` came back encoded, an encoder's delay counted as such; what lies before `keepFrom` is not
   * needed again.
   */
  answer(sample: number, keepFrom: number): void {
    this.#answered = Math.max(this.#answered, sample);
    while (this.#pieces.length > 0) {
      const next = this.#start + this.#pieces[0]!.length / BYTES_PER_SAMPLE;
      if (next > keepFrom) break;
      this.#pieces.shift();
      this.#start = next;
    }
    this.#changed.ring();
  }

  /** The PCM from sample `from` on, as it comes and as it is answered. @throws the signal's reason. */
  async *read(from: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    if (from < this.#start) throw new RangeError(`PCM from ${from} on is wanted, and kept from ${this.#start} on`);
    let isQuiet = false;
    const quiet = setInterval(() => {
      isQuiet = true;
      this.#changed.ring();
    }, KEEP_ALIVE_MS);
    try {
      for (let at = from; ;) {
        const limit = () => Math.min(this.#end, Math.floor(this.#answered + this.#unansweredSamples));
        const isOver = () => this.#isFinished && at >= this.#end;
        await this.#changed.until(() => limit() > at || isOver() || isQuiet, signal);
        if (isOver()) return;
        isQuiet = false;
        const bytes = limit() > at ? this.#from(at, limit()) : new Uint8Array(0);
        at += bytes.length / BYTES_PER_SAMPLE;
        this.#furthestRead = Math.max(this.#furthestRead, at);
        yield bytes;
      }
    } finally {
      clearInterval(quiet);
    }
  }

  /** The rest of the piece that holds sample `from`, up to sample `to`. */
  #from(from: number, to: number): Uint8Array {
    let start = this.#start;
    for (const piece of this.#pieces) {
      const end = start + piece.length / BYTES_PER_SAMPLE;
      if (from < end) {
        const bytes = piece.subarray((from - start) * BYTES_PER_SAMPLE);
        return bytes.subarray(0, (to - from) * BYTES_PER_SAMPLE);
      }
      start = end;
    }
    throw new RangeError(`there is no sample ${from}`);
  }
}
