import { describe, expect, it } from "vitest";
import type { Catalog } from "../../../worker/providers/provider.ts";
import { listed, toSpeechRequest, type SpeechAsked } from "../../../worker/synthesis/speech-request.ts";

const asked: SpeechAsked = {
  voices: [{ provider: "p", voice: "anna" }],
  text: "Hello",
  format: "pcm16",
  sampleRateHz: undefined,
  language: undefined,
};

describe("a request, judged against its provider", () => {
  const catalog: Catalog = {
    voices: [
      { id: "anna", name: "Anna", languages: ["en-US", "de"] },
      { id: "bo", name: "Bo", languages: ["ja-JP"] },
    ],
    sampleRateHz: 22_050,
    maxChars: 500,
  };
  const judged = (more: Partial<SpeechAsked>) => toSpeechRequest({ ...asked, ...more }, [catalog, catalog], "enam");

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
  });

  it("keeps the rate it asks for, and else has one its format can have", () => {
    expect(judged({ sampleRateHz: 8_000 }).sampleRateHz).toBe(8_000);
    const odd = { ...catalog, sampleRateHz: 23_000 };
    expect(toSpeechRequest({ ...asked, format: "mp3" }, [odd], "enam").sampleRateHz).toBe(22_050);
  });

  it("may name its language with or without a region", () => {
    for (const language of ["en", "en-US", "de", "de-AT"])
      expect(judged({ language }).voices[0].language).toMatch(/^(en|de)/);
  });

  it.each([
    [{ voices: [{ provider: "p", voice: "eve" }] }, "voice", 'voice: provider p has no voice "eve"; it has anna, bo'],
    [{ voices: [{ provider: "p", voice: "Anna" }] }, "voice", 'voice: provider p has no voice "Anna"; it has anna, bo'],
    [{ language: "en-GB" }, "language", "language: voice anna does not speak en-GB; it speaks en-US, de"],
    [
      { voices: [{ provider: "p", voice: "bo" }], language: "en" },
      "language",
      "language: voice bo does not speak en; it speaks ja-JP",
    ],
  ])("%j is told what is allowed", (more, field, message) => {
    expect(() => judged(more)).toThrow(message);
    expect(() => judged(more)).toThrow(
      expect.objectContaining({ failure: expect.objectContaining({ field, reason: "invalid_request" }) as unknown }),
    );
  });

  const anna = { provider: "p", voice: "anna" };
  const voices = [anna, { provider: "q", voice: "anna" }];

  it("may name voices that take over, each at its own rate; the text is cut for all of them", () => {
    const other = {
      voices: [{ id: "anna", name: "", languages: ["de-AT"] as const }],
      sampleRateHz: 16_000,
      maxChars: 99,
    };
    const request = toSpeechRequest({ ...asked, voices }, [catalog, other], "enam");
    expect(request.voices[1]).toEqual({ provider: "q", voice: "anna", language: "de-AT", rateHz: 16_000 });
    expect([request.maxChars, request.sampleRateHz]).toEqual([99, 22_050]);
  });

  it.each([
    [{ voices: [anna, { provider: "q", voice: "eve" }] }, "fallback.0.voice", "has no voice"],
    [{ voices: [anna, { provider: "q", voice: "bo" }], language: "en" }, "fallback.0.voice", "does not speak en"],
  ])("%j is told which voice is wrong", (more, field, message) => {
    expect(() => judged(more)).toThrow(message);
    expect(() => judged(more)).toThrow(
      expect.objectContaining({ failure: expect.objectContaining({ field }) as unknown }),
    );
  });

  it("is refused when its voice can read nothing of the text, and taken when it can read some of it", () => {
    const kana = { id: "anna", name: "", languages: ["ja-JP"] as const, scripts: ["Hira", "Kana", "Latn"] };
    const reading = (text: string, catalogs: Catalog[]) =>
      toSpeechRequest({ ...asked, voices, text }, catalogs, "enam");
    const japanese = { ...catalog, voices: [kana] };
    const message = "voice anna cannot read it; it reads the scripts Hira, Kana, Latn";
    expect(() => reading("東京", [japanese, catalog])).toThrow(`text: ${message}`);
    expect(() => reading("東京", [catalog, japanese])).toThrow(`fallback.0.voice: ${message}`);
    expect(() => reading("東京", [japanese, catalog])).toThrow(
      expect.objectContaining({ failure: expect.objectContaining({ reason: "nothing_to_speak" }) as unknown }),
    );
    expect(reading("東京へいく", [japanese, catalog]).text).toBe("東京へいく");
    expect(reading("東京", [catalog, catalog]).text, "of a voice that has not said what it reads").toBe("東京");
  });

  it("takes a voice on trust whose provider has never answered, where another is known", () => {
    const request = toSpeechRequest({ ...asked, voices }, [undefined, catalog], "enam");
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
