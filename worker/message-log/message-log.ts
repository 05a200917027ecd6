/**
 * The messages of a stream, numbered as they are made and read by whoever hears them, at any later time.
 *
 * A row is written when it is full, a second after the first of its messages was sent, where another voice begins, and at
 * the end: from then on the bytes of its messages are fixed. Messages that were sent and not written are made again if the object is lost; they then have the
 * same media time and packet borders, and may have other bytes.
 */
import { Bell } from "../base/bell.ts";
import type { Failure } from "../base/errors.ts";
import type { Message } from "./message.ts";
import { MessageRow, toMs } from "./message-row.ts";
import {
  EMPTY,
  type LogEnd,
  type Row,
  type SegmentStart,
  type SynthesisCounts,
  type VoiceChange,
  type Word,
} from "./stored-row.ts";

/** A row of so many bytes is full. Every written row costs the same; a stored value may have 2 MB. */
const ROW_BYTES = 48 * 1024;

/** A row of so many messages is full, whatever their bytes: this bounds what a lost object has sent and not written. */
const ROW_MESSAGES = 500;

/** A row is written so long after the first of its messages was sent, in ms. */
const SENT_ROW_MS = 1_000;

/** Messages that a lost object may have sent and not written, as far as a client is believed: those of two rows. */
export const UNWRITTEN_MESSAGES = 2 * ROW_MESSAGES;

export interface LogStore {
  /** @param isConfirmed whatever is said from now on leaves only when the row is safe. */
  put(row: Row, isConfirmed: boolean): void;
  /** The last row whose first message is `seq` or one before it. */
  find(seq: number): Row | undefined;
  last(): Row | undefined;
}

export interface LogSettings {
  /** Of the encoded stream, in Hz. */
  sampleRateHz: number;
  /** Of the PCM that is encoded, in Hz. */
  pcmRateHz: number;
  /** The PCM sample from which an encoder must hear the stream that goes on at sample `samples`. */
  runUpStart: (samples: number) => number;
}

/** Something that lies beside the messages. It waits for the message that holds its place. */
type Mark = { type: "segment"; at: SegmentStart } | { type: "word"; at: Word } | { type: "change"; at: VoiceChange };

export class MessageLog {
  /** Rings when a message is appended, and when the log ends. */
  readonly changed = new Bell();
  /** What the synthesis took so far; the synthesis counts on in it. */
  readonly counts: SynthesisCounts;
  readonly settings: LogSettings;
  readonly #store: LogStore;
  readonly #onChange: (change: VoiceChange) => void;
  #end: LogEnd;
  #open: MessageRow;
  /** Kept for a listener that is close behind. */
  #lastClosed: MessageRow | undefined;
  #writeTimer: ReturnType<typeof setTimeout> | undefined;
  #marks: Mark[] = [];

  /**
   * The log in `store`, or a new one.
   * @param onChange called when another voice has begun to be heard, once that is sure to be kept.
   */
  constructor(store: LogStore, settings: LogSettings, onChange: (change: VoiceChange) => void) {
    this.#store = store;
    this.#onChange = onChange;
    this.settings = settings;
    this.#end = store.last()?.end ?? EMPTY;
    this.#open = new MessageRow(this.#end);
    this.counts = { ...this.#end.counts };
  }

  get end(): Readonly<LogEnd> {
    return this.#end;
  }

  get endMs(): number {
    return toMs(this.#end.samples, this.settings.sampleRateHz);
  }

  /** The place in the PCM that the messages have reached, in samples. */
  get pcmEnd(): number {
    const { sampleRateHz, pcmRateHz } = this.settings;
    return Math.max(0, ((this.#end.samples - this.#end.delaySamples) * pcmRateHz) / sampleRateHz);
  }

  /** When PCM sample `pcmSample` is heard, in ms; the encoder's delay is not counted. */
  pcmMs(pcmSample: number): number {
    return toMs(pcmSample, this.settings.pcmRateHz);
  }

  /** Said before the first message: samples that a decoder puts out before the first of the PCM. */
  set delaySamples(delaySamples: number) {
    this.#end = { ...this.#end, delaySamples };
  }

  /** A segment of the text, a word or another voice begins at PCM sample `pcmSample`; told in the order of their places. */
  beginSegment(at: SegmentStart): void {
    this.#marks.push({ type: "segment", at });
  }

  addWord(at: Word): void {
    this.#marks.push({ type: "word", at });
  }

  changeVoice(at: VoiceChange): void {
    this.#marks.push({ type: "change", at });
  }

  /** The next message: `samples` of media time. What an encoder gives that was stopped is left out: the log has ended. */
  append(samples: number, data: Uint8Array): void {
    if (this.#end.ended) return;
    const { seq, samples: start, bytes } = this.#end;
    this.#end = { ...this.#end, seq: seq + 1, samples: start + samples, bytes: bytes + data.length };
    this.#open.append(this.#end.samples, data);
    const changes = this.#takeMarks(false);
    const isFull = this.#open.byteLength >= ROW_BYTES || this.#open.length >= ROW_MESSAGES;
    if (isFull || changes.length > 0) this.#closeRow(changes.length > 0);
    for (const change of changes) this.#onChange(change);
    this.changed.ring();
  }

  /** Nothing follows: everything was spoken, or could not be. */
  finish(failure?: Failure): void {
    if (this.#end.ended) return;
    const changes = this.#takeMarks(true);
    this.#end = { ...this.#end, ended: failure ? { failure } : {} };
    this.#closeRow(changes.length > 0);
    for (const change of changes) this.#onChange(change);
    this.changed.ring();
  }

  /** A client was sent message `seq`. */
  sent(seq: number): void {
    if (seq < this.#open.firstSeq || this.#writeTimer !== undefined) return;
    this.#writeTimer = setTimeout(() => this.#closeRow(false), SENT_ROW_MS);
  }

  /** Reads messages, each row of them at most once if they are read in order. */
  reader(): (seq: number) => Message {
    let row: MessageRow | undefined;
    return (seq) => {
      if (!row?.has(seq)) row = this.#rowWith(seq);
      return row.message(seq, this.settings.sampleRateHz);
    };
  }

  /** @throws Error if the row is missing: the stream must not end there as if it were whole. */
  #rowWith(seq: number): MessageRow {
    for (const held of [this.#open, this.#lastClosed]) if (held?.has(seq)) return held;
    const stored = this.#store.find(seq);
    const row = stored && MessageRow.of(stored);
    if (!row?.has(seq)) throw new Error(`message ${seq} is missing in the log, which has ${this.#end.seq}`);
    return row;
  }

  /** Moves into the row what the stream has reached. @returns the voice changes among them, at the end all of them. */
  #takeMarks(isAtEnd: boolean): VoiceChange[] {
    const reached = this.pcmEnd;
    const isReached = (mark: Mark) => mark.at.pcmSample < reached || (isAtEnd && mark.type === "change");
    const changes: VoiceChange[] = [];
    if (!this.#marks.some(isReached)) return changes;
    let { segments, wordsEnd } = this.#end;
    for (const { type, at } of this.#marks.filter(isReached)) {
      if (type === "change") changes.push(at);
      else if (type === "segment") segments = [...segments, at];
      else {
        this.#open.words.push(at);
        wordsEnd = Math.max(wordsEnd, at.textStart + at.length);
      }
    }
    this.#marks = this.#marks.filter((mark) => !isReached(mark));
    const needed = this.settings.runUpStart(this.#end.samples);
    segments = segments.slice(
      Math.max(
        0,
        segments.findLastIndex(({ pcmSample }) => pcmSample <= needed),
      ),
    );
    this.#end = { ...this.#end, segments, wordsEnd, changes: [...this.#end.changes, ...changes] };
    return changes;
  }

  #closeRow(isConfirmed: boolean): void {
    if (this.#writeTimer !== undefined) clearTimeout(this.#writeTimer);
    this.#writeTimer = undefined;
    this.#end = { ...this.#end, counts: { ...this.counts } };
    this.#store.put(this.#open.close(this.#end), isConfirmed);
    this.#lastClosed = this.#open;
    this.#open = new MessageRow(this.#end);
  }
}
