import { describe, expect, it } from "vitest";
import { texts } from "./any-text.ts";

describe("a line break", () => {
  it.each([
    ["It was a cold\nnight in\nthe city.\nNobody slept.", ["It was a cold night in the city.", "Nobody slept."]],
    ["A cold\r\nnight", ["A cold  night"]],
    ["He asked Dr.\nSmith, e.g.\nfor help.", ["He asked Dr. Smith, e.g. for help."]],
    [
      "She moved at the age of\n12. Then to Paris\nfor good.",
      ["She moved at the age of 12.", "Then to Paris for good."],
    ],
  ])("in mid-sentence is a space: %j", (text, expected) => {
    expect(texts(text)).toEqual(expected);
  });

  it.each([
    ["A title\n\nThe first line\nof two", ["A title", "The first line of two"]],
    ["A title\r\n \t\r\nA paragraph", ["A title", "A paragraph"]],
    ["One\u2029Two", ["One", "Two"]],
    ["no full stop\n\n\nnew start", ["no full stop", "new start"]],
  ])("ends a sentence at an empty line: %j", (text, expected) => {
    expect(texts(text)).toEqual(expected);
  });

  it.each([
    ["- one\n- two", ["- one", "- two"]],
    ["To buy:\n* milk\n\u2022 eggs\nNothing\nelse", ["To buy:", "* milk", "\u2022 eggs", "Nothing else"]],
    ["Do\n1. rise\n2. shine", ["Do", "1. rise", "2. shine"]],
    ["a) tea\nb) coffee", ["a) tea", "b) coffee"]],
    ["8) tea\n\n9) coffee", ["8) tea", "9) coffee"]],
    ["1) a long\n   item\n2) a short one", ["1) a long    item", "2) a short one"]],
    ["1. a long\nitem\n2. a short one", ["1. a long", "item", "2. a short one"]],
  ])("ends an item of a list: %j", (text, expected) => {
    expect(texts(text)).toEqual(expected);
  });
});
