import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeEnvelopes,
  encodeAudio,
  encodeEnd,
  encodeEvent,
  EnvelopeDecoder,
  EnvelopeError,
  MAX_PAYLOAD_BYTES,
  type Envelope,
} from "../../../protocol/envelope.ts";
import { collect, concat, cutAt, each } from "../bytes.ts";

const u32 = fc.nat(0xffff_ffff);
const anyEnvelope: fc.Arbitrary<Exclude<Envelope, { type: "end" }>> = fc.oneof(
  fc.record({ type: fc.constant("audio" as const), samples: u32, data: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({
    type: fc.constant("event" as const),
    event: fc.oneof(
      fc.record({ type: fc.constant("format" as const), sample_rate: fc.integer({ min: 1, max: 400_000 }) }),
      fc.record({ type: fc.constant("format" as const), sample_rate: fc.constant(48_000), delay: fc.nat() }),
      fc.record({ type: fc.constant("word" as const), start: fc.nat(), length: fc.nat(), sample: fc.maxSafeNat() }),
    ),
  }),
);
const anyEnd: fc.Arbitrary<Extract<Envelope, { type: "end" }>> = fc.oneof(
  fc.constant({ type: "end" as const }),
  fc.record({
    type: fc.constant("end" as const),
    error: fc.record({ reason: fc.string(), message: fc.string({ unit: "grapheme" }), retryable: fc.boolean() }),
  }),
);

function encode(envelope: Envelope): Uint8Array {
  if (envelope.type === "audio") return encodeAudio(envelope.samples, envelope.data);
  return envelope.type === "event" ? encodeEvent(envelope.event) : encodeEnd(envelope.error);
}

function raw(flags: number, payload: Uint8Array | string, length?: number): Uint8Array {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const head = new Uint8Array(5);
  head[0] = flags;
  new DataView(head.buffer).setUint32(1, length ?? bytes.length);
  return concat([head, bytes]);
}

const decode = (...chunks: Uint8Array[]) => collect(decodeEnvelopes(each(chunks)));

describe("a stream of envelopes", () => {
  it("comes out as it went in, however its bytes are cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyEnvelope, { maxLength: 20 }),
        anyEnd,
        fc.array(fc.nat()),
        async (some, end, cuts) => {
          const envelopes = [...some, end];
          const chunks = cutAt(concat(envelopes.map(encode)), cuts);
          expect(await decode(...chunks)).toEqual(envelopes);
        },
      ),
    );
  });

  it("comes out byte by byte too, each envelope as soon as it is whole", () => {
    const decoder = new EnvelopeDecoder();
    const bytes = encodeAudio(1, Uint8Array.of(7, 8));
    const completed = [...bytes].map((byte) => [...decoder.push(Uint8Array.of(byte))].length);
    expect(completed).toEqual([...bytes.slice(1).map(() => 0), 1]);
  });

  it("keeps what it gave out when more bytes come", () => {
    const decoder = new EnvelopeDecoder();
    const bytes = concat([encodeAudio(1, Uint8Array.of(1, 2)), encodeAudio(1, Uint8Array.of(3, 4))]);
    const given = [...decoder.push(bytes.slice(0, 14)), ...decoder.push(bytes.slice(14))];
    expect(given).toMatchObject([{ data: Uint8Array.of(1, 2) }, { data: Uint8Array.of(3, 4) }]);
  });

  it("is complete only with its end envelope, wherever it was cut", async () => {
    const whole = concat([encodeEvent({ type: "format", sample_rate: 16_000 }), encodeAudio(2, new Uint8Array(4))]);
    for (let length = 0; length <= whole.length; length++) {
      await expect(decode(whole.subarray(0, length))).rejects.toThrow("cut off before its end");
    }
    await expect(decode(whole, encodeEnd().subarray(0, 6))).rejects.toThrow("cut off before its end");
    expect(await decode(whole, encodeEnd())).toHaveLength(3);
  });

  it("has nothing behind its end, not even half a header", async () => {
    await expect(decode(concat([encodeEnd(), Uint8Array.of(0)]))).rejects.toThrow("bytes follow the end");
    await expect(decode(encodeEnd(), encodeEnd())).rejects.toThrow("bytes follow the end");
    expect(await decode(encodeEnd(), new Uint8Array(0))).toEqual([{ type: "end" }]);
  });

  it("may hold events that are not known yet: they are passed over", async () => {
    const unknown = raw(1, '{"type":"viseme","id":3}');
    expect(await decode(unknown, encodeAudio(0, new Uint8Array(0)), unknown, encodeEnd())).toHaveLength(2);
  });

  it("is broken by unknown flags", async () => {
    for (const flags of [3, 4, 0x80, 0xff]) {
      const shown = `0x${flags.toString(16).padStart(2, "0")}`;
      await expect(decode(raw(flags, "{}"))).rejects.toThrow(`unknown envelope flags ${shown}`);
    }
  });

  it("is broken by a payload over the limit, before the payload came", () => {
    const decoder = new EnvelopeDecoder();
    expect(() => [...decoder.push(raw(0, "", MAX_PAYLOAD_BYTES + 1))]).toThrow(EnvelopeError);
    expect([...new EnvelopeDecoder().push(raw(0, new Uint8Array(MAX_PAYLOAD_BYTES)))]).toHaveLength(1);
  });

  it.each([
    ["JSON that does not parse", raw(1, "{")],
    ["bytes that are no UTF-8", raw(1, Uint8Array.of(0x22, 0xff, 0x22))],
    ["JSON that is no object", raw(1, "7")],
    ["JSON null", raw(2, "null")],
    ["an audio envelope without its sample count", raw(0, Uint8Array.of(0, 0, 0))],
    ["a format without a rate", raw(1, '{"type":"format"}')],
    ["a rate of 0", raw(1, '{"type":"format","sample_rate":0}')],
    ["a rate that is no whole number", raw(1, '{"type":"format","sample_rate":22050.5}')],
    ["a rate in quotes", raw(1, '{"type":"format","sample_rate":"22050"}')],
    ["a word before the text's start", raw(1, '{"type":"word","start":-1,"length":2,"sample":0}')],
    ["a word without its sample", raw(1, '{"type":"word","start":1,"length":2}')],
    ["an error without a reason", raw(2, '{"error":{"message":"x"}}')],
    ["an error that is null", raw(2, '{"error":null}')],
  ])("is broken by %s", async (_, bytes) => {
    await expect(decode(bytes, encodeEnd())).rejects.toThrow(EnvelopeError);
  });

  it("ends with an error whose message and retryable may be missing", async () => {
    expect(await decode(raw(2, '{"error":{"reason":"oops","detail":1}}'))).toEqual([
      { type: "end", error: { reason: "oops", message: "oops", retryable: false } },
    ]);
  });

  it("never decodes random bytes into anything but envelopes or an EnvelopeError", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 })), async (chunks) => {
        const failure: unknown = await decode(...chunks).catch((error: unknown) => error);
        expect(Array.isArray(failure) || failure instanceof EnvelopeError).toBe(true);
      }),
    );
  });
});

describe("encoding", () => {
  it("refuses a payload over the limit", () => {
    expect(encodeAudio(0, new Uint8Array(MAX_PAYLOAD_BYTES - 4))).toHaveLength(MAX_PAYLOAD_BYTES + 5);
    expect(() => encodeAudio(0, new Uint8Array(MAX_PAYLOAD_BYTES - 3))).toThrow(RangeError);
  });

  it("lays the bytes out as documented", () => {
    expect([...encodeAudio(258, Uint8Array.of(9, 8))]).toEqual([0, 0, 0, 0, 6, 0, 0, 1, 2, 9, 8]);
    expect([...encodeEnd()]).toEqual([2, 0, 0, 0, 2, 0x7b, 0x7d]);
  });
});
