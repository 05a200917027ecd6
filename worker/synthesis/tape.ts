/**
 * What was spoken, in order: the envelopes of the providers' audio and events, appended while they are made and read
 * from the start by whoever plays them, at any later time, as the same bytes.
 *
 * Kept in rows of half a second. Every row says how far the tape went when it was written, so that the last row found
 * after a loss tells where recording goes on.
 */
import { encodeAudio, encodeEnd, encodeEvent, type StreamEvent } from "../../protocol/envelope.ts";
import { BYTES_PER_SAMPLE } from "../../protocol/formats.ts";
import { Bell } from "../base/bell.ts";
import type { Failure } from "../base/errors.ts";

/** Audio of one row, in ms. */
const ROW_MS = 500;

/** A row longer than this, in bytes, ends early; storage takes values of 2 MB. */
const MAX_ROW_BYTES = 1024 * 1024;

/** Rows kept in memory for a player that is close behind: four seconds. */
const ROWS_IN_MEMORY = 8;

/** From here on another voice speaks. */
export interface VoiceChange {
  /** Where on the tape it begins, in samples. */
  samples: number;
  /** Why the one before it does not go on. */
  failure: Failure;
  /** The segment before was broken off there. */
  isCut: boolean;
}

export interface TapePosition {
  /** The segment being recorded, and how many samples of it are on the tape. */
  segment: number;
  segmentSamples: number;
  /** On the whole tape. */
  samples: number;
  changes: readonly VoiceChange[];
  /** Set once nothing follows; with a failure, if that is why. */
  ended?: { failure?: Failure };
}

export interface TapeRow {
  bytes: Uint8Array;
  /** Where the tape stood at the end of this row. */
  end: TapePosition;
}

export interface TapeStore {
  /** Does not wait: a row that is lost with the object is recorded again. */
  put(index: number, row: TapeRow): void;
  get(index: number): TapeRow | undefined;
  last(): { index: number; row: TapeRow } | undefined;
}

/** A row as a list of byte runs. */
class Row {
  #runs: Uint8Array[] = [];
  byteLength = 0;

  append(bytes: Uint8Array): void {
    this.#runs.push(bytes);
    this.byteLength += bytes.length;
  }

  /** Everything from `offset` on, as one run. */
  from(offset: number): Uint8Array {
    const bytes = new Uint8Array(this.byteLength - offset);
    let at = this.byteLength;
    for (let i = this.#runs.length - 1; i >= 0 && at > offset; i--) {
      const run = this.#runs[i]!;
      at -= run.length;
      bytes.set(at < offset ? run.subarray(offset - at) : run, Math.max(0, at - offset));
    }
    return bytes;
  }
}

export class Tape {
  readonly sampleRateHz: number;
  readonly #store: TapeStore;
  readonly #rows = new Map<number, Row>();
  readonly #changed = new Bell();
  #open = 0;
  #openSamples = 0;
  #position: TapePosition = { segment: 0, segmentSamples: 0, samples: 0, changes: [] };

  /** The tape in `store`, or a new one of `sampleRateHz`. */
  constructor(store: TapeStore, sampleRateHz: number) {
    this.#store = store;
    this.sampleRateHz = sampleRateHz;
    const last = store.last();
    if (last) {
      this.#open = last.index + 1;
      this.#position = last.row.end;
    }
    this.#rows.set(this.#open, new Row());
    if (!last) this.#append(encodeEvent({ type: "format", sample_rate: sampleRateHz }));
  }

  get position(): Readonly<TapePosition> {
    return this.#position;
  }

  /** Index of the voice that is to speak, among the request's. */
  get voice(): number {
    return this.#position.changes.length;
  }

  get durationMs(): number {
    return (this.#position.samples / this.sampleRateHz) * 1000;
  }

  appendAudio(pcm: Uint8Array): void {
    const rowSamples = Math.floor((this.sampleRateHz * ROW_MS) / 1000);
    let rest = pcm;
    while (rest.length > 0) {
      const samples = Math.min(rest.length / BYTES_PER_SAMPLE, rowSamples - this.#openSamples);
      const data = rest.subarray(0, samples * BYTES_PER_SAMPLE);
      rest = rest.subarray(data.length);
      this.#append(encodeAudio(samples, data));
      this.#openSamples += samples;
      this.#position = {
        ...this.#position,
        segmentSamples: this.#position.segmentSamples + samples,
        samples: this.#position.samples + samples,
      };
      if (this.#openSamples === rowSamples) this.#closeRow();
    }
    this.#changed.ring();
  }

  appendEvent(event: StreamEvent): void {
    this.#append(encodeEvent(event));
    if (this.#rows.get(this.#open)!.byteLength > MAX_ROW_BYTES) this.#closeRow();
  }

  /** The segment is complete; what comes now belongs to the next one. */
  endSegment(): void {
    this.#position = { ...this.#position, segment: this.#position.segment + 1, segmentSamples: 0 };
  }

  /** The next voice goes on: with the segment, or behind it if a part of it is on the tape and cannot be spoken again. */
  changeVoice(failure: Failure): void {
    const { samples, segmentSamples, changes } = this.#position;
    const isCut = segmentSamples > 0;
    if (isCut) this.endSegment();
    this.#position = { ...this.#position, changes: [...changes, { samples, failure, isCut }] };
    this.#closeRow(); // a client that was told of it must not hear the voice before again
  }

  /** Nothing follows: everything was spoken, or could not be. A player hears all that is there either way. */
  end(failure?: Failure): void {
    if (this.#position.ended) return;
    this.#append(encodeEnd());
    this.#position = { ...this.#position, ended: failure ? { failure } : {} };
    this.#closeRow();
    this.#changed.ring();
  }

  #append(envelope: Uint8Array): void {
    this.#rows.get(this.#open)!.append(envelope);
  }

  #closeRow(): void {
    this.#store.put(this.#open, { bytes: this.#rows.get(this.#open)!.from(0), end: this.#position });
    this.#rows.delete(this.#open - ROWS_IN_MEMORY);
    this.#open++;
    this.#openSamples = 0;
    this.#rows.set(this.#open, new Row());
  }

  /** The tape's envelopes from its start, as runs of bytes; waits for what is still to be recorded. */
  async *read(signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    for (let row = 0, offset = 0; ;) {
      const isOpen = row === this.#open;
      const held = this.#rows.get(row);
      if (isOpen && held && held.byteLength === offset) {
        if (this.#position.ended) return;
        await this.#changed.until(() => row !== this.#open || held.byteLength > offset, signal);
        continue;
      }
      const bytes = held ? held.from(offset) : this.#store.get(row)?.bytes.subarray(offset);
      signal.throwIfAborted();
      if (!bytes) throw new Error(`row ${row} of the tape is missing`);
      if (isOpen) offset += bytes.length;
      else [row, offset] = [row + 1, 0];
      if (bytes.length > 0) yield bytes;
    }
  }
}
