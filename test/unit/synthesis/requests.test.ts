import { describe, expect, it } from "vitest";
import { FORMATS } from "../../../protocol/formats.ts";
import type { Catalog } from "../../../worker/providers/provider.ts";
import {
  afterSchema,
  clientMessageSchema,
  createSessionSchema,
  voicesQuerySchema,
} from "../../../worker/api/native/schemas.ts";
import { listed, toSpeechRequest } from "../../../worker/synthesis/speech-request.ts";

const schema = createSessionSchema(1_000);
const body = { provider: "p", voice: "anna", text: "Hello" };
const parsed = (more: object) => schema.parse({ ...body, ...more });

/** The first problem as "field: message", as the client reads it. */
function problem(more: object): string {
  const result = schema.safeParse({ ...body, ...more });
  const issue = result.error?.issues[0];
  return issue ? `${issue.path.join(".")}: ${issue.message}` : "none";
}

describe("a request", () => {
  it("needs only provider, voice and text", () => {
    expect(schema.parse(body)).toEqual({ ...body, target_format: "pcm16" });
  });

  it("may say null for what it does not give, and may hold fields that are not known", () => {
    expect(parsed({ sample_rate_hz: null, language: null, pitch: 7 })).toEqual({
      ...body,
      target_format: "pcm16",
      sample_rate_hz: null,
      language: null,
    });
  });

  it("has its text trimmed and composed", () => {
    expect(parsed({ text: " \n\te\u0301\u00a0\ufeff" }).text).toBe("é");
  });

  it("has half a surrogate pair replaced, which no engine could be sent", () => {
    expect(parsed({ text: "a\ud83db" }).text).toBe("a\ufffdb");
  });

  it("has its language in canonical spelling", () => {
    expect(parsed({ language: " en-us " }).language).toBe("en-US");
  });

  it("takes a text up to the limit, counted after trimming and composing", () => {
    expect(parsed({ text: ` ${"e\u0301".repeat(1_000)} ` }).text).toHaveLength(1_000);
    expect(problem({ text: "a".repeat(1_001) })).toBe("text: has 1001 characters; at most 1000 are allowed");
  });

  it.each([
    ["text", "", "must not be blank"],
    ["text", " \n\u3000", "must not be blank"],
    ["text", 7, "expected string"],
    ["text", null, "expected string"],
    ["provider", "", "Too small"],
    ["provider", "x".repeat(201), "Too big"],
    ["voice", undefined, "expected string"],
    ["target_format", "ogg", FORMATS.map((name) => `"${name}"`).join("|")],
    ["target_format", "MP3", FORMATS.map((name) => `"${name}"`).join("|")],
    ["fallback", "q", "expected array"],
    ["fallback", Array.from({ length: 5 }, () => ({ provider: "q", voice: "v" })), "Too big"],
    ["sample_rate_hz", "16000", "expected number"],
    ["sample_rate_hz", 16_000.5, "expected int"],
    ["sample_rate_hz", -1, "Too small"],
    ["sample_rate_hz", 7_999, "7999 is not possible for pcm16; it takes a whole number of Hz from 8000 to 48000"],
    ["language", "english!", '"english!" is no BCP 47 tag'],
    ["language", 7, "expected string"],
  ])("with %s = %j is told what is allowed", (field, value, message) => {
    expect(problem({ [field]: value })).toMatch(new RegExp(`^${field}: `));
    expect(problem({ [field]: value })).toContain(message);
  });

  it("is judged by the rates of its own format", () => {
    expect(problem({ target_format: "mp3", sample_rate_hz: 22_051 })).toContain("sample_rate_hz: 22051");
    expect(problem({ target_format: "mp3", sample_rate_hz: 22_051 })).toContain("one of 8000, 11025");
    expect(problem({ target_format: "opus", sample_rate_hz: 22_051 })).toBe("none");
    expect(problem({ target_format: "wav", sample_rate_hz: 48_001 })).toContain("for wav");
  });

  it("that is no object is refused", () => {
    for (const value of [null, [], "text", 7, undefined]) expect(schema.safeParse(value).success).toBe(false);
  });
});

describe("a request, judged against its provider", () => {
  const catalog: Catalog = {
    voices: [
      { id: "anna", name: "Anna", languages: ["en-US", "de"] },
      { id: "bo", name: "Bo", languages: ["ja-JP"] },
    ],
    sampleRateHz: 22_050,
    maxChars: 500,
  };
  const judged = (more: object) => toSpeechRequest(parsed(more), [catalog, catalog], "enam");

  it("gets what it does not say from its voice", () => {
    expect(judged({})).toEqual({
      voices: [{ provider: "p", voice: "anna", language: "en-US", rateHz: 22_050 }],
      text: "Hello",
      maxChars: 500,
      rateHz: 22_050,
      format: "pcm16",
      sampleRateHz: 22_050,
      region: "enam",
    });
    expect(judged({ language: null, sample_rate_hz: null })).toEqual(judged({}));
  });

  it("keeps the rate it asks for, and else has one its format can have", () => {
    expect(judged({ sample_rate_hz: 8_000 }).sampleRateHz).toBe(8_000);
    const odd = { ...catalog, sampleRateHz: 23_000 };
    expect(toSpeechRequest(parsed({ target_format: "mp3" }), [odd], "enam").sampleRateHz).toBe(22_050);
  });

  it("may name its language with or without a region", () => {
    for (const language of ["en", "en-US", "EN-us", "de", "de-AT"])
      expect(judged({ language }).voices[0].language).toMatch(/^(en|de)/);
  });

  it.each([
    [{ voice: "eve" }, "voice", 'voice: provider p has no voice "eve"; it has anna, bo'],
    [{ voice: "Anna" }, "voice", 'voice: provider p has no voice "Anna"; it has anna, bo'],
    [{ language: "en-GB" }, "language", "language: voice anna does not speak en-GB; it speaks en-US, de"],
    [{ voice: "bo", language: "en" }, "language", "language: voice bo does not speak en; it speaks ja-JP"],
  ])("%j is told what is allowed", (more, field, message) => {
    expect(() => judged(more)).toThrow(message);
    expect(() => judged(more)).toThrow(
      expect.objectContaining({ failure: expect.objectContaining({ field, reason: "invalid_request" }) as unknown }),
    );
  });

  const fallback = [{ provider: "q", voice: "anna" }];

  it("may name voices that take over, each at its own rate; the text is cut for all of them", () => {
    const other = {
      voices: [{ id: "anna", name: "", languages: ["de-AT"] as const }],
      sampleRateHz: 16_000,
      maxChars: 99,
    };
    const { voices, maxChars, sampleRateHz } = toSpeechRequest(parsed({ fallback }), [catalog, other], "enam");
    expect(voices[1]).toEqual({ provider: "q", voice: "anna", language: "de-AT", rateHz: 16_000 });
    expect([maxChars, sampleRateHz]).toEqual([99, 22_050]);
  });

  it.each([
    [{ fallback: [{ provider: "q", voice: "eve" }] }, "fallback.0.voice", "has no voice"],
    [{ fallback: [{ provider: "q", voice: "bo" }], language: "en" }, "fallback.0.voice", "does not speak en"],
  ])("%j is told which voice is wrong", (more, field, message) => {
    expect(() => judged(more)).toThrow(message);
    expect(() => judged(more)).toThrow(
      expect.objectContaining({ failure: expect.objectContaining({ field }) as unknown }),
    );
  });

  it("takes a voice on trust whose provider has never answered, where another is known", () => {
    const request = toSpeechRequest(parsed({ fallback }), [undefined, catalog], "enam");
    expect(request.voices).toEqual([
      { provider: "p", voice: "anna" },
      { provider: "q", voice: "anna", language: "en-US", rateHz: 22_050 },
    ]);
    expect(request.rateHz).toBe(22_050);
  });

  it("lists no more than twenty of what is allowed", () => {
    expect(listed(Array.from({ length: 23 }, (_, i) => String(i)))).toMatch(/^0, 1, .*, 19 and 3 more$/);
  });
});

describe("other things clients send", () => {
  it("after is a whole number", () => {
    for (const [value, seq] of [
      ["0", 0],
      ["007", 7],
      ["999999999999999", 999_999_999_999_999],
    ] as const) {
      expect(afterSchema.parse(value)).toBe(seq);
    }
    for (const value of ["", "-1", "1.5", "1e3", " 1", "x", "NaN", "9".repeat(16)]) {
      expect(afterSchema.safeParse(value).success).toBe(false);
    }
  });

  it("messages are acks and cancels", () => {
    expect(clientMessageSchema.parse({ type: "ack", seq: 3, more: 1 })).toEqual({ type: "ack", seq: 3 });
    expect(clientMessageSchema.parse({ type: "cancel" })).toEqual({ type: "cancel" });
    for (const value of [
      {},
      null,
      [],
      { type: "ack" },
      { type: "ack", seq: -1 },
      { type: "ack", seq: "1" },
      { type: "ping" },
    ]) {
      expect(clientMessageSchema.safeParse(value).success).toBe(false);
    }
  });

  it("voices may be asked for by provider and language", () => {
    expect(voicesQuerySchema.parse({ language: "en_us", other: "x" })).toEqual({ language: "en-US" });
    expect(voicesQuerySchema.safeParse({ language: "!" }).success).toBe(false);
  });
});
