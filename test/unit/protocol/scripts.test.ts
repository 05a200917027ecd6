import { expect, it } from "vitest";
import { isScript, readsAnything, unreadLetters } from "../../../protocol/scripts.ts";

const JAPANESE = ["Latn", "Hira", "Kana"];

it("knows a script by its four letters, and takes nothing else for one", () => {
  for (const code of ["Latn", "Cyrl", "Hani", "Hira"]) expect(isScript(code)).toBe(true);
  for (const code of ["", "latn", "Latin", "Xxxx", "Latn}", "L"]) expect(isScript(code)).toBe(false);
});

it.each([
  ["東京", false],
  ["東京。", false],
  ["東京へ", true],
  ["東京 2", true],
  ["東京 a", true],
  ["カー", true],
  ["Привет", false],
  ["!?", true],
  ["😀", true],
])("a voice that reads kana and Latin letters has something to read in %s: %s", (text, reads) => {
  expect(readsAnything(text, JAPANESE)).toBe(reads);
});

it("counts the letters that a voice cannot read, whole ones beyond 16 bits too", () => {
  expect(unreadLetters("日本語をはなします。カー, Tokyo 2", JAPANESE)).toBe(3);
  expect(unreadLetters("𠀀e\u0301!", JAPANESE)).toBe(1);
  expect(unreadLetters("こんにちは", JAPANESE)).toBe(0);
});
