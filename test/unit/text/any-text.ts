/** Texts made of what makes segmenting hard, and how a test looks at their segments. */
import * as fc from "fast-check";
import { segmentText } from "../../../worker/text/segmenter.ts";

export const texts = (text: string, language = "en", maxChars = 2_000) =>
  segmentText(text, language, maxChars).map((segment) => segment.text);

export const bare = (text: string) => text.replaceAll(/\s/gu, "");

/** A line break in mid-sentence is told as a space. */
export const asSpaces = (text: string) => text.replaceAll(/[\n\r\u0085\u2028\u2029]/g, " ");

export const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 12 }),
      fc.constantFrom(
        ". ",
        ", ",
        "! ",
        "?",
        "\n",
        "\r\n",
        " ",
        "\n\n",
        "\n- ",
        "Dr. ",
        "A. ",
        "e.g. ",
        "3.14",
        "…",
        "“Yes!” ",
        "—",
      ),
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

export const anyLanguage = fc.constantFrom("en", "de-DE", "ja", "hi", "ar");
