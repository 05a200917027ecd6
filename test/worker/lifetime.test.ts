import { abortAllDurableObjects, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ask, connect, create, keysOf, listen, LONG_TEXT, pause, statusOf, stubOf } from "./client.ts";

const MINUTES = 60_000;

// Only the clock that dates are read from: timers go on as they are.
beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: Date.now() }));
afterEach(() => void vi.useRealTimers());

const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

async function alarm(id: string): Promise<void> {
  expect(await runDurableObjectAlarm(stubOf(id))).toBe(true);
}

async function expectForgotten(id: string): Promise<void> {
  expect(await keysOf(id)).toEqual([]);
  expect(await runDurableObjectAlarm(stubOf(id))).toBe(false);
  expect((await ask(`/v1/tts/sessions/${id}`)).status).toBe(404);
  expect((await ask(`/v1/tts/sessions/${id}`, { method: "DELETE" })).status).toBe(404);
  expect(await (await connect(id)).failure()).toMatchObject({ code: 404, reason: "unknown_session" });
}

describe("a session nobody connects to", () => {
  it("is forgotten after ten minutes, not before", async () => {
    const id = await create();
    pass(9 * MINUTES);
    await alarm(id);
    expect((await statusOf(id)).state).toBe("created");
    pass(1.1 * MINUTES);
    await alarm(id);
    await expectForgotten(id);
  });
});

describe("an ended session", () => {
  it("is forgotten after fifteen minutes with its audio, not before", async () => {
    const id = await create();
    await listen(id);
    expect((await keysOf(id)).length).toBeGreaterThan(1);
    pass(14 * MINUTES);
    await alarm(id);
    expect((await listen(id)).finals[0]!.type).toBe("eos");
    pass(1.1 * MINUTES);
    await alarm(id);
    await expectForgotten(id);
  });

  it("that was cancelled before it began is forgotten too", async () => {
    const id = await create();
    await ask(`/v1/tts/sessions/${id}`, { method: "DELETE" });
    expect((await statusOf(id)).state).toBe("cancelled");
    pass(15.1 * MINUTES);
    await alarm(id);
    await expectForgotten(id);
  });

  it("is kept while a client is listening to it", async () => {
    const id = await create({ text: LONG_TEXT });
    await listen(id, { acks: true });
    const client = await connect(id);
    client.say({ type: "ack", seq: 0 });
    await client.until(({ audio }) => audio.length > 10);
    pass(15.1 * MINUTES);
    await alarm(id);
    for (let heard = 0; client.isOpen && heard !== client.audio.length;) {
      heard = client.audio.length;
      client.say({ type: "ack", seq: heard });
      await pause(100);
    }
    expect((await client.end()).type).toBe("eos");
    pass(15.1 * MINUTES);
    await alarm(id);
    await expectForgotten(id);
  });
});

describe("a stream whose client is gone", () => {
  it("stops after a minute, and is then kept as cancelled", async () => {
    const id = await create({ text: LONG_TEXT });
    const client = await connect(id);
    await client.until(({ audio }) => audio.length > 3);
    client.leave();
    await client.closed;
    pass(0.5 * MINUTES);
    await alarm(id);
    expect((await statusOf(id)).state).toBe("streaming");
    pass(0.6 * MINUTES);
    await alarm(id);
    expect(await statusOf(id)).toMatchObject({ state: "cancelled", final: { code: 499, reason: "cancelled" } });
    pass(15.1 * MINUTES);
    await alarm(id);
    await expectForgotten(id);
  });

  it("goes on when the client comes back in time", async () => {
    const id = await create({ text: LONG_TEXT });
    const client = await connect(id);
    await client.until(({ audio }) => audio.length > 3);
    client.leave();
    await client.closed;
    pass(0.9 * MINUTES);
    const back = await connect(id, { after: 3 });
    back.say({ type: "ack", seq: 0 });
    pass(0.9 * MINUTES);
    await alarm(id);
    expect((await statusOf(id)).state).toBe("streaming");
    back.say({ type: "cancel" });
    await back.end();
  });

  it("goes on for as long as the client is there", async () => {
    const id = await create({ text: LONG_TEXT });
    const client = await connect(id);
    client.say({ type: "ack", seq: 0 });
    await client.until(({ audio }) => audio.length > 3);
    for (let i = 0; i < 3; i++) {
      pass(5 * MINUTES);
      await alarm(id);
    }
    expect(client.isOpen).toBe(true);
    client.say({ type: "cancel" });
    await client.end();
  });

  it("is given up all the same when its object is lost and nobody comes back", async () => {
    const id = await create({ text: LONG_TEXT });
    const client = await connect(id);
    client.say({ type: "ack", seq: 0 });
    await client.until(({ audio }) => audio.length > 3);
    for (let i = 0; i < 3; i++) {
      await abortAllDurableObjects(); // and every object that the alarm makes is lost in its turn
      pass(1.1 * MINUTES);
      await alarm(id);
    }
    expect((await statusOf(id)).state).toBe("cancelled");
    pass(15.1 * MINUTES);
    await alarm(id);
    await expectForgotten(id);
  });

  it("stops speaking: what the status counts stands still", async () => {
    vi.useRealTimers();
    const id = await create({ text: LONG_TEXT, voice: "en-US-mock-paced" });
    const client = await connect(id);
    await client.until(({ audio }) => audio.length > 3);
    client.leave();
    await client.closed;
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    pass(1.1 * MINUTES);
    await alarm(id);
    const before = [await statusOf(id), await keysOf(id)];
    await pause(300);
    expect([await statusOf(id), await keysOf(id)]).toEqual(before);
  });
});
