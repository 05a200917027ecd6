import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutMessages, type Message } from "../../../worker/synthesis/message-cutter.ts";
import type { Packet } from "../../../worker/upstreams/transcoder.ts";
import { collect, concat, countingPcm, each } from "../bytes.ts";

const RATE = 16_000;
const packet = (samples: number, bytes = samples * 2): Packet => ({ samples, data: new Uint8Array(bytes) });
const cut = (packets: Packet[], rate = RATE) => collect(cutMessages(each(packets), rate));
const anyPackets = fc.array(
  fc.record({ samples: fc.integer({ min: 0, max: 4_000 }), data: fc.uint8Array({ minLength: 1, maxLength: 50 }) }),
  { maxLength: 60 },
);

describe("messages", () => {
  it("are numbered from 1 without a hole and hold every byte in order", async () => {
    await fc.assert(
      fc.asyncProperty(anyPackets, async (packets) => {
        const messages = await cut(packets);
        expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, i) => i + 1));
        expect(concat(messages.map(({ data }) => data))).toEqual(concat(packets.map(({ data }) => data)));
      }),
    );
  });

  it("adjoin in time, and their sums are the stream's", async () => {
    await fc.assert(
      fc.asyncProperty(anyPackets, async (packets) => {
        const messages = await cut(packets);
        let before: Pick<Message, "endMs" | "endByte"> = { endMs: 0, endByte: 0 };
        for (const message of messages) {
          expect(message.startMs).toBe(before.endMs);
          expect(message.endByte).toBe(before.endByte + message.data.length);
          before = message;
        }
        const samples = packets.reduce((sum, one) => sum + one.samples, 0);
        expect(before.endMs).toBe(Math.round((samples / RATE) * 1000));
      }),
    );
  });

  it("do not depend on when their packets come", async () => {
    const packets = Array.from({ length: 40 }, (_, i) => ({ samples: 320, data: countingPcm(320, i * 320) }));
    async function* slowly() {
      for (const one of packets) {
        if (one.samples % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        yield one;
      }
    }
    expect(await collect(cutMessages(slowly(), RATE))).toEqual(await cut(packets));
  });

  it("begin with the first packet that has sound, with the header before it", async () => {
    const [first, second] = await cut([packet(0, 44), packet(320), packet(320), packet(320)]);
    expect(first).toMatchObject({ seq: 1, startMs: 0, endMs: 20 });
    expect(first!.data).toHaveLength(44 + 640);
    expect(second).toMatchObject({ seq: 2, startMs: 20, endMs: 60 });
  });

  it("leave before the packet after them was asked for", async () => {
    let asked = 0;
    async function* counted() {
      for (const one of [packet(320), packet(1_600), packet(1_600)]) {
        asked++;
        yield one;
      }
      await new Promise(() => {}); // an engine that goes on thinking
    }
    const messages = cutMessages(counted(), RATE);
    await messages.next();
    expect(asked).toBe(1);
    await messages.next();
    expect(asked).toBe(2);
  });

  it("have 100 ms each after the first one, the last one what is left", async () => {
    const messages = await cut(Array.from({ length: 13 }, () => packet(320)));
    expect(messages.map(({ startMs, endMs }) => endMs - startMs)).toEqual([20, 100, 100, 40]);
  });

  it("are as long as their packets where those are longer", async () => {
    expect((await cut([packet(32_000), packet(32_000)])).map(({ endMs }) => endMs)).toEqual([2_000, 4_000]);
  });

  it("have times that do not drift at a rate no millisecond divides", async () => {
    const messages = await cut(
      Array.from({ length: 11_025 }, () => packet(220, 1)),
      11_025,
    );
    expect(messages.at(-1)!.endMs).toBe(220_000);
  });

  it("are none for no packets, and one for a lone header", async () => {
    expect(await cut([])).toEqual([]);
    expect(await cut([packet(0, 44)])).toMatchObject([{ seq: 1, startMs: 0, endMs: 0, endByte: 44 }]);
  });
});
