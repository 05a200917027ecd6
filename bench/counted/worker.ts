/** The product, whose sessions log each row that they write: what bench/rows.ts counts. */
import { log } from "../../worker/base/log.ts";
import { Session as ProductSession } from "../../worker/index.ts";

export { default } from "../../worker/index.ts";
export { CircuitBreaker } from "../../worker/breaker/circuit-breaker.ts";
export { CoquiContainer, EspeakContainer, TranscoderContainer } from "../../worker/upstreams/containers/host.ts";

type Method = (...args: never[]) => unknown;

export class Session extends ProductSession {
  constructor(ctx: DurableObjectState, env: Env) {
    countRows(ctx);
    super(ctx, env);
  }
}

/** As the platform bills them: a row for each key that is put or deleted, and one for setting the alarm. */
function countRows({ id, storage }: DurableObjectState): void {
  const written = (rows: number) =>
    rows > 0 &&
    log("rows_written", { session: id.toString(), at: Date.now(), rows, databaseBytes: storage.sql.databaseSize });
  const keys = (value: unknown) => (typeof value === "string" ? 1 : Object.keys(value as object).length);
  const counted = <T extends object>(
    of: T,
    name: keyof T & string,
    rowsOf: (first: unknown, result: unknown) => number,
  ) => {
    const method = (of[name] as Method).bind(of) as (...args: unknown[]) => unknown;
    const replaced = (...args: unknown[]) => {
      const result = method(...args);
      written(rowsOf(args[0], result));
      return result;
    };
    Object.defineProperty(of, name, { value: replaced });
  };
  counted(storage, "put", keys);
  counted(storage, "delete", keys);
  counted(storage, "setAlarm", () => 1);
  counted(storage, "deleteAlarm", () => 1);
  const { kv, sql } = storage;
  counted(kv, "put", keys);
  counted(kv, "delete", keys);
  counted(sql, "exec", (_, cursor) => (cursor as SqlStorageCursor<never>).rowsWritten);
  Object.defineProperties(storage, { kv: { value: kv }, sql: { value: sql } }); // else each look brings a new one
}
