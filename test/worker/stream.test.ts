import { abortAllDurableObjects } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { ask, connect, create, listen, LONG_TEXT, pause, statusOf, watchWrites } from "./client.ts";

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
    const lengthsMs = audio.map(({ data }) => data.length / 32);
    expect(lengthsMs.slice(0, 7)).toEqual([20, 20, 40, 60, 80, 100, 100]);
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

describe("the end of a stream", () => {
  it("is stored before it is told", async () => {
    const id = await create();
    let isStored = false;
    const ends: boolean[] = [];
    await watchWrites(id, async ({ key, value, isConfirmed }) => {
      if (key !== "lifecycle" || !value.outcome) return;
      ends.push(isConfirmed);
      await pause(100);
      isStored = true;
    });
    const client = await connect(id);
    await client.until(({ finals }) => finals.length > 0);
    expect([isStored, ends]).toEqual([true, [true]]);
  });

  it("is the same after its object was lost right behind it", async () => {
    const id = await create();
    const client = await listen(id);
    await abortAllDurableObjects();
    expect(await statusOf(id)).toMatchObject({ state: "completed", final: client.finals[0] });
    const again = await listen(id);
    expect([again.audio, again.finals]).toEqual([client.audio, client.finals]);
  });
});
