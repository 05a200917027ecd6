import { describe, expect, it } from "vitest";
import { connect, create, listen, LONG_TEXT, pause, statusOf } from "./client.ts";

const WINDOW_BYTES = 256 * 1024;

/** LEAD_MS of this project, in vitest.config.ts. */
const LEAD_MS = 1_000;

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

  it("that stop hold the engine too: no more is spoken than the lead ahead", async () => {
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
