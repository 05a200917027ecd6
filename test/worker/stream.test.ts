import { describe, expect, it } from "vitest";
import { Client, ask, connect, create, listen, LONG_TEXT, pause, statusOf, stubOf } from "./client.ts";

const WINDOW_BYTES = 256 * 1024;

/** LEAD_MS of this project, in vitest.config.ts. */
const LEAD_MS = 1_000;

describe("a stream", () => {
  it("is numbered from 1 without a hole, and ends with one eos that holds its sums", async () => {
    const client = await listen(await create());
    const { audio, finals, bytes } = client;
    expect(audio.map(({ seq }) => seq)).toEqual(audio.map((_, i) => i + 1));
    expect(finals).toEqual([
      { type: "eos", seq: audio.length, duration_ms: Math.round(bytes.length / 32), bytes: bytes.length },
    ]);
    expect(await client.closed).toMatchObject({ code: 1000 });
  });

  it("tells when each message is heard", async () => {
    const { audio } = await listen(await create());
    let bytes = 0;
    for (const { ptsMs, data } of audio) {
      expect(ptsMs).toBe(Math.round(bytes / 32));
      bytes += data.length;
    }
    expect(audio[0]!.data).toHaveLength(640);
    expect(audio[1]!.data).toHaveLength(3_200);
  });

  it("as WAV has one header and the same samples as PCM", async () => {
    const { bytes } = await listen(await create({ target_format: "wav" }));
    expect(new TextDecoder().decode(bytes.subarray(0, 4))).toBe("RIFF");
    expect(bytes.subarray(44)).toEqual((await listen(await create())).bytes);
  });

  it("is the same in a second session of the same request, message by message", async () => {
    const [first, second] = await Promise.all([listen(await create()), listen(await create())]);
    expect(second.audio).toEqual(first.audio);
  });

  it("of a text without a word is an eos alone", async () => {
    const client = await listen(await create({ text: "..." }));
    expect(client.audio).toEqual([]);
    expect(client.finals).toEqual([{ type: "eos", seq: 0, duration_ms: 0, bytes: 0 }]);
  });

  it("begins while it is still being spoken", async () => {
    const id = await create({ voice: "en-US-mock-paced", text: LONG_TEXT });
    const started = Date.now();
    const client = await connect(id);
    await client.until(({ audio }) => audio.length > 0);
    expect(Date.now() - started).toBeLessThan(1_000);
    expect((await statusOf(id)).counts.recorded_ms).toBeLessThan(2_000);
    client.say({ type: "cancel" });
    await client.end();
  });

  it("as binary frames holds the same audio, and says so in its subprotocol", async () => {
    const id = await create();
    const json = await listen(id);
    const binary = await listen(id, { protocols: "other, tts.v1.binary" });
    expect([json.protocol, binary.protocol]).toEqual([null, "tts.v1.binary"]);
    expect(binary.audio).toEqual(json.audio.map(({ seq, data }) => ({ seq, data })));
    expect(binary.finals).toEqual(json.finals);
  });

  it("says nothing of a subprotocol it does not know", async () => {
    expect((await listen(await create(), { protocols: "other" })).protocol).toBeNull();
  });

  it("without a transcoder, of a format that needs one, is an error 503 that says when to come again", async () => {
    const failure = await (await connect(await create({ target_format: "mp3" }))).failure();
    expect(failure).toMatchObject({ code: 503, reason: "transcoder_unavailable", closeCode: 1013 });
    expect(failure.retry_after_ms).toBeGreaterThan(0);
  });

  it("of a hundred sessions at once holds each its own", async () => {
    const texts = Array.from({ length: 100 }, (_, i) => `This is number ${i} of ${100 + i * 7}.`);
    const clients = await Promise.all(texts.map(async (text) => listen(await create({ text }), { acks: true })));
    const again = await Promise.all(texts.map(async (text) => listen(await create({ text }))));
    expect(clients.map(({ bytes }) => bytes)).toEqual(again.map(({ bytes }) => bytes));
    expect(clients.every(({ finals }) => finals[0]!.type === "eos")).toBe(true);
  });
});

describe("a session's status", () => {
  it("counts what was spoken and sent, and keeps its times", async () => {
    const id = await create();
    const { audio, bytes, finals } = await listen(id);
    const status = await statusOf(id);
    expect(status).toMatchObject({
      state: "completed",
      counts: {
        characters: 19,
        segments: 1,
        segments_recorded: 1,
        utterances: 1,
        retries: 0,
        recorded_ms: Math.round(bytes.length / 32),
        sent_ms: Math.round(bytes.length / 32),
        messages: audio.length,
        bytes: bytes.length,
      },
      final: finals[0],
    });
    const { created_at: created, started_at: started, ended_at: ended, first_audio_ms: first } = status.timings;
    expect(Date.parse(created)).toBeLessThanOrEqual(Date.parse(started));
    expect(Date.parse(started)).toBeLessThanOrEqual(Date.parse(ended));
    expect(first).toBeGreaterThanOrEqual(0);
  });

  it("is streaming while it streams", async () => {
    const id = await create({ voice: "en-US-mock-paced", text: LONG_TEXT });
    const client = await connect(id);
    await client.until(({ audio }) => audio.length > 1);
    const status = await statusOf(id);
    expect(status).toMatchObject({ state: "streaming", final: null });
    expect(status.counts.messages).toBeGreaterThan(0);
    client.leave();
    await ask(`/v1/tts/sessions/${id}`, { method: "DELETE" });
  });
});

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

describe("a second connection", () => {
  it("takes the stream over; the first is closed with 4001 and its words are ignored", async () => {
    const id = await create({ voice: "en-US-mock-paced", text: "One two three four five." });
    const first = await connect(id);
    await first.until(({ audio }) => audio.length >= 2);
    const second = await connect(id, { after: 1 });
    first.say({ type: "ack", seq: 1_000_000 });
    first.say("garbage");
    first.say({ type: "cancel" });
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
});

describe("acks", () => {
  it("keep the window: it closes at 256 KiB of audio and opens with what is acknowledged", async () => {
    const client = await connect(await create({ text: LONG_TEXT }));
    client.say({ type: "ack", seq: 0 });
    await client.until(({ bytes }) => bytes.length > WINDOW_BYTES - 3_200);
    await pause(100);
    const inFlight = client.bytes.length;
    expect(inFlight).toBeLessThanOrEqual(WINDOW_BYTES);
    const half = client.audio.slice(0, Math.floor(client.audio.length / 2));
    client.say({ type: "ack", seq: half.length });
    const acked = half.reduce((sum, { data }) => sum + data.length, 0);
    await client.until(({ bytes }) => bytes.length > acked + WINDOW_BYTES - 3_200);
    await pause(100);
    expect(client.bytes.length).toBeLessThanOrEqual(acked + WINDOW_BYTES);
    client.say({ type: "ack", seq: 3 }); // lower than before: nothing changes
    await pause(50);
    expect(client.bytes.length).toBeLessThanOrEqual(acked + WINDOW_BYTES);
    client.say({ type: "cancel" });
    await client.end();
  });

  it("of what was never sent are an error, and the session can be resumed", async () => {
    const id = await create({ text: LONG_TEXT });
    const client = await connect(id);
    client.say({ type: "ack", seq: 0 });
    await client.until(({ audio }) => audio.length > 10);
    client.say({ type: "ack", seq: 1_000_000 });
    expect(await client.failure()).toMatchObject({ code: 400, reason: "invalid_ack", closeCode: 1008 });
    expect((await statusOf(id)).state).toBe("streaming");
    expect((await listen(id, { after: 5, acks: true })).finals[0]).toMatchObject({ type: "eos" });
  });

  it("that do not come for too long: closed with 1013, and ?after= brings the rest", async () => {
    const text = LONG_TEXT.slice(0, 1_200);
    const whole = await listen(await create({ text }), { acks: true });
    const id = await create({ text });
    const client = await connect(id);
    client.say({ type: "ack", seq: 0 });
    expect((await client.closed).code).toBe(1013);
    expect(client.finals).toEqual([]);
    const rest = await listen(id, { after: client.audio.length, acks: true });
    expect([...client.audio, ...rest.audio]).toEqual(whole.audio);
  });

  it("that stop hold the engine too: the tape runs no further than its lead ahead", async () => {
    const id = await create({ text: LONG_TEXT });
    const client = await connect(id);
    client.say({ type: "ack", seq: 0 });
    await client.until(({ bytes }) => bytes.length > WINDOW_BYTES - 3_200);
    await pause(100);
    const { counts } = await statusOf(id);
    expect(counts.recorded_ms).toBeLessThan(counts.sent_ms + LEAD_MS + 5_000);
    expect(counts.segments_recorded).toBeLessThan(counts.segments / 2);
    client.say({ type: "cancel" });
    await client.end();
  });
});

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
    expect(await stubOf(id).status()).toBeUndefined();
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
