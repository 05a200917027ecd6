/** A message log whose rows are kept in memory, as storage keeps them, and which counts how often it is asked. */
import type { LogStore } from "../../../worker/message-log/message-log.ts";
import type { Row } from "../../../worker/message-log/stored-row.ts";

export class MemoryLogStore implements LogStore {
  /** In the order of their numbers. */
  rows: Row[] = [];
  /** Of each put, in order. */
  readonly confirmed: boolean[] = [];
  finds = 0;

  /** @param rows those that were written before, by another. */
  constructor(rows: readonly Row[] = []) {
    this.rows = [...rows];
  }

  put(row: Row, isConfirmed: boolean): void {
    this.rows.push(structuredClone(row));
    this.confirmed.push(isConfirmed);
  }

  find(seq: number): Row | undefined {
    this.finds++;
    return structuredClone(this.rows.findLast(({ firstSeq }) => firstSeq <= seq));
  }

  last(): Row | undefined {
    return structuredClone(this.rows.at(-1));
  }
}
