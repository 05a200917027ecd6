/** Tells the line breaks that end something from those that only wrap a long line. */

/** CR LF is one break. U+2029 is a paragraph's end by itself. */
const LINE_BREAK = /\r\n|[\n\r\u0085\u2028\u2029]/g;

/** "- ", "* ", "• ", "1. ", "1) ", "1.) ", "a) ": what a list's item begins with. A letter with a full stop is an initial. */
const ITEM = /^\s{0,16}(?:[-*+\u2022\u2023\u25aa\u25cf\u25e6]|(?:(\d{1,3})(?:\)|\.\)?)|([a-z])\)))\s/i;

const INDENTED = /^[ \t]/;

interface Line {
  text: string;
  /** How long its line break is, in UTF-16 code units; 0 for the last line. */
  breakLength: number;
}

function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  let start = 0;
  for (const { 0: found, index } of text.matchAll(LINE_BREAK)) {
    lines.push({ text: text.slice(start, index), breakLength: found.length });
    if (found === "\u2029") lines.push({ text: "", breakLength: 0 });
    start = index + found.length;
  }
  lines.push({ text: text.slice(start), breakLength: 0 });
  return lines;
}

/**
 * Whether a line is an item of a list.
 * @param isExpected a list goes on or a paragraph begins; in the middle of a paragraph a list begins with 1 or a, for a
 * wrapped sentence's line may begin with a number by chance ("at the age of\n12. Then").
 */
function isItem(line: string, isExpected: boolean): boolean {
  const item = ITEM.exec(line);
  if (!item || isExpected) return item !== null;
  const label = item[1] ?? item[2] ?? "1";
  return label === "1" || label.toLowerCase() === "a";
}

/**
 * The text with "\n" only where a sentence cannot go on: at an empty line, and before and after each item of a list. Every
 * other line break is as many spaces as it has UTF-16 code units, so that each character stands where it stood.
 *
 * An indented line under a list's item belongs to the item.
 */
export function unwrapLines(text: string): string {
  const parts: string[] = [];
  let isInItem = false;
  let isInList = false;
  let wasBlank = true;
  let lastBreakLength = 0;
  for (const { text: line, breakLength } of linesOf(text)) {
    const isBlank = line.trim() === "";
    const startsItem: boolean = !isBlank && isItem(line, isInList || wasBlank);
    const goesOn: boolean = !isBlank && !wasBlank && !startsItem && (!isInItem || INDENTED.test(line));
    if (lastBreakLength > 0) parts.push((goesOn ? " " : "\n").padStart(lastBreakLength));
    parts.push(line);
    isInItem = startsItem || (isInItem && goesOn);
    isInList = startsItem || (isInList && !isBlank);
    wasBlank = isBlank;
    lastBreakLength = breakLength;
  }
  return parts.join("");
}
