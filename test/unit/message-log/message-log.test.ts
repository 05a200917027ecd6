import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { GatewayError } from "../../../worker/base/errors.ts";
import { appendMessages, countingBytes, messagesOf, openLog } from "./log-fixtures.ts";
import { MemoryLogStore } from "./memory-log-store.ts";

const KIB = 1024;

let store: MemoryLogStore;
const seqsOfRows = () => store.rows.map(({ firstSeq, endBytes }) => [firstSeq, endBytes.length]);

beforeEach(() => {
  vi.useFakeTimers();
  store = new MemoryLogStore();
});

afterEach(() => void vi.useRealTimers());

describe("a row of the message log", () => {
  it("is written when it has 48 KiB", () => {
    const log = openLog(store);
    appendMessages(log, 47, KIB);
    log.append(100, countingBytes(KIB - 1));
    expect(store.rows).toEqual([]);
    log.append(100, countingBytes(1));
    expect(seqsOfRows()).toEqual([[1, 49]]);
    appendMessages(log, 48, KIB);
    expect(seqsOfRows()).toEqual([
      [1, 49],
      [50, 48],
    ]);
  });

  it("holds a message that is larger than itself", () => {
    const log = openLog(store);
    log.append(100, countingBytes(100 * KIB));
    expect(seqsOfRows()).toEqual([[1, 1]]);
    expect(messagesOf(openLog(store))[0]!.data).toEqual(countingBytes(100 * KIB));
  });

  it("is written when it has 500 messages, however small they are", () => {
    const log = openLog(store);
    appendMessages(log, 499, 1);
    expect(store.rows).toEqual([]);
    appendMessages(log, 501, 1);
    expect(seqsOfRows()).toEqual([
      [1, 500],
      [501, 500],
    ]);
  });

  it("is written a second after the first of its messages was sent, with all that came until then", async () => {
    const log = openLog(store);
    appendMessages(log, 2);
    await vi.advanceTimersByTimeAsync(60_000);
    log.sent(1);
    await vi.advanceTimersByTimeAsync(600);
    appendMessages(log, 1);
    log.sent(2);
    await vi.advanceTimersByTimeAsync(399);
    expect(store.rows).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(seqsOfRows()).toEqual([[1, 3]]);
  });

  it("waits for nobody while none of its messages was sent", async () => {
    const log = openLog(store);
    appendMessages(log, 3);
    log.sent(1);
    await vi.advanceTimersByTimeAsync(1_000);
    appendMessages(log, 3);
    for (const seq of [1, 2, 3]) log.sent(seq); // a replay: its row is written
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(store.rows).toHaveLength(1);
    log.sent(4);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(seqsOfRows()).toEqual([
      [1, 3],
      [4, 3],
    ]);
  });

  it("that was full before its time has no second writing", async () => {
    const log = openLog(store);
    appendMessages(log, 1);
    log.sent(1);
    appendMessages(log, 1, 48 * KIB);
    expect(vi.getTimerCount()).toBe(0);
    appendMessages(log, 1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(seqsOfRows()).toEqual([[1, 2]]);
  });

  it("leaves unconfirmed: no message waits until it is safe", () => {
    const log = openLog(store);
    appendMessages(log, 1_000, 1);
    expect(store.confirmed).toEqual([false, false]);
  });
});

describe("the end of the message log", () => {
  it("is written with the last messages, and leaves no timer", () => {
    const log = openLog(store);
    appendMessages(log, 3);
    log.sent(2);
    log.finish();
    expect(vi.getTimerCount()).toBe(0);
    const reopened = openLog(store);
    expect(reopened.end).toMatchObject({ seq: 3, samples: 300, bytes: 30, ended: {} });
    expect(messagesOf(reopened)).toHaveLength(3);
  });

  it("says why, if the text could not be spoken", () => {
    const failure: GatewayError["failure"] = { reason: "provider_failed", message: "it broke" };
    openLog(store).finish(failure);
    expect(openLog(store).end.ended).toEqual({ failure });
  });

  it("is the first one that is said", () => {
    const log = openLog(store);
    log.finish();
    log.finish({ reason: "internal", message: "too late" });
    expect(log.end.ended).toEqual({});
    expect(store.rows).toHaveLength(1);
  });

  it("is behind the last message: what a stopped encoder still gives is left out", () => {
    const log = openLog(store);
    appendMessages(log, 2);
    log.finish();
    appendMessages(log, 600);
    expect([log.end.seq, store.rows.length]).toEqual([2, 1]);
    expect(openLog(store).end.seq).toBe(2);
  });

  it("is told to who waits, as every message is", async () => {
    const log = openLog(store);
    const { signal } = new AbortController();
    for (const say of [() => appendMessages(log, 1), () => log.finish()]) {
      const told = log.changed.next(signal);
      say();
      await expect(told).resolves.toBeUndefined();
    }
  });
});

describe("a message log that is opened again", () => {
  it("goes on behind the last row that was written", () => {
    const log = openLog(store);
    appendMessages(log, 503, 7);
    const reopened = openLog(store);
    expect(reopened.end).toMatchObject({ seq: 500, samples: 50_000, bytes: 3_500 });
    expect(reopened.endMs).toBe(50_000);
    appendMessages(reopened, 1, 7);
    expect(messagesOf(reopened, 498)).toEqual(messagesOf(log, 498).slice(0, 3));
  });

  it("is new where nothing was written", () => {
    appendMessages(openLog(store), 10);
    expect(openLog(store).end).toMatchObject({ seq: 0, samples: 0, bytes: 0, segments: [], changes: [] });
  });

  it("has the counts of the synthesis as they were when the row was written", () => {
    const log = openLog(store);
    log.counts.utterances = 3;
    log.counts.retries = 2;
    appendMessages(log, 500, 1);
    log.counts.utterances = 4;
    expect(openLog(store).counts).toMatchObject({ utterances: 3, retries: 2 });
    log.finish();
    const reopened = openLog(store);
    expect(reopened.counts).toMatchObject({ utterances: 4, retries: 2 });
    reopened.counts.utterances++;
    expect(log.counts.utterances).toBe(4);
    expect(openLog().counts.utterances).toBe(0);
  });
});
