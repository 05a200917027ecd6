import { abortAllDurableObjects, evictDurableObject } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import { MockTone } from "../../worker/providers/mock-tone.ts";
import { ask, connect, create, keysOf, listen, LONG_TEXT, pause, statusOf, stubOf, type Client } from "./client.ts";

/** UNWRITTEN_MESSAGES of worker/message-log/message-log.ts, as docs/protocol.md promises it. */
const UNWRITTEN = 1_000;

const WINDOW_BYTES = 256 * 1024;

describe("a session whose object was lost", () => {
  it("after its end plays the same messages again", async () => {
    const id = await create({ text: LONG_TEXT.slice(0, 300) });
    const whole = await listen(id);
    await evictDurableObject(stubOf(id));
    const again = await listen(id);
    expect(again.audio).toEqual(whole.audio);
    expect(again.finals).toEqual(whole.finals);
    await evictDurableObject(stubOf(id));
    expect((await listen(id, { after: 5 })).audio).toEqual(whole.audio.slice(5));
    await evictDurableObject(stubOf(id));
    expect((await listen(id, { after: whole.audio.length })).finals).toEqual(whole.finals);
    expect(await statusOf(id)).toMatchObject({ state: "completed", counts: { messages: whole.audio.length } });
  });

  it("before its first connection is as it was", async () => {
    const id = await create();
    await evictDurableObject(stubOf(id));
    expect((await listen(id)).finals[0]!.type).toBe("eos");
  });

  it("in the middle speaks on where its log ended, the same to the byte", async () => {
    const text = LONG_TEXT.slice(0, 600);
    const whole = await listen(await create({ text }), { acks: true });
    const id = await create({ text });
    const client = await connect(id);
    await client.until(({ audio }) => audio.length > 20);
    await abortAllDurableObjects();
    expect((await listen(id, { acks: true })).audio).toEqual(whole.audio);
  });
});

describe("a stream at real time whose object was lost", () => {
  /** What its client got, and the last message that is stored. */
  async function lost(): Promise<{ id: string; got: Client; stored: number }> {
    const id = await create({ text: LONG_TEXT, voice: "en-US-mock-paced" });
    const got = await connect(id);
    await got.until(({ audio }) => audio.length >= 30);
    await abortAllDurableObjects();
    return { id, got, stored: (await statusOf(id)).counts.messages };
  }

  const cancel = (id: string) => ask(`/v1/tts/sessions/${id}`, { method: "DELETE" });

  it("counts all that its client got but the last second", async () => {
    const { id, got, stored } = await lost();
    const { counts, state, timings } = await statusOf(id);
    expect(state).toBe("streaming");
    expect(stored).toBeGreaterThan(got.audio.length - 15);
    expect(stored).toBeLessThanOrEqual(got.audio.length);
    const bytes = got.audio.slice(0, stored).reduce((sum, { data }) => sum + data.length, 0);
    expect([counts.bytes, counts.sent_ms]).toEqual([bytes, Math.round(bytes / 32)]);
    expect(counts.recorded_ms).toBeGreaterThanOrEqual(counts.sent_ms);
    expect(counts.utterances).toBeGreaterThan(0);
    expect(timings.started_at).not.toBeNull();
    await cancel(id);
  });

  it("goes on for a client that has more than was stored, and sends it nothing twice", async () => {
    const { id, got, stored } = await lost();
    const after = Math.max(got.audio.length, stored + 3);
    const back = await connect(id, { after });
    await back.until(({ audio }) => audio.length >= 3);
    expect(back.audio.slice(0, 3).map(({ seq }) => seq)).toEqual([after + 1, after + 2, after + 3]);
    const bytes = got.audio.reduce((sum, { data }) => sum + data.length, 0);
    if (after === got.audio.length) expect(back.audio[0]!.ptsMs).toBe(Math.round(bytes / 32));
    const { counts, timings } = await statusOf(id);
    expect(counts.messages).toBeGreaterThanOrEqual(after + 3);
    expect(timings.first_audio_ms).toBeNull(); // not known any more; certainly not when it went on
    await cancel(id);
  });

  it("counts the whole when its client turns out to have had it all", async () => {
    const text = "One two three four five.";
    const whole = await listen(await create({ text }));
    const id = await create({ text, voice: "en-US-mock-paced" });
    await (await connect(id)).until(({ audio }) => audio.length >= 10);
    await abortAllDurableObjects();
    const rest = await listen(id, { after: whole.audio.length });
    expect([rest.audio, rest.finals]).toEqual([[], whole.finals]);
    const { length } = whole.bytes;
    const sums = { messages: whole.audio.length, bytes: length, sent_ms: Math.round(length / 32) };
    expect((await statusOf(id)).counts).toMatchObject(sums);
  });

  it("takes no client's word for more than could have been sent", async () => {
    const { id, stored } = await lost();
    const beyond = await connect(id, { after: stored + UNWRITTEN + 1 });
    expect(await beyond.failure()).toMatchObject({ code: 400, reason: "invalid_after", closeCode: 1008 });
    const within = await connect(id, { after: stored + UNWRITTEN });
    await pause(300);
    expect([within.isOpen, within.audio]).toEqual([true, []]);
    await cancel(id);
    expect(await within.failure()).toMatchObject({ code: 499 });
  });

  it("and was cancelled then, says so to whoever comes back, whatever he has", async () => {
    const { id, got } = await lost();
    await cancel(id);
    for (const isLostAgain of [false, true]) {
      if (isLostAgain) await evictDurableObject(stubOf(id));
      for (const after of [0, got.audio.length, got.audio.length + 100]) {
        const client = await connect(id, { after });
        expect(await client.failure()).toMatchObject({ code: 499, reason: "cancelled", closeCode: 1000 });
        expect(client.audio).toEqual([]);
      }
      expect(await statusOf(id)).toMatchObject({ state: "cancelled", final: { code: 499 } });
    }
  });

  it("writes a row a second, not one a message", async () => {
    const { id, got } = await lost();
    const rows = (await keysOf(id)).filter((key) => key.startsWith("row:"));
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.length).toBeLessThanOrEqual(got.audio.at(-1)!.ptsMs! / 1000 + 1);
    await cancel(id);
  });
});

describe("a stream that was spoken to its end, and not heard to it, whose object was lost", () => {
  it("is heard to its end, and nothing of it is spoken again", async () => {
    const text = LONG_TEXT.slice(0, 135); // the window and half a second: less than the lead
    const whole = await listen(await create({ text }), { acks: true });
    const id = await create({ text });
    /** Its client acks nothing, so that the last messages wait for room in the window. */
    const connected = async () => {
      const client = await connect(id);
      client.say({ type: "ack", seq: 0 });
      await client.until(({ bytes }) => bytes.length > WINDOW_BYTES - 3_200);
      await pause(100);
      expect(client.audio.length).toBeLessThan(whole.audio.length);
      return client;
    };
    await connected();
    const { counts } = await statusOf(id);
    expect(counts.segments_recorded).toBe(counts.segments);
    await abortAllDurableObjects();
    const speak = vi.spyOn(MockTone.prototype, "speak");
    const client = await connected();
    expect(speak).not.toHaveBeenCalled();
    speak.mockRestore();
    const rest = await listen(id, { after: client.audio.length, acks: true });
    expect([...client.audio, ...rest.audio]).toEqual(whole.audio);
    expect((await statusOf(id)).counts.utterances).toBe(counts.utterances);
  });
});
