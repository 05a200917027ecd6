import type { Verb } from "../../../worker/delivery/framing.ts";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Connection } from "../../../worker/delivery/connection.ts";
import { Delivery, type DeliveryEnd } from "../../../worker/delivery/delivery.ts";
import { SendWindow } from "../../../worker/delivery/send-window.ts";
import type { Message } from "../../../worker/message-log/message.ts";
import { StoredLog } from "./stored-log.ts";

const STALL_MS = 1_000;

/** A client whose socket a test holds full or empties. */
class FakeConnection {
  readonly got: number[] = [];
  readonly window: SendWindow;
  bufferedAmount = 0;
  onSend = () => {};
  readonly framing = { parse: (said: string) => JSON.parse(said) as Verb };

  constructor(after = 0, windowBytes = 100_000) {
    this.window = new SendWindow(windowBytes, after);
  }

  get progress(): number {
    return this.window.progress(this.bufferedAmount);
  }

  canTake({ data }: Message): boolean {
    return this.window.isOpen(data.length, data.length, this.bufferedAmount);
  }

  send({ seq, data }: Message): void {
    this.window.sent(seq, data.length);
    this.got.push(seq);
    this.onSend();
  }
}

const heard: number[] = [];

function deliver(
  client: FakeConnection,
  { log }: StoredLog,
): { delivery: Delivery; end: Promise<DeliveryEnd | undefined> } {
  const events = { onSent: () => {}, onHeard: (ms: number) => void heard.push(ms) };
  const delivery = new Delivery(client as unknown as Connection, log, STALL_MS, events);
  return { delivery, end: delivery.run() };
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

beforeEach(() => {
  vi.useFakeTimers();
  heard.length = 0;
});

afterEach(() => void vi.useRealTimers());

describe("a delivery", () => {
  it("sends what the log has, waits for more, and is complete when the log has ended", async () => {
    const stored = new StoredLog(3);
    const client = new FakeConnection();
    const { end } = deliver(client, stored);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(client.got).toEqual([1, 2, 3]);
    expect(stored.rows).toHaveLength(1); // what was sent is written soon, though the log has not ended
    stored.append(2);
    await vi.advanceTimersByTimeAsync(0);
    expect(client.got).toEqual(numbers(1, 5));
    stored.log.finish();
    expect(await end).toBe("complete");
    expect(client.got).toEqual(numbers(1, 5));
  });

  it("begins behind what its client has", async () => {
    const stored = new StoredLog(8);
    stored.log.finish();
    const [late, whole] = [new FakeConnection(5), new FakeConnection(8)];
    expect(await deliver(late, stored).end).toBe("complete");
    expect(await deliver(whole, stored).end).toBe("complete");
    expect([late.got, whole.got]).toEqual([[6, 7, 8], []]);
  });

  it("of a client that has more than a log being made again sends nothing twice", async () => {
    const stored = new StoredLog(3);
    const client = new FakeConnection(5);
    const { end } = deliver(client, stored);
    stored.append(2);
    await vi.advanceTimersByTimeAsync(0);
    expect(client.got).toEqual([]);
    stored.append(2);
    await vi.advanceTimersByTimeAsync(0);
    expect(client.got).toEqual([6, 7]);
    stored.log.finish();
    expect(await end).toBe("complete");
  });

  it("says when its client claims more than the ended log has", async () => {
    const stored = new StoredLog(3);
    const { end } = deliver(new FakeConnection(5), stored);
    stored.log.finish();
    expect(await end).toBe("beyond_end");
    expect(await deliver(new FakeConnection(4), stored).end).toBe("beyond_end");
    expect(await deliver(new FakeConnection(3), stored).end).toBe("complete");
  });

  it("tells how far its client has come, also before anything is sent", async () => {
    const stored = new StoredLog(8);
    const { delivery, end } = deliver(new FakeConnection(8), stored);
    expect(heard).toEqual([800]);
    stored.append(1);
    await vi.advanceTimersByTimeAsync(0);
    expect(heard.at(-1)).toBe(900);
    delivery.stop();
    await end;
  });

  it("reads every row once, however many messages it has", async () => {
    const stored = new StoredLog(40, 10_000); // five messages a row
    stored.log.finish();
    stored.lookups = 0;
    const client = new FakeConnection(0, 1_000_000);
    expect(await deliver(client, stored).end).toBe("complete");
    expect(client.got).toHaveLength(40);
    expect(stored.lookups).toBeLessThanOrEqual(8);
  });

  it("fails when a message cannot be read", async () => {
    const stored = new StoredLog(40, 10_000);
    stored.log.finish();
    stored.rows.splice(3, 1);
    const client = new FakeConnection(0, 1_000_000);
    await expect(deliver(client, stored).end).rejects.toThrow("message 16 is missing");
    expect(client.got).toEqual(numbers(1, 15));
  });
});

describe("a delivery waits for its client", () => {
  it("until it acks, when the window is full", async () => {
    const client = new FakeConnection(0, 100);
    client.window.ack(0);
    const { delivery, end } = deliver(client, new StoredLog(15));
    await vi.advanceTimersByTimeAsync(500);
    expect(client.got).toHaveLength(10);
    delivery.isCancelledBy('{"type":"ack","seq":5}');
    await vi.advanceTimersByTimeAsync(0);
    expect(client.got).toHaveLength(15);
    delivery.stop();
    await end;
  });

  it("by looking again and again at a full socket", async () => {
    const client = new FakeConnection(0, 100);
    client.bufferedAmount = 100;
    const { delivery, end } = deliver(client, new StoredLog(1));
    await vi.advanceTimersByTimeAsync(300);
    expect(client.got).toEqual([]);
    client.bufferedAmount = 0;
    await vi.advanceTimersByTimeAsync(100);
    expect(client.got).toEqual([1]);
    delivery.stop();
    await end;
  });

  it("not for ever: one that takes nothing has stalled, one that takes little has not", async () => {
    const client = new FakeConnection(0, 100);
    client.bufferedAmount = 10_000;
    let ended: DeliveryEnd | "not yet" | undefined = "not yet";
    void deliver(client, new StoredLog(1)).end.then((end) => (ended = end));
    for (let i = 0; i < 10; i++) {
      await vi.advanceTimersByTimeAsync(STALL_MS * 0.8);
      client.bufferedAmount -= 1;
    }
    expect(ended).toBe("not yet");
    await vi.advanceTimersByTimeAsync(STALL_MS + 200);
    expect(ended).toBe("stalled");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("counts only the time in which it waits: a quiet log is nobody's stall", async () => {
    const stored = new StoredLog(1);
    const client = new FakeConnection(0, 10);
    client.window.ack(0);
    const { delivery, end } = deliver(client, stored);
    await vi.advanceTimersByTimeAsync(10 * STALL_MS);
    stored.append(1);
    await vi.advanceTimersByTimeAsync(STALL_MS * 0.5);
    delivery.isCancelledBy('{"type":"ack","seq":1}');
    await vi.advanceTimersByTimeAsync(0);
    expect(client.got).toEqual([1, 2]);
    delivery.stop();
    expect(await end).toBeUndefined();
  });
});

describe("a delivery that is stopped", () => {
  it.each([
    ["while it waits for the log", new FakeConnection()],
    ["while it waits for its client", Object.assign(new FakeConnection(0, 100), { bufferedAmount: 10_000 })],
  ])("%s sends nothing more, and leaves no timer", async (_, client) => {
    const stored = new StoredLog(2);
    const { delivery, end } = deliver(client, stored);
    await vi.advanceTimersByTimeAsync(30);
    const { length } = client.got;
    delivery.stop();
    expect(await end).toBeUndefined();
    client.bufferedAmount = 0;
    stored.append(3);
    await vi.advanceTimersByTimeAsync(STALL_MS * 2);
    expect(client.got).toHaveLength(length);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("in the middle of a replay reads no further", async () => {
    const stored = new StoredLog(500, 1_000);
    stored.log.finish();
    const client = new FakeConnection(0, 1_000_000);
    const { delivery, end } = deliver(client, stored);
    client.onSend = () => client.got.length === 70 && delivery.stop();
    await vi.advanceTimersByTimeAsync(100);
    expect(await end).toBeUndefined();
    expect(client.got).toHaveLength(70);
  });
});
