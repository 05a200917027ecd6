import { abortAllDurableObjects, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { MessageRow } from "../../worker/message-log/message-row.ts";
import { connect, create, keysOf, listen, LONG_TEXT, pause, statusOf, stubOf, type Client } from "./client.ts";

afterEach(() => void vi.restoreAllMocks());

/** How many messages are read from logs, from now on. */
function countReads(): () => number {
  const message = vi.spyOn(MessageRow.prototype, "message");
  return () => message.mock.calls.length;
}

/** The rows of a session, and a way to lose one of them. */
async function rowsOf(id: string): Promise<string[]> {
  return (await keysOf(id)).filter((key) => key.startsWith("row:"));
}

async function loseRow(id: string, key: string): Promise<void> {
  await runInDurableObject(stubOf(id), (_, { storage }) => storage.kv.delete(key));
  await abortAllDurableObjects(); // or it might still have the row in memory
}

const firstSeqOf = (key: string) => Number(key.slice("row:".length));

describe("a replay", () => {
  it("reads no further once its client has left", async () => {
    const id = await create({ text: LONG_TEXT });
    const { length } = (await listen(id, { acks: true })).audio;
    const reads = countReads();
    const client = await connect(id);
    await client.until(({ audio }) => audio.length > 0);
    client.leave();
    await client.closed;
    const readWhenLeft = reads();
    await pause(500);
    expect(reads()).toBeGreaterThan(0);
    expect(reads() - readWhenLeft).toBeLessThan(length / 4);
  });

  it("that is taken over reads no further either", async () => {
    const id = await create({ text: LONG_TEXT });
    const { length } = (await listen(id, { acks: true })).audio;
    const reads = countReads();
    const first = await connect(id);
    await first.until(({ audio }) => audio.length > 0);
    await listen(id, { after: length });
    const readBefore = reads();
    await pause(500);
    expect(reads() - readBefore).toBeLessThan(length / 4);
  });

  it("reads only what its client has not", async () => {
    const id = await create({ text: LONG_TEXT.slice(0, 600) });
    const { length } = (await listen(id, { acks: true })).audio;
    const reads = countReads();
    await listen(id, { after: length });
    expect(reads()).toBe(0);
    await listen(id, { after: length - 3 });
    expect(reads()).toBe(3);
  });
});

describe("a session of which a row is lost", () => {
  async function whole(): Promise<{ id: string; heard: Client; row: string }> {
    const id = await create({ text: LONG_TEXT.slice(0, 600) });
    const heard = await listen(id, { acks: true });
    const rows = await rowsOf(id);
    expect(rows.length).toBeGreaterThan(3);
    return { id, heard, row: rows[2]! };
  }

  it("is replayed up to it, and ends with an error there: no part of a stream is said to be the whole", async () => {
    const { id, heard, row } = await whole();
    await loseRow(id, row);
    const broken = await connect(id, { acks: true });
    expect(await broken.failure()).toMatchObject({ code: 500, reason: "internal", closeCode: 1011 });
    expect(broken.audio).toEqual(heard.audio.slice(0, firstSeqOf(row) - 1));
    const beyond = await connect(id, { after: firstSeqOf(row) + 1, acks: true });
    expect(await beyond.failure()).toMatchObject({ code: 500, reason: "internal", closeCode: 1011 });
    expect(beyond.audio).toEqual([]);
  });

  it("is no stream that goes on, if it is the last one", async () => {
    const { id, heard } = await whole();
    const rows = await rowsOf(id);
    await loseRow(id, rows.at(-1)!);
    const broken = await connect(id, { acks: true });
    expect(await broken.failure()).toMatchObject({ code: 500, reason: "internal", closeCode: 1011 });
    const last = heard.audio.length;
    const behind = await connect(id, { after: last });
    expect(await behind.failure()).toMatchObject({ code: 500, reason: "internal" });
    expect((await statusOf(id)).final).toEqual(heard.finals[0]);
    for (const row of rows) await loseRow(id, row);
    expect(await (await connect(id)).failure()).toMatchObject({ code: 500, reason: "internal" });
  });

  it("stays as it ended, and the rest of it can still be heard", async () => {
    const { id, heard, row } = await whole();
    const before = await statusOf(id);
    await loseRow(id, row);
    await (await connect(id, { acks: true })).failure();
    expect(await statusOf(id)).toEqual(before);
    const last = firstSeqOf((await rowsOf(id)).at(-1)!) - 1;
    const rest = await listen(id, { after: last, acks: true });
    expect([rest.audio, rest.finals]).toEqual([heard.audio.slice(last), heard.finals]);
  });

  it("while it streams, fails: its client could never have the whole", async () => {
    const id = await create({ text: LONG_TEXT });
    const client = await connect(id);
    client.say({ type: "ack", seq: 0 });
    await client.until(({ audio }) => audio.length > 60);
    client.leave();
    await client.closed;
    const row = (await rowsOf(id))[1]!;
    await loseRow(id, row);
    const again = await connect(id, { acks: true });
    expect(await again.failure()).toMatchObject({ code: 500, reason: "internal", closeCode: 1011 });
    expect(again.audio).toHaveLength(firstSeqOf(row) - 1);
    expect(await statusOf(id)).toMatchObject({ state: "failed", final: { reason: "internal" } });
  });
});
