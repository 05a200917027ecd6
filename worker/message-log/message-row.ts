/** A row in memory: the one that is still being filled, or one that is read. */
import { concat } from "../../protocol/bytes.ts";
import type { Message } from "./message.ts";
import type { LogEnd, Row, Word } from "./stored-row.ts";

/** Media time in whole ms. */
export function toMs(samples: number, rateHz: number): number {
  return Math.round((samples * 1000) / rateHz);
}

export class MessageRow {
  readonly firstSeq: number;
  readonly words: Word[] = [];
  readonly #startSamples: number;
  readonly #startBytes: number;
  #endSamples: number[] = [];
  #endBytes: number[] = [];
  #pieces: Uint8Array[] = [];

  /** An empty row behind the end of another. */
  constructor({ seq, samples, bytes }: Pick<LogEnd, "seq" | "samples" | "bytes">) {
    this.firstSeq = seq + 1;
    this.#startSamples = samples;
    this.#startBytes = bytes;
  }

  /** A stored row, to be read. */
  static of({ firstSeq, startSamples, startBytes, endSamples, endBytes, data }: Row): MessageRow {
    const row = new MessageRow({ seq: firstSeq - 1, samples: startSamples, bytes: startBytes });
    row.#endSamples = endSamples;
    row.#endBytes = endBytes;
    row.#pieces = endBytes.map((end, i) => data.subarray(endBytes[i - 1] ?? 0, end));
    return row;
  }

  get length(): number {
    return this.#pieces.length;
  }

  get byteLength(): number {
    return this.#endBytes.at(-1) ?? 0;
  }

  /** @param endSamples where the message ends in the stream. */
  append(endSamples: number, data: Uint8Array): void {
    this.#endBytes.push(this.byteLength + data.length);
    this.#endSamples.push(endSamples);
    this.#pieces.push(data);
  }

  has(seq: number): boolean {
    return seq >= this.firstSeq && seq < this.firstSeq + this.length;
  }

  message(seq: number, sampleRateHz: number): Message {
    const i = seq - this.firstSeq;
    return {
      seq,
      startMs: toMs(this.#endSamples[i - 1] ?? this.#startSamples, sampleRateHz),
      endMs: toMs(this.#endSamples[i]!, sampleRateHz),
      endByte: this.#startBytes + this.#endBytes[i]!,
      data: this.#pieces[i]!,
    };
  }

  close(end: LogEnd): Row {
    return {
      firstSeq: this.firstSeq,
      startSamples: this.#startSamples,
      startBytes: this.#startBytes,
      endSamples: this.#endSamples,
      endBytes: this.#endBytes,
      data: this.#pieces.length === 1 ? this.#pieces[0]!.slice() : concat(this.#pieces), // a view would keep all it is of
      words: this.words,
      end,
    };
  }
}
