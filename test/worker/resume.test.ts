import { describe, expect, it } from "vitest";
import { connect, create, createWithLostVoices, listen, LONG_TEXT, statusOf, type Client } from "./client.ts";

describe("?after=N", () => {
  it("goes on at N + 1, with the same messages", async () => {
    const id = await create({ text: LONG_TEXT.slice(0, 600) });
    const whole = await listen(id);
    for (const after of [0, 1, 2, Math.floor(whole.audio.length / 2), whole.audio.length - 1]) {
      const rest = await listen(id, { after });
      expect(rest.audio).toEqual(whole.audio.slice(after));
      expect(rest.finals).toEqual(whole.finals);
    }
  });

  it("of the last message yields the eos alone, as often as it is asked", async () => {
    const id = await create();
    const { audio, finals } = await listen(id);
    for (let i = 0; i < 3; i++) {
      const rest = await listen(id, { after: audio.length });
      expect([rest.audio, rest.finals]).toEqual([[], finals]);
    }
  });

  it("above what was sent is an error, and the stream of another connection goes on", async () => {
    const id = await create({ voice: "en-US-mock-paced", text: "One two three." });
    const listening = connect(id);
    const client = await listening;
    await client.until(({ audio }) => audio.length > 0);
    const refused = await (await connect(id, { after: 16 })).failure();
    expect(refused).toMatchObject({ code: 400, reason: "invalid_after", closeCode: 1008 });
    expect((await client.end()).type).toBe("eos");
  });

  it("of a session that failed brings its error, whatever it is", async () => {
    const id = await createWithLostVoices([], "nobody", "One two three.");
    const first = await (await connect(id)).failure();
    expect(first).toMatchObject({ code: 400, reason: "invalid_request", closeCode: 1008 });
    for (const after of [0, 5]) expect(await (await connect(id, { after })).failure()).toEqual(first);
    expect((await statusOf(id)).state).toBe("failed");
  });

  it("that is no number is an error", async () => {
    const id = await create();
    for (const after of ["-1", "x", "1.5", "", "9".repeat(30)]) {
      const failure = await (await connect(id, { after })).failure();
      expect(failure).toMatchObject({ code: 400, reason: "invalid_after", closeCode: 1008 });
    }
    expect((await statusOf(id)).state).toBe("created");
  });

  it("brings every byte to a client that is cut off again and again", async () => {
    const text = LONG_TEXT.slice(0, 900);
    const whole = await listen(await create({ text }));
    const id = await create({ text });
    const audio: Client["audio"][number][] = [];
    for (const stop of [1, 7, 8, 40, 41, 120]) {
      const client = await connect(id, { after: audio.length, acks: stop % 2 === 0 });
      await client.until((one) => audio.length + one.audio.length >= stop);
      client.leave();
      audio.push(...client.audio.slice(0, stop - audio.length));
    }
    audio.push(...(await listen(id, { after: audio.length })).audio);
    expect(audio).toEqual(whole.audio);
  });
});
