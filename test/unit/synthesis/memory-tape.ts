/** A tape whose rows are kept in memory, and may be lost or counted. */
import { decodeEnvelopes, EnvelopeDecoder, type Envelope } from "../../../protocol/envelope.ts";
import type { Tape, TapeRow, TapeStore } from "../../../worker/synthesis/tape.ts";
import { collect, concat } from "../bytes.ts";

export class MemoryTapeStore implements TapeStore {
  rows: TapeRow[] = [];
  reads = 0;

  put(index: number, row: TapeRow): void {
    // As storage does: what is kept is a copy.
    this.rows[index] = structuredClone(row);
  }

  get(index: number): TapeRow | undefined {
    this.reads++;
    return this.rows[index];
  }

  last(): { index: number; row: TapeRow } | undefined {
    const row = this.rows.at(-1);
    return row && { index: this.rows.length - 1, row };
  }
}

/** The tape's bytes from its start to its end. */
export async function bytesOf(tape: Tape, signal: AbortSignal = new AbortController().signal): Promise<Uint8Array> {
  return concat(await collect(tape.read(signal)));
}

export async function envelopesOf(tape: Tape): Promise<Envelope[]> {
  return collect(decodeEnvelopes(tape.read(new AbortController().signal)));
}

export function pcmOf(bytes: Uint8Array): Uint8Array {
  const envelopes = [...new EnvelopeDecoder().push(bytes)];
  return concat(envelopes.flatMap((envelope) => (envelope.type === "audio" ? [envelope.data] : [])));
}

export function wordsOf(bytes: Uint8Array): { start: number; length: number; sample: number }[] {
  return [...new EnvelopeDecoder().push(bytes)].flatMap((envelope) =>
    envelope.type === "event" && envelope.event.type === "word"
      ? [{ start: envelope.event.start, length: envelope.event.length, sample: envelope.event.sample }]
      : [],
  );
}
