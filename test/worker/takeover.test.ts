import { describe, expect, it } from "vitest";
import { connect, create, listen, LONG_TEXT, pause, statusOf, watchWrites } from "./client.ts";

const PACED = { voice: "en-US-mock-paced", text: "One two three four five." };

describe("a second connection", () => {
  // What the first one still says then: test/e2e/takeover.test.ts, where its socket stays open.
  it("takes the stream over; the first is closed with 4001", async () => {
    const id = await create(PACED);
    const first = await connect(id);
    await first.until(({ audio }) => audio.length >= 2);
    const second = await connect(id, { after: 1 });
    expect((await first.closed).code).toBe(4001);
    expect(first.finals).toEqual([]);
    expect((await second.end()).type).toBe("eos");
    expect(second.audio.map(({ seq }) => seq)).toEqual(second.audio.map((_, i) => i + 2));
    expect((await statusOf(id)).state).toBe("completed");
  });

  it("may start from the beginning, and the third from the middle", async () => {
    const text = LONG_TEXT.slice(0, 300);
    const whole = await listen(await create({ text }));
    const id = await create({ text, voice: "en-US-mock-paced" });
    await (await connect(id)).until(({ audio }) => audio.length >= 8);
    const second = await connect(id);
    await second.until(({ audio }) => audio.length >= 10);
    const third = await connect(id, { after: 5 });
    await third.until(({ audio }) => audio.length >= 10);
    expect((await second.closed).code).toBe(4001);
    for (const [client, from] of [
      [second, 0],
      [third, 5],
    ] as const) {
      expect(client.audio).toEqual(whole.audio.slice(from, from + client.audio.length));
    }
    third.say({ type: "cancel" });
    await third.end();
  });

  it("that comes while the end is being stored gets its audio, not the end alone", async () => {
    const id = await create({ text: LONG_TEXT.slice(0, 600) });
    let isEnding = false;
    let isHeld = true;
    await watchWrites(id, async ({ key, value }) => {
      if (key !== "lifecycle" || !value.outcome) return;
      isEnding = true;
      while (isHeld) await pause(5);
    });
    const first = await connect(id, { acks: true });
    while (!isEnding) await pause(5);
    const second = await connect(id);
    second.say({ type: "ack", seq: 0 });
    await second.until(({ audio }) => audio.length > 10);
    isHeld = false;
    await pause(100);
    expect([second.isOpen, second.finals]).toEqual([true, []]);
    expect(second.audio.length).toBeLessThan(first.audio.length);
    expect([(await first.closed).code, first.finals]).toEqual([4001, []]);
    second.leave();
    const third = await listen(id, { after: second.audio.length, acks: true });
    expect([...second.audio, ...third.audio]).toEqual(first.audio);
    expect(third.finals[0]).toMatchObject({ type: "eos", seq: first.audio.length });
  });
});

describe("a client that counts its attempts", () => {
  it("is not cut off by an earlier attempt of its own that comes late", async () => {
    const id = await create(PACED);
    const second = await connect(id, { attempt: 2 });
    await second.until(({ audio }) => audio.length >= 2);
    const late = await connect(id, { attempt: 1 });
    expect(await late.failure()).toMatchObject({ code: 409, reason: "taken_over", closeCode: 4001 });
    expect(late.audio).toEqual([]);
    expect((await second.end()).type).toBe("eos");
    expect(second.audio.map(({ seq }) => seq)).toEqual(second.audio.map((_, i) => i + 1));
  });

  it("takes over from every earlier attempt, and so does a client that does not count", async () => {
    const id = await create(PACED);
    const clients = [];
    for (const attempt of [1, 2, 2, 10, undefined, 1, "x"]) {
      const client = await connect(id, attempt === undefined ? {} : { attempt });
      await client.until(({ audio }) => audio.length >= 1);
      clients.push(client);
    }
    const last = clients.pop()!;
    for (const client of clients) expect([(await client.closed).code, client.finals]).toEqual([4001, []]);
    expect((await last.end()).type).toBe("eos");
  });

  it("takes over from another client, however often that one has tried", async () => {
    const id = await create(PACED);
    const first = await connect(id, { client: "a", attempt: 9 });
    await first.until(({ audio }) => audio.length >= 1);
    const second = await connect(id, { client: "b", attempt: 1, after: 1 });
    expect((await first.closed).code).toBe(4001);
    const late = await connect(id, { client: "b", attempt: 0 });
    expect(await late.failure()).toMatchObject({ reason: "taken_over" });
    expect((await second.end()).type).toBe("eos");
  });

  it("may come with any attempt once the later one has left", async () => {
    const id = await create(PACED);
    const second = await connect(id, { attempt: 2 });
    await second.until(({ audio }) => audio.length >= 1);
    second.leave();
    await second.closed;
    expect((await listen(id, { attempt: 1 })).finals[0]!.type).toBe("eos");
  });
});
