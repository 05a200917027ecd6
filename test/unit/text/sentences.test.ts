import { describe, expect, it } from "vitest";
import { texts } from "./any-text.ts";

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
    ["Plan A.\n\nPlan B.", ["Plan A.", "Plan B."]],
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

describe("tiny sentences", () => {
  it("stand alone in dialogue and prose", () => {
    const dialogue = [
      "Yes.",
      "No!",
      "Why?",
      "I see.",
      "Go on.",
      "She looked at him for quite some time.",
      "Well.",
      "So?",
    ];
    expect(texts(dialogue.join(" "))).toEqual(dialogue);
    const prose = Array.from({ length: 500 }, () => ["It rained.", "The people of the village stayed at home."]).flat();
    expect(texts(prose.join(" "))).toEqual(prose);
  });

  it("are joined where there are many", () => {
    const pieces = texts("Go. ".repeat(200));
    for (const piece of pieces.slice(8, -1)) expect(piece).toMatch(/^Go\.( Go\.){2,5}$/);
  });

  it("are joined with a space where a line is only wrapped, with the line breaks where a paragraph ends", () => {
    expect(texts("Go\non. ".repeat(50))[20]).toMatch(/^Go on\. Go on\./);
    expect(texts("ab\n\n".repeat(100))[20]).toMatch(/^ab\n\nab\n\n/);
  });
});
