import { describe, expect, it } from "vitest";
import { ask, connect, create, LONG_TEXT, statusOf, stubOf } from "./client.ts";

describe("a bad message", () => {
  it.each([
    ["garbage", "garbage"],
    ["an unknown type", '{"type":"ping"}'],
    ["an ack without its seq", '{"type":"ack"}'],
    ["an ack of a negative seq", '{"type":"ack","seq":-1}'],
    ["JSON null", "null"],
    ["a binary frame", new Uint8Array([1, 2, 3]).buffer],
    ["nothing", ""],
  ])("that is %s ends the connection, not the session", async (_, message) => {
    const id = await create({ text: LONG_TEXT });
    const client = await connect(id);
    client.say({ type: "ack", seq: 0 });
    await client.until(({ audio }) => audio.length > 0);
    client.say(message);
    expect(await client.failure()).toMatchObject({ code: 400, reason: "bad_message", closeCode: 1008 });
    expect((await statusOf(id)).state).toBe("streaming");
    await ask(`/v1/tts/sessions/${id}`, { method: "DELETE" });
  });

  it("that is too large is 1009", async () => {
    const client = await connect(await create({ text: LONG_TEXT }));
    client.say({ type: "ack", seq: 0 });
    client.say("x".repeat(5_000));
    expect(await client.failure()).toMatchObject({ code: 413, reason: "payload_too_large", closeCode: 1009 });
  });
});

describe("a stream of no session", () => {
  it("is told so on the socket, for a browser cannot read the status of a refused upgrade", async () => {
    for (const id of ["nonsense", "0".repeat(64), "f".repeat(64), "x"]) {
      const client = await connect(id);
      expect(await client.failure()).toMatchObject({ code: 404, reason: "unknown_session", closeCode: 1008 });
    }
  });

  it("is told so with a well-formed id too, and none comes into being", async () => {
    const { env } = await import("cloudflare:workers");
    const id = env.SESSIONS.newUniqueId().toString();
    expect(await (await connect(id, { protocols: "tts.v1.binary" })).failure()).toMatchObject({ code: 404 });
    expect((await ask(`/v1/tts/sessions/${id}`)).status).toBe(404);
    expect(await stubOf(id).report()).toBeUndefined();
  });
});

describe("a client that leaves", () => {
  it("has its close answered", async () => {
    const client = await connect(await create({ text: LONG_TEXT }));
    await client.until(({ audio }) => audio.length > 0);
    client.leave();
    expect((await client.closed).code).toBe(1000);
  });
});
