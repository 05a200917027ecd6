import { describe, expect, it } from "vitest";
import { FORMATS } from "../../../../protocol/formats.ts";
import { failureOf } from "../../../../worker/base/errors.ts";
import { createSessionSchema, parse, voicesQuerySchema } from "../../../../worker/api/native/schemas.ts";

const schema = createSessionSchema(1_000);
const body = { provider: "p", voice: "anna", text: "Hello" };
const parsed = (more: object) => schema.parse({ ...body, ...more });

/** The first problem of a body, as the client reads it. */
function refusal(value: unknown): string {
  try {
    parse(schema, value);
    return "none";
  } catch (error) {
    return failureOf(error).message;
  }
}

const problem = (more: object) => refusal({ ...body, ...more });

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
    ["text", 7, "must be a string"],
    ["text", null, "is required"],
    ["provider", "", "must not be empty"],
    ["provider", "x".repeat(201), "may have at most 200 characters"],
    ["voice", undefined, "is required"],
    ["target_format", "ogg", `must be one of ${FORMATS.join(", ")}`],
    ["target_format", "MP3", `must be one of ${FORMATS.join(", ")}`],
    ["fallback", "q", "must be a list"],
    ["fallback", Array.from({ length: 5 }, () => ({ provider: "q", voice: "v" })), "may have at most 4 entries"],
    ["fallback", [7], "must be a JSON object"],
    ["fallback", [{ provider: "q" }], "is required"],
    ["sample_rate_hz", "16000", "must be a number"],
    ["sample_rate_hz", 16_000.5, "16000.5 is not possible for pcm16; it takes a whole number of Hz from 8000 to 48000"],
    ["sample_rate_hz", 1e30, "1e+30 is not possible"],
    ["sample_rate_hz", -1, "-1 is not possible"],
    ["sample_rate_hz", 7_999, "7999 is not possible for pcm16; it takes a whole number of Hz from 8000 to 48000"],
    ["language", "english!", '"english!" is no BCP 47 tag'],
    ["language", 7, "must be a string"],
    ["language", "", "must not be empty"],
  ])("with %s = %j is told what is allowed", (field, value, message) => {
    expect(problem({ [field]: value })).toMatch(new RegExp(`^${field}(\\.\\d.*)?: `));
    expect(problem({ [field]: value })).toContain(`: ${message}`);
  });

  it("is judged by the rates of its own format", () => {
    expect(problem({ target_format: "mp3", sample_rate_hz: 22_051 })).toContain("sample_rate_hz: 22051");
    expect(problem({ target_format: "mp3", sample_rate_hz: 22_051 })).toContain("one of 8000, 11025");
    expect(problem({ target_format: "opus", sample_rate_hz: 22_051 })).toBe("none");
    expect(problem({ target_format: "wav", sample_rate_hz: 48_001 })).toContain("for wav");
  });

  it("that is no object is refused", () => {
    for (const value of [[], "text", 7]) expect(refusal(value)).toBe("the body must be a JSON object");
    expect(refusal(null)).toBe("the body is required");
  });
});

describe("a query for voices", () => {
  it("may name a provider and a language", () => {
    expect(voicesQuerySchema.parse({ language: "en_us", other: "x" })).toEqual({ language: "en-US" });
    expect(voicesQuerySchema.safeParse({ language: "!" }).success).toBe(false);
  });
});
