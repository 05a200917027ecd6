import * as fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Message } from "../../../worker/message-log/message.ts";
import { appendMessages, countingBytes, messagesOf, openLog } from "./log-fixtures.ts";
import { MemoryLogStore } from "./memory-log-store.ts";

/** A log of rows of 500 messages each, and five messages more that are not written. */
function longLog(rows: number) {
  const store = new MemoryLogStore();
  const log = openLog(store);
  appendMessages(log, rows * 500 + 5, 3);
  store.finds = 0;
  return { store, log };
}

describe("a reader of the message log", () => {
  it("gets each message with its place in the stream", () => {
    const log = openLog();
    log.append(20, countingBytes(44));
    log.append(100, countingBytes(10));
    log.append(0, countingBytes(1));
    expect(messagesOf(log)).toEqual([
      { seq: 1, startMs: 0, endMs: 20, endByte: 44, data: countingBytes(44) },
      { seq: 2, startMs: 20, endMs: 120, endByte: 54, data: countingBytes(10) },
      { seq: 3, startMs: 120, endMs: 120, endByte: 55, data: countingBytes(1) },
    ]);
  });

  it("gets times that do not drift at a rate which no millisecond divides", () => {
    const log = openLog(undefined, { sampleRateHz: 11_025 });
    for (let i = 0; i < 1_105; i++) log.append(220, countingBytes(1));
    const messages = messagesOf(log);
    expect(messages.at(-1)!.endMs).toBe(Math.round((1_105 * 220 * 1000) / 11_025));
    for (const [i, { startMs }] of messages.entries()) expect(startMs).toBe(messages[i - 1]?.endMs ?? 0);
  });

  it("who reads in order has each row read at most once, and none that is still held", () => {
    const { store, log } = longLog(4);
    messagesOf(log);
    expect(store.finds).toBe(3); // the fourth was the last to be written, the fifth is not
  });

  it("who goes on deep in a long log has one row read", () => {
    const { store } = longLog(20);
    const read = openLog(store).reader();
    store.finds = 0;
    for (const share of [0.02, 0.5, 0.95]) {
      store.finds = 0;
      for (let seq = Math.round(10_000 * share); seq % 500 !== 1; seq++) read(seq);
      expect(store.finds).toBe(1);
    }
  });

  it("who keeps up needs no storage", () => {
    const store = new MemoryLogStore();
    const log = openLog(store);
    const read = log.reader();
    for (let i = 1; i <= 2_000; i++) {
      appendMessages(log, 1);
      expect(read(i).seq).toBe(i);
    }
    expect([store.rows.length, store.finds]).toEqual([4, 0]);
  });

  it("is a reader of its own: two hear the same, each from its own place", () => {
    const { log } = longLog(2);
    const [one, other] = [log.reader(), log.reader()];
    for (let seq = 1; seq <= 400; seq++) expect(other(seq + 600)).toEqual(messagesOf(log, seq + 599)[0]);
    expect(one(1).seq).toBe(1);
  });

  it("is told of a row that is missing, as an error: its stream must not end there", () => {
    const { store, log } = longLog(3);
    const lost = new MemoryLogStore(store.rows.filter(({ firstSeq }) => firstSeq !== 501));
    const read = openLog(lost).reader();
    expect(read(500).seq).toBe(500);
    for (const seq of [501, 1_000]) expect(() => read(seq)).toThrow(`message ${seq} is missing`);
    expect(read(1_001).seq).toBe(1_001);
    expect(() => log.reader()(1_506)).toThrow("message 1506 is missing");
    expect(() => openLog(new MemoryLogStore()).reader()(1)).toThrow("message 1 is missing");
  });
});

/** What happens to a log: a message comes, one is sent and a second passes, the object is lost, somebody reads. */
const happenings = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constant("append" as const),
      samples: fc.nat(5_000),
      bytes: fc.oneof(fc.nat(200), fc.integer({ min: 20_000, max: 60_000 })),
    }),
    fc.record({ do: fc.constant("sent" as const), part: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({ do: fc.constant("lose" as const) }),
    fc.record({ do: fc.constant("read" as const), part: fc.double({ min: 0, max: 1, noNaN: true }) }),
  ),
  { maxLength: 60 },
);

describe("any log, whatever happens to it,", () => {
  afterEach(() => void vi.useRealTimers());

  it("has the messages of a plain array, up to what a lost object had not written", () => {
    vi.useFakeTimers();
    fc.assert(
      fc.property(happenings, (happened) => {
        const store = new MemoryLogStore();
        let log = openLog(store, { sampleRateHz: 16_000 });
        let read = log.reader();
        let expected: Message[] = [];
        let samples = 0;
        for (const one of happened) {
          if (one.do === "append") {
            const before = expected.at(-1);
            const data = countingBytes(one.bytes, expected.length);
            const startMs = before?.endMs ?? 0;
            samples += one.samples;
            log.append(one.samples, data);
            const endMs = Math.round(samples / 16);
            expected.push({
              seq: expected.length + 1,
              startMs,
              endMs,
              endByte: (before?.endByte ?? 0) + data.length,
              data,
            });
          } else if (one.do === "lose") {
            vi.clearAllTimers();
            const written = store.rows.at(-1)?.end;
            log = openLog(store, { sampleRateHz: 16_000 });
            read = log.reader();
            expected = expected.slice(0, written?.seq ?? 0);
            samples = written?.samples ?? 0;
          } else if (expected.length > 0) {
            const seq = 1 + Math.floor(one.part * (expected.length - 1));
            if (one.do === "sent") {
              log.sent(seq);
              vi.advanceTimersByTime(1_000);
            } else expect(read(seq)).toEqual(expected[seq - 1]);
          }
        }
        log.finish();
        expect(messagesOf(log)).toEqual(expected);
        expect(messagesOf(openLog(store, { sampleRateHz: 16_000 }))).toEqual(expected);
        expect(store.rows.slice(1).map(({ firstSeq }) => firstSeq)).toEqual(
          store.rows.slice(0, -1).map(({ end }) => end.seq + 1),
        );
      }),
    );
  });
});
