import { MessageLog } from "../../../worker/message-log/message-log.ts";
import type { Row } from "../../../worker/message-log/stored-row.ts";

/** A log in memory of messages of 100 ms and `bytes` bytes. */
export class StoredLog {
  readonly rows: Row[] = [];
  /** Rows that were looked for in the store. */
  lookups = 0;
  readonly log: MessageLog;
  readonly #bytes: number;

  constructor(messages: number, bytes = 10) {
    const store = {
      put: (row: Row) => void this.rows.push(row),
      find: (seq: number) => {
        this.lookups++;
        return this.rows.findLast(({ firstSeq }) => firstSeq <= seq);
      },
      last: () => this.rows.at(-1),
    };
    const settings = { sampleRateHz: 8_000, pcmRateHz: 8_000, runUpStart: (samples: number) => samples };
    this.log = new MessageLog(store, settings, () => {});
    this.#bytes = bytes;
    this.append(messages);
  }

  append(messages: number): void {
    for (let i = 0; i < messages; i++) this.log.append(800, new Uint8Array(this.#bytes));
  }
}
