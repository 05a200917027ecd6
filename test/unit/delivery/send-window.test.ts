import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SendWindow } from "../../../worker/delivery/send-window.ts";

/** The same rules, by one who forgets nothing. */
class NaiveWindow {
  readonly limit: number;
  acking = false;
  sentSeq: number;
  acked: number;
  readonly sizes: { seq: number; bytes: number }[] = [];

  constructor(limit: number, after: number) {
    this.limit = limit;
    this.sentSeq = after;
    this.acked = after;
  }

  isOpen(bytes: number, buffered: number): boolean {
    const pending = this.sizes.filter(({ seq }) => seq > this.acked).reduce((sum, one) => sum + one.bytes, 0);
    const onTheWay = this.acking ? pending : buffered;
    const hasRoom = onTheWay === 0 || onTheWay + bytes <= this.limit;
    return hasRoom && (!this.acking || buffered === 0 || buffered + bytes <= 2 * this.limit);
  }

  send(seq: number, bytes: number): void {
    this.sentSeq = seq;
    this.sizes.push({ seq, bytes });
  }

  ack(seq: number): boolean {
    if (seq > this.sentSeq) return false;
    this.acking = true;
    this.acked = Math.max(this.acked, seq);
    return true;
  }
}

const LIMIT = 1_000;

const anyStep = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("send" as const), bytes: fc.integer({ min: 1, max: 1_500 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("ack" as const), back: fc.integer({ min: -2, max: 12 }) }) },
);

describe("a send window", () => {
  it("judges as one that remembers everything", () => {
    fc.assert(
      fc.property(
        fc.nat(50),
        fc.array(anyStep, { maxLength: 100 }),
        fc.nat(1_200),
        fc.nat(1_500),
        (after, steps, buffered, bytes) => {
          const window = new SendWindow(LIMIT, after);
          const naive = new NaiveWindow(LIMIT, after);
          const answers: [boolean, boolean][] = [];
          for (const step of steps) {
            if (step.do === "send") {
              naive.send(naive.sentSeq + 1, step.bytes);
              window.sent(window.sentSeq + 1, step.bytes);
            } else {
              const seq = Math.max(0, naive.sentSeq - step.back);
              answers.push([window.ack(seq), naive.ack(seq)]);
            }
            expect(window.sentSeq).toBe(naive.sentSeq);
            answers.push([window.isOpen(bytes, bytes, buffered), naive.isOpen(bytes, buffered)]);
          }
          for (const [given, expected] of answers) expect(given).toBe(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("goes by what the socket still holds, until the client acks", () => {
    const window = new SendWindow(LIMIT, 0);
    window.sent(1, 5_000);
    expect(window.isOpen(400, 400, 600)).toBe(true);
    expect(window.isOpen(401, 401, 600)).toBe(false);
    expect(window.ack(0)).toBe(true);
    expect(window.isOpen(1, 1, 0)).toBe(false);
    expect(window.ack(1)).toBe(true);
    expect(window.isOpen(1, 1, LIMIT)).toBe(true);
    expect(window.isOpen(1, 1, 2 * LIMIT)).toBe(false); // it acks what it never read
  });

  it("always lets one message through, however large", () => {
    const window = new SendWindow(LIMIT, 0);
    expect(window.isOpen(LIMIT * 10, LIMIT * 10, 0)).toBe(true);
    window.sent(1, LIMIT * 10);
    window.ack(1);
    expect(window.isOpen(LIMIT * 10, LIMIT * 10, 0)).toBe(true);
  });

  it("knows an ack of what was never sent, and ignores one of what was acked before", () => {
    const window = new SendWindow(LIMIT, 7);
    expect(window.ack(8)).toBe(false);
    expect(window.ack(7)).toBe(true);
    window.sent(8, 1_000);
    expect([window.ack(3), window.isOpen(1, 1, 0)]).toEqual([true, false]);
    expect([window.ack(8), window.isOpen(1, 1, 0)]).toEqual([true, true]);
    expect(window.ack(9)).toBe(false);
  });

  it("shows progress when something was taken, and none when something was sent", () => {
    const window = new SendWindow(LIMIT, 0);
    const idle = window.progress(500);
    expect(window.progress(400)).not.toBe(idle);
    window.sent(1, 100);
    window.sent(2, 100);
    window.ack(1);
    const acked = window.progress(0);
    window.sent(3, 100);
    expect(window.progress(100)).toBe(acked);
    window.ack(2);
    expect(window.progress(100)).not.toBe(acked);
  });

  it("stays small for a client that never acks", () => {
    const window = new SendWindow(LIMIT, 0);
    const started = performance.now();
    for (let seq = 1; seq <= 200_000; seq++) window.sent(seq, 100);
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(window.ack(200_000)).toBe(true);
    expect(window.isOpen(LIMIT, LIMIT, 0)).toBe(true);
  });
});
