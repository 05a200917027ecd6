import { describe, expect, it } from "vitest";
import { ask, connect, create, listen, LONG_TEXT, pause, statusOf } from "./client.ts";

describe("cancelling", () => {
  it("by a message ends the stream with error 499 and 1000, and no audio after it", async () => {
    const id = await create({ text: LONG_TEXT });
    const client = await connect(id);
    await client.until(({ audio }) => audio.length > 3);
    client.say({ type: "cancel" });
    expect(await client.failure()).toMatchObject({ code: 499, reason: "cancelled", closeCode: 1000 });
    expect(await statusOf(id)).toMatchObject({ state: "cancelled", final: { reason: "cancelled" } });
  });

  it("by DELETE does the same, and may be repeated", async () => {
    const id = await create({ voice: "en-US-mock-paced", text: LONG_TEXT });
    const client = await connect(id);
    await client.until(({ audio }) => audio.length > 1);
    for (let i = 0; i < 3; i++) {
      const response = await ask(`/v1/tts/sessions/${id}`, { method: "DELETE" });
      expect([response.status, await response.text()]).toEqual([204, ""]);
    }
    expect(await client.failure()).toMatchObject({ code: 499, closeCode: 1000 });
    const { counts } = await statusOf(id);
    await pause(200);
    expect((await statusOf(id)).counts).toEqual(counts);
  });

  it("before the first connection keeps the provider from ever being asked", async () => {
    const id = await create();
    await ask(`/v1/tts/sessions/${id}`, { method: "DELETE" });
    const client = await connect(id);
    expect(await client.failure()).toMatchObject({ code: 499, closeCode: 1000 });
    expect(client.audio).toEqual([]);
    expect(await statusOf(id)).toMatchObject({ state: "cancelled", counts: { utterances: 0 } });
  });

  it("is told to every later connection, once", async () => {
    const id = await create({ text: LONG_TEXT });
    const client = await connect(id);
    client.say({ type: "cancel" });
    await client.failure();
    for (const after of [0, client.audio.length]) {
      const later = await connect(id, { after });
      expect(await later.failure()).toMatchObject({ code: 499, closeCode: 1000 });
      expect(later.audio).toEqual([]);
    }
  });

  it("leaves an ended session as it ended", async () => {
    const id = await create();
    const whole = await listen(id);
    const before = await statusOf(id);
    expect((await ask(`/v1/tts/sessions/${id}`, { method: "DELETE" })).status).toBe(204);
    expect(await statusOf(id)).toEqual(before);
    expect((await listen(id)).audio).toEqual(whole.audio);
  });
});
