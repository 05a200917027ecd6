import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { segmentText, segmentsFrom } from "../../../worker/text/segmenter.ts";
import { anyLanguage, anyText, asSpaces, bare, texts } from "./any-text.ts";

describe("segments of any text", () => {
  it("stand where they say", () => {
    fc.assert(
      fc.property(anyText, anyLanguage, fc.integer({ min: 1, max: 60 }), (text, language, maxChars) => {
        let end = 0;
        for (const { text: piece, start } of segmentText(text, language, maxChars)) {
          expect(start).toBeGreaterThanOrEqual(end);
          expect(asSpaces(piece)).toBe(asSpaces(text.slice(start, start + piece.length)));
          end = start + piece.length;
        }
      }),
      { numRuns: 300 },
    );
  });

  it("put together are the text, but for white space", () => {
    fc.assert(
      fc.property(anyText, anyLanguage, (text, language) => {
        expect(bare(texts(text, language).join(""))).toBe(bare(text));
      }),
      { numRuns: 300 },
    );
  });

  it("leave nothing out but what has no letter or digit, however short they must be", () => {
    fc.assert(
      fc.property(anyText, anyLanguage, fc.integer({ min: 4, max: 60 }), (text, language, maxChars) => {
        let end = 0;
        for (const { text: piece, start } of segmentText(text, language, maxChars)) {
          expect(text.slice(end, start)).not.toMatch(/[\p{L}\p{N}]/u);
          end = start + piece.length;
        }
        expect(text.slice(end)).not.toMatch(/[\p{L}\p{N}]/u);
      }),
      { numRuns: 300 },
    );
  });

  it("are trimmed, not blank, and never longer than the engine takes", () => {
    fc.assert(
      fc.property(anyText, anyLanguage, fc.integer({ min: 1, max: 60 }), (text, language, maxChars) => {
        const pieces = texts(text, language, maxChars);
        expect(pieces.length).toBeGreaterThan(0);
        for (const piece of pieces) {
          expect(piece).toBe(piece.trim());
          expect(piece.length).toBeGreaterThan(0);
          expect(piece.length).toBeLessThanOrEqual(maxChars);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("never hold half a surrogate pair", () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 2, max: 60 }), (text, maxChars) => {
        for (const piece of texts(text, "en", maxChars)) expect(piece.isWellFormed()).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("have a letter or a digit each, unless the text has none", () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 2, max: 60 }), (text, maxChars) => {
        if (!/[\p{L}\p{N}]/u.test(text)) return;
        for (const piece of texts(text, "en", maxChars)) expect(piece).toMatch(/[\p{L}\p{N}]/u);
      }),
      { numRuns: 300 },
    );
  });

  it("do not cut a character that fits", () => {
    const family = "👨‍👩‍👧‍👦";
    for (let maxChars = family.length; maxChars < 3 * family.length; maxChars++) {
      const pieces = texts(`a${family.repeat(9)}`, "en", maxChars);
      for (const piece of pieces) expect(piece.replace("a", "").length % family.length).toBe(0);
    }
    expect(texts("e\u0301".repeat(7), "en", 3)).toEqual(Array.from({ length: 7 }, () => "e\u0301"));
  });
});

describe("the rest of a text", () => {
  const starts = (text: string, language: string, maxChars: number) =>
    segmentText(text, language, maxChars).map((segment) => segment.start);

  it("from where a segment starts has the segments that the whole text has from there", () => {
    fc.assert(
      fc.property(
        anyText,
        anyLanguage,
        fc.integer({ min: 1, max: 60 }),
        fc.nat(),
        (text, language, maxChars, which) => {
          const whole = segmentText(text, language, maxChars);
          const from = which % whole.length;
          expect(segmentsFrom(text, language, maxChars, whole[from]!.start)).toEqual(whole.slice(from));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("begins where it is told, and leaves nothing out, although the text is cut elsewhere now", () => {
    fc.assert(
      fc.property(
        anyText,
        fc.integer({ min: 4, max: 60 }),
        fc.integer({ min: 4, max: 60 }),
        fc.nat(),
        (text, then, now, which) => {
          const before = starts(text, "en", then);
          let end = before[which % before.length]!;
          for (const { text: piece, start } of segmentsFrom(text, "en", now, end)) {
            expect(start).toBeGreaterThanOrEqual(end);
            expect(text.slice(end, start)).not.toMatch(/[\p{L}\p{N}]/u);
            expect(asSpaces(piece)).toBe(asSpaces(text.slice(start, start + piece.length)));
            expect(piece).toBe(piece.trim());
            end = start + piece.length;
          }
          expect(text.slice(end)).not.toMatch(/[\p{L}\p{N}]/u);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("goes on in the middle of a segment", () => {
    expect(segmentsFrom("One two. Three four. Five.", "en", 200, 13)).toEqual([
      { text: "e four.", start: 13 },
      { text: "Five.", start: 21 },
    ]);
  });

  it("is nothing behind the last word", () => {
    expect(segmentsFrom("One. Two.", "en", 200, 8)).toEqual([]);
    expect(segmentsFrom("One. Two.", "en", 200, 9)).toEqual([]);
  });
});

describe("a sentence over the engine's limit", () => {
  it("is cut after a clause, else after a word, else between characters", () => {
    expect(texts("one two three, four five six seven", "en", 20)).toEqual(["one two three,", "four five six seven"]);
    expect(texts("one two three four five six", "en", 12)).toEqual(["one two", "three four", "five six"]);
    expect(texts("abcdefghij", "en", 4).join("")).toBe("abcdefghij");
  });

  it("does not make an engine speak a run of dots", () => {
    expect(texts(`Wait${".".repeat(500)} what`, "en", 50).every((piece) => /\w/.test(piece))).toBe(true);
  });
});
