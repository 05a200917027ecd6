import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Connection } from "../../worker/delivery/connection.ts";
import type { Message } from "../../worker/synthesis/message-cutter.ts";
import { Outbox } from "../../worker/delivery/outbox.ts";
import { SendWindow } from "../../worker/delivery/send-window.ts";

const STALL_MS = 1_000;
const WINDOW_BYTES = 256 * 1024;
const never = new AbortController().signal;

const message = (seq: number, bytes = 10): Message => ({
  seq,
  startMs: (seq - 1) * 100,
  endMs: seq * 100,
  endByte: seq * bytes,
  data: new Uint8Array(bytes),
});

/** A client whose socket a test holds full or empties. */
class FakeConnection {
  readonly got: number[] = [];
  readonly window: SendWindow;
  bufferedAmount = 0;

  constructor(after = 0, windowBytes = 100) {
    this.window = new SendWindow(windowBytes, after);
  }

  get progress(): number {
    return this.window.progress(this.bufferedAmount);
  }

  canTake({ data }: Message): boolean {
    return this.window.isOpen(data.length, data.length, this.bufferedAmount);
  }

  sendAudio({ seq, data }: Message): void {
    this.window.sent(seq, data.length);
    this.got.push(seq);
  }
}

const as = (fake: FakeConnection) => fake as unknown as Connection;

let outbox: Outbox;
let stalled: unknown[];

beforeEach(() => {
  vi.useFakeTimers();
  stalled = [];
  outbox = new Outbox(WINDOW_BYTES, STALL_MS, (connection) => {
    stalled.push(connection);
    outbox.connect(undefined);
  });
});

afterEach(() => void vi.useRealTimers());

async function deliver(from: number, to: number, signal = never, bytes = 10): Promise<void> {
  for (let seq = from; seq <= to; seq++) await outbox.deliver(message(seq, bytes), signal);
}

describe("an outbox", () => {
  it("holds its messages until there is a client", async () => {
    const delivering = deliver(1, 3);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(vi.getTimerCount()).toBe(0);
    const client = new FakeConnection();
    outbox.connect(as(client));
    await delivering;
    expect(client.got).toEqual([1, 2, 3]);
    expect(outbox.sent).toEqual({ seq: 3, endMs: 300, endByte: 30 });
  });

  it("waits for an ack when the window is full", async () => {
    const client = new FakeConnection();
    client.window.ack(0);
    outbox.connect(as(client));
    const delivering = deliver(1, 15);
    await vi.advanceTimersByTimeAsync(500);
    expect(client.got).toHaveLength(10);
    client.window.ack(5);
    outbox.wake();
    await delivering;
    expect(client.got).toHaveLength(15);
  });

  it("looks again and again at a full socket", async () => {
    const client = new FakeConnection();
    client.bufferedAmount = 100;
    outbox.connect(as(client));
    const delivering = deliver(1, 1);
    await vi.advanceTimersByTimeAsync(300);
    expect(client.got).toEqual([]);
    client.bufferedAmount = 0;
    await vi.advanceTimersByTimeAsync(100);
    await delivering;
    expect(client.got).toEqual([1]);
  });

  it("reports a client that takes nothing for too long, and one that takes little not", async () => {
    const client = new FakeConnection();
    client.bufferedAmount = 10_000;
    outbox.connect(as(client));
    const controller = new AbortController();
    const delivering = deliver(1, 1, controller.signal).catch(() => {});
    for (let i = 0; i < 10; i++) {
      await vi.advanceTimersByTimeAsync(STALL_MS * 0.8);
      client.bufferedAmount -= 1;
    }
    expect(stalled).toEqual([]);
    await vi.advanceTimersByTimeAsync(STALL_MS + 200);
    expect(stalled).toEqual([client]);
    expect(vi.getTimerCount()).toBe(0);
    controller.abort();
    await delivering;
  });

  it("gives a new client its own time", async () => {
    const [first, second] = [new FakeConnection(), new FakeConnection()];
    first.bufferedAmount = second.bufferedAmount = 10_000;
    outbox.connect(as(first));
    const controller = new AbortController();
    const delivering = deliver(1, 1, controller.signal).catch(() => {});
    await vi.advanceTimersByTimeAsync(STALL_MS * 0.9);
    outbox.connect(as(second));
    await vi.advanceTimersByTimeAsync(STALL_MS * 0.9);
    expect(stalled).toEqual([]);
    controller.abort();
    await delivering;
  });

  it("brings a client that comes back what it missed, then goes on", async () => {
    const first = new FakeConnection(0, 10_000);
    outbox.connect(as(first));
    await deliver(1, 8);
    const second = new FakeConnection(5, 10_000);
    expect(outbox.catchUp(as(second))).toBe(true);
    outbox.connect(as(second));
    await deliver(9, 10);
    expect(second.got).toEqual([6, 7, 8, 9, 10]);
    expect(first.got).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("says when it does not keep what a client misses, or has not come so far", async () => {
    outbox.connect(as(new FakeConnection(0, Number.MAX_SAFE_INTEGER)));
    await deliver(1, 10, never, 30_000);
    const late = new FakeConnection(3);
    expect([outbox.catchUp(as(late)), late.got]).toEqual([false, []]);
    expect(outbox.catchUp(as(new FakeConnection(9)))).toBe(true);
    outbox.rewind(2);
    expect(outbox.catchUp(as(new FakeConnection(9)))).toBe(false);
    expect(outbox.catchUp(as(new FakeConnection(2)))).toBe(true);
  });

  it("remembers the furthest that was sent, also when messages are made again", async () => {
    outbox.connect(as(new FakeConnection(0, 10_000)));
    await deliver(1, 8);
    outbox.rewind(2);
    await deliver(3, 4);
    expect(outbox.sent.seq).toBe(8);
    outbox.passOver(message(20));
    expect(outbox.sent).toEqual({ seq: 20, endMs: 2_000, endByte: 200 });
  });

  it("tells when the audio was sent up to a time", async () => {
    outbox.connect(as(new FakeConnection(0, 10_000)));
    let isThere = false;
    const waiting = outbox.sentUpTo(450, never).then(() => (isThere = true));
    await deliver(1, 4);
    expect(isThere).toBe(false);
    await deliver(5, 5);
    await waiting;
    await outbox.sentUpTo(-1_000, never);
  });

  it("stops when it is aborted, and leaves no timer", async () => {
    const client = new FakeConnection();
    client.bufferedAmount = 10_000;
    outbox.connect(as(client));
    const controller = new AbortController();
    const delivering = deliver(1, 1, controller.signal);
    const waiting = outbox.sentUpTo(500, controller.signal);
    setTimeout(() => controller.abort(new Error("enough")), 30);
    const outcomes = Promise.allSettled([delivering, waiting]);
    await vi.advanceTimersByTimeAsync(30);
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ status: "rejected" });
    expect(vi.getTimerCount()).toBe(0);
  });
});
