import { expect, it } from "vitest";
import { languagesMatch } from "../../../protocol/language.ts";
import { canonicalTag } from "../../../worker/base/language.ts";

it("a language has one spelling", () => {
  const spellings = { "en-us": "en-US", EN: "en", "zh-hant-tw": "zh-Hant-TW", en_GB: "en-GB", iw: "he" };
  for (const [tag, canonical] of Object.entries(spellings)) expect(canonicalTag(tag)).toBe(canonical);
});

it("what is no BCP 47 tag is no language", () => {
  for (const tag of ["", "e", "english!", "en-", "-en", "en us", "*"]) expect(canonicalTag(tag)).toBeUndefined();
});

it("a language matches its regions, both ways, and no other language", () => {
  expect(languagesMatch("en", "en-US")).toBe(true);
  expect(languagesMatch("en-US", "en")).toBe(true);
  expect(languagesMatch("zh-Hant-TW", "zh-Hant")).toBe(true);
  expect(languagesMatch("en-GB", "en-US")).toBe(false);
  expect(languagesMatch("en", "enm")).toBe(false);
});
