import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { segmentText } from "../../../worker/text/segmenter.ts";

const texts = (text: string, language = "en", maxChars = 2_000) =>
  segmentText(text, language, maxChars).map((segment) => segment.text);

const bare = (text: string) => text.replaceAll(/\s/gu, "");

/** Texts made of what makes segmenting hard. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 12 }),
      fc.constantFrom(". ", ", ", "! ", "?", "\n", "\r\n", " ", "Dr. ", "A. ", "e.g. ", "3.14", "…", "“Yes!” ", "—"),
      fc.constantFrom(
        "漢字。",
        "、",
        "नमस्ते। ",
        "مرحبا؟ ",
        "👨‍👩‍👧‍👦",
        "🇩🇪",
        "e\u0301\u0323",
        "https://a.example/b.c?d=e ",
        "word",
      ),
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join("").trim().toWellFormed())
  .filter((text) => text.length > 0);

const anyLanguage = fc.constantFrom("en", "de-DE", "ja", "hi", "ar");

describe("segments of any text", () => {
  it("stand where they say", () => {
    fc.assert(
      fc.property(anyText, anyLanguage, fc.integer({ min: 1, max: 60 }), (text, language, maxChars) => {
        let end = 0;
        for (const { text: piece, start } of segmentText(text, language, maxChars)) {
          expect(start).toBeGreaterThanOrEqual(end);
          expect(text.slice(start, start + piece.length)).toBe(piece);
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

describe("sentences", () => {
  it.each([
    ["Hello there. How are you? Fine!", ["Hello there.", "How are you?", "Fine!"]],
    ["Dr. Smith went home. He slept.", ["Dr. Smith went home.", "He slept."]],
    ["Use a tool, e.g. Make or i.e. Just.", ["Use a tool, e.g. Make or i.e. Just."]],
    ["It was J. R. R. Tolkien. He wrote.", ["It was J. R. R. Tolkien.", "He wrote."]],
    ["Pi is 3.14 and e is 2.72. Good.", ["Pi is 3.14 and e is 2.72.", "Good."]],
    ["“Stop!” He ran. (Why?) Nobody knew.", ["“Stop!”", "He ran.", "(Why?)", "Nobody knew."]],
    ["Well… maybe. Yes.", ["Well… maybe.", "Yes."]],
    ["See https://example.org/a.b?c=d. Then go.", ["See https://example.org/a.b?c=d.", "Then go."]],
    ["A title\nThe first line\n\nA paragraph", ["A title", "The first line", "A paragraph"]],
    ["Plan A.\nPlan B.", ["Plan A.", "Plan B."]],
    ["- one\n- two", ["- one", "- two"]],
    ["Yes! !!! No.", ["Yes! !!!", "No."]],
    ["... Hello.", ["... Hello."]],
  ])("of %j", (text, expected) => {
    expect(texts(text)).toEqual(expected);
  });

  it.each([
    ["ja", "こんにちは。お元気ですか？はい。", ["こんにちは。", "お元気ですか？", "はい。"]],
    ["ar", "مرحبا بك. كيف حالك؟ بخير.", ["مرحبا بك.", "كيف حالك؟", "بخير."]],
    ["hi", "नमस्ते। आप कैसे हैं? ठीक।", ["नमस्ते।", "आप कैसे हैं?", "ठीक।"]],
    ["de", "Das ist z. B. Herr Dr. Müller. Und Nr. 5.", ["Das ist z. B. Herr Dr. Müller.", "Und Nr. 5."]],
    ["es", "¿Qué tal, Sra. López? ¡Bien!", ["¿Qué tal, Sra. López?", "¡Bien!"]],
  ])("of a text in %s", (language, text, expected) => {
    expect(texts(text, language)).toEqual(expected);
  });

  it("end after a word that only ends like an abbreviation", () => {
    expect(texts("I saw the hiDr. Then I left.")).toEqual(["I saw the hiDr.", "Then I left."]);
  });

  it("of a text without a letter are the text", () => {
    expect(texts("?!")).toEqual(["?!"]);
    expect(texts("😀 😀")).toEqual(["😀 😀"]);
  });
});

describe("a long first sentence", () => {
  const clause = "When the sun came up over the hills,";
  const long = `${clause} ${"the people of the village went out to work, ".repeat(5)}and so on.`;

  it("is split at its first clause, so that sound starts early", () => {
    expect(texts(long)[0]).toBe(clause);
    expect(texts(long)).toHaveLength(2);
  });

  it("is split only where both parts can stand alone", () => {
    expect(texts(`Yes, ${"a word ".repeat(30)}end.`)).toHaveLength(1);
    expect(texts(`${"a word ".repeat(30)}and, end.`)).toHaveLength(1);
    expect(texts(`${"- ".repeat(20)}, ${"a word ".repeat(30)}`)).toHaveLength(1);
  });

  it("is split without spaces where a script has none", () => {
    expect(texts(`${"春は夜明けがよい".repeat(3)}、${"だんだん白くなっていく".repeat(12)}。`, "ja")[0]).toBe(
      `${"春は夜明けがよい".repeat(3)}、`,
    );
  });

  it("is not split inside a number, and a later sentence not at all", () => {
    expect(texts(`It costs exactly 1,000,000 ${"and more ".repeat(20)}`)).toHaveLength(1);
    expect(texts(`Short. ${long}`)).toHaveLength(2);
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

describe("100,000 characters", () => {
  const hard: Record<string, string> = {
    "without a space": "a",
    "that are all dots": ".",
    "that are all line breaks": "a\n\n\n\n\n\n\n\n",
    "that are one character to a line": "a\n",
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
