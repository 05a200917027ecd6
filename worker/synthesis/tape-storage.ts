/** The tape's rows in the object's own storage. */
import { log } from "../base/log.ts";
import type { TapeRow, TapeStore } from "./tape.ts";

const PREFIX = "row:";

const key = (index: number) => PREFIX + String(index).padStart(8, "0");

export function tapeStorage(storage: DurableObjectStorage): TapeStore {
  return {
    put(index, row) {
      // Unconfirmed: else every message to the client would wait until the row is safe.
      const written = storage.put(key(index), row, { allowUnconfirmed: true });
      written.catch((error: unknown) => log("tape_write_failed", { index, error: String(error) }));
    },
    get: (index) => storage.kv.get<TapeRow>(key(index)),
    last() {
      const [entry] = storage.kv.list<TapeRow>({ prefix: PREFIX, reverse: true, limit: 1 });
      return entry && { index: Number(entry[0].slice(PREFIX.length)), row: entry[1] };
    },
  };
}
