/** The rows of a message log in the storage of its object, by the number of their first message. */
import { log } from "../base/log.ts";
import type { LogStore } from "./message-log.ts";
import type { Row } from "./stored-row.ts";

const PREFIX = "row:";

/** Numbers as text of one length, so that storage keeps them in order. */
const key = (seq: number) => PREFIX + String(seq).padStart(10, "0");

export function logStorage(storage: DurableObjectStorage): LogStore {
  const newest = (before?: string): Row | undefined => {
    const [entry] = storage.kv.list<Row>({ prefix: PREFIX, reverse: true, limit: 1, ...(before && { end: before }) });
    return entry?.[1];
  };
  return {
    put(row, isConfirmed) {
      // Unconfirmed by default: else every message to the client would wait until the row is safe.
      const written = storage.put(key(row.firstSeq), row, { allowUnconfirmed: !isConfirmed });
      written.catch((error: unknown) => log("log_write_failed", { seq: row.firstSeq, error: String(error) }));
    },
    find: (seq) => newest(key(seq + 1)),
    last: () => newest(),
  };
}
