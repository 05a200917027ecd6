import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { segmentText } from "../../../worker/text/segmenter.ts";
import { anyLanguage, anyText } from "./any-text.ts";

describe("the number of segments", () => {
  const atMost = (chars: number, maxChars: number) => chars / 20 + (2 * chars) / maxChars + 9;

  it("is bounded by the text's length, whatever is in it", () => {
    const repetitive = fc
      .tuple(anyText, fc.constantFrom("\n", "\n\n", ". ", " "))
      .map(([text, end]) => (text + end).repeat(50));
    fc.assert(
      fc.property(
        fc.oneof(anyText, repetitive),
        anyLanguage,
        fc.integer({ min: 20, max: 200 }),
        (text, language, maxChars) => {
          expect(segmentText(text, language, maxChars).length).toBeLessThanOrEqual(atMost(text.length, maxChars));
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each(["1\n", "1\n\n", "- a\n", "1. ", "a! ", "\u6f22\u3002", "Oh? \n\n"])(
    "is bounded for %j, 100,000 characters of it",
    (unit) => {
      const text = unit.repeat(100_000 / unit.length);
      expect(segmentText(text, "en", 2_000).length).toBeLessThanOrEqual(atMost(text.length, 2_000));
    },
  );
});

describe("100,000 characters", () => {
  const hard: Record<string, string> = {
    "without a space": "a",
    "that are all dots": ".",
    "that are all line breaks": "a\n\n\n\n\n\n\n\n",
    "that are one character to a line": "a\n",
    "that are one character to a paragraph": "a\n\n",
    "of carriage returns": "\r",
    "of list items": "- a\n",
    "of numbers to a line": "1.\n",
    "of indented items": "1) a\n  b\n",
    "of dots on lines": ".\n",
    "of families": "👨‍👩‍👧",
    "of initials": "A. ",
    "of titles": "Dr. ",
    "of dotted letters": "a.a.",
    "of commas": ",",
    "of clauses": "a, ",
    "of quotes": ",'\"",
    "of ideographs": "漢，",
    "of flags": "🇩🇪",
    "of sentences": "Hello there, you. ",
  };
  it.each(Object.entries(hard))("%s are segmented in linear time", (_, unit) => {
    const text = unit.repeat(Math.floor(100_000 / unit.length)).trim();
    const started = performance.now();
    segmentText(text, "en", 2_000);
    segmentText(text, "en", 200);
    expect(performance.now() - started).toBeLessThan(1_500);
  });

  it.each([
    ["of marks on one letter", `e${"\u0301".repeat(99_999)}`],
    ["between two letters, all white space", `a${"\n".repeat(99_998)}b`],
  ])("%s are segmented in linear time", (_, text) => {
    const started = performance.now();
    segmentText(text, "en", 2_000);
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});
