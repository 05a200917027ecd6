/** Splits a text into the pieces that are spoken one after the other. */
import { unwrapLines } from "./line-breaks.ts";

/** A piece of the text, without the white space around it. */
export interface Segment {
  /** As it stands in the whole text, character for character, but that a line break in mid-sentence is a space. */
  text: string;
  /** Where it stands in the whole text, in UTF-16 code units. */
  start: number;
}

/** A first sentence longer than this is split at a clause, so that sound starts early (about 8 s of speech). */
const LONG_FIRST_SENTENCE_CHARS = 120;

/** No clause shorter than this is spoken on its own: it would sound cut off. */
const SHORTEST_CLAUSE_CHARS = 20;

/** A sentence of fewer characters is tiny: "Yes.", or one of a text without sense. */
const TINY_CHARS = 20;

/** Tiny sentences that are spoken on their own, each with the pause it should have, before more of them are joined. */
const TINY_ALONE = 8;

/** Tiny sentences are joined up to this length: about 8 s of speech. */
const JOINED_CHARS = 120;

// Intl.Segmenter ends a sentence after these although it goes on: titles, initials, and what is followed by a number.
const ABBREVIATION =
  /(?:^|[\s("'\u2018\u201c\u00bf\u00a1])(?:\p{Lu}|Dr|Mr|Mrs|Ms|Mx|Prof|Rev|Hon|Sr|Jr|St|Gen|Col|Sgt|Capt|Lt|Cmdr|Gov|Sen|Rep|vs|etc|e\.g|i\.e|cf|No|Nos|Vol|Fig|pp?|approx|ca|Ph\.D|U\.S|z(?:\.\s?B)?|d(?:\.\s?h)?|bzw|Nr|Abs|Hr|Fr|usw|Sra|Srta|Ud|Uds|Mme|Mlle|Dott|Sig)\.$/u;

/** More than any of these has, with the character before it and its full stop. */
const LONGEST_ABBREVIATION_CHARS = 16;

/** Of what a reader takes for one character, such as a family of emoji, in UTF-16 code units. */
const LONGEST_CHARACTER = 64;

const SPEAKABLE = /[\p{L}\p{N}]/u;
const CLAUSE_END =
  /[,;:\u2013\u2014\u060c\u061b\u3001\uff0c\uff1b\uff1a]['"\u2019\u201d)\]]*(?=\s|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}])\s*/gu;

interface Span {
  start: number;
  end: number;
}

function trimmed(text: string, { start, end }: Span): Segment {
  const piece = text.slice(start, end);
  return { text: piece.trim(), start: start + (piece.length - piece.trimStart().length) };
}

/** Whether a sentence goes on behind `span`: it ends in an abbreviation, not in a line's end, or within a word. */
function goesOn(text: string, { start, end }: Span): boolean {
  const { length } = text.slice(start, end).trimEnd();
  const lastWords = text.slice(start + Math.max(0, length - LONGEST_ABBREVIATION_CHARS), start + length);
  if (start + length === end) return /[?!]$/.test(lastWords) && /^[a-z0-9]/.test(text.slice(end, end + 1)); // in a URL
  return ABBREVIATION.test(lastWords) && !text.slice(start + length, end).includes("\n");
}

/** Looks at every character a bounded number of times: a text made to be slow must not hold up the isolate. */
function sentences(text: string, language: string): Span[] {
  const spans: Span[] = [];
  let lastSpeaks = false;
  for (const { index, segment } of new Intl.Segmenter(language, { granularity: "sentence" }).segment(text)) {
    const last = spans.at(-1);
    const end = index + segment.length;
    const speaks = SPEAKABLE.test(segment);
    if (last && (!speaks || !lastSpeaks || goesOn(text, last))) {
      last.end = end;
      lastSpeaks ||= speaks;
    } else {
      spans.push({ start: index, end });
      lastSpeaks = speaks;
    }
  }
  return spans;
}

/** Where the first clause ends that is long enough to stand alone and leaves enough behind it. */
function firstClauseEnd(sentence: string): number | undefined {
  for (const match of sentence.matchAll(CLAUSE_END)) {
    const end = match.index + match[0].length;
    if (end >= SHORTEST_CLAUSE_CHARS && sentence.length - end >= SHORTEST_CLAUSE_CHARS) return end;
  }
  return undefined;
}

/** The best place to cut a text that is too long: after a clause, else after a word, else between two characters. */
function cutWithin(text: string, maxChars: number): number {
  const head = text.slice(0, maxChars);
  const clause = [...text.slice(0, maxChars + 1).matchAll(CLAUSE_END)].at(-1);
  if (clause && clause.index + 1 > maxChars / 2) return Math.min(clause.index + clause[0].length, maxChars);
  const space = head.search(/\s\S*$/u);
  if (space > 0) return space + 1;
  let cut = 0;
  // A character that reaches over the limit is seen whole, else its first half would count as one.
  const around = text.slice(0, maxChars + LONGEST_CHARACTER);
  for (const { index } of new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(around)) {
    if (index > maxChars) break;
    cut = index;
  }
  if (cut > 0) return cut;
  // A single character longer than the limit (stacked marks): cut it, but never inside a surrogate pair.
  return /[\ud800-\udbff]$/.test(head) && maxChars > 1 ? maxChars - 1 : maxChars;
}

/** The whole text's sentences, those cut that are too long. */
function cutSentences(text: string, language: string, maxChars: number): Segment[] {
  const segments: Segment[] = [];
  for (const span of sentences(text, language)) {
    let { start } = span;
    const sentence = text.slice(start, span.end);
    if (segments.length === 0 && sentence.length > LONG_FIRST_SENTENCE_CHARS) {
      const clause = firstClauseEnd(sentence);
      if (clause !== undefined && clause <= maxChars && SPEAKABLE.test(sentence.slice(0, clause))) {
        segments.push(trimmed(text, { start, end: start + clause }));
        start += clause;
      }
    }
    while (trimmed(text, { start, end: span.end }).text.length > maxChars) {
      start = trimmed(text, { start, end: span.end }).start;
      const cut = start + cutWithin(text.slice(start, span.end), maxChars);
      segments.push(trimmed(text, { start, end: cut }));
      start = cut;
    }
    const rest = trimmed(text, { start, end: span.end });
    if (rest.text) segments.push(rest);
  }
  return segments;
}

/**
 * Joins tiny sentences where there are many, for each segment is a request. A segment takes one from what is spare, and 20
 * characters of text give one back: prose and dialogue always have enough and stay as they are.
 */
function joinTiny(text: string, pieces: readonly Segment[], maxChars: number): Segment[] {
  const joined: Segment[] = [];
  const longest = Math.min(maxChars, JOINED_CHARS);
  let spare = TINY_ALONE;
  let lastEnd = 0;
  for (const piece of pieces) {
    const last = joined.at(-1);
    const end = piece.start + piece.text.length;
    if (last && spare < 1 && last.text.length < TINY_CHARS && end - last.start <= longest) {
      last.text = text.slice(last.start, end);
    } else {
      joined.push(piece);
      spare--;
    }
    spare = Math.min(TINY_ALONE, spare + (end - lastEnd) / TINY_CHARS);
    lastEnd = end;
  }
  return joined;
}

/**
 * The text's segments in order. Put together they are the text, but for white space; none is blank or longer than
 * `maxChars`. A text of N characters has at most N / 20 + 2 N / `maxChars` + 9 of them. One without a letter or digit occurs
 * only if the whole text has none: a longer run of such characters than `maxChars` is passed over, for an engine finds
 * nothing to speak in it and would fail the session.
 */
export function segmentText(text: string, language: string, maxChars: number): Segment[] {
  const unwrapped = unwrapLines(text);
  const pieces = cutSentences(unwrapped, language, maxChars);
  const speakable = pieces.filter((piece) => SPEAKABLE.test(piece.text));
  return joinTiny(unwrapped, speakable.length > 0 ? speakable : pieces, maxChars);
}

/**
 * The segments that are left to speak from the UTF-16 offset `start` on, which is where a segment of the whole text starts.
 * Should this version of the code cut the text elsewhere than the one that chose `start`, the segment that `start` lies in
 * is spoken from there, so that nothing is left out or said twice.
 */
export function segmentsFrom(text: string, language: string, maxChars: number, start: number): Segment[] {
  const segments = segmentText(text, language, maxChars);
  const first = segments.findIndex((segment) => segment.start + segment.text.length > start);
  if (first === -1) return [];
  const [segment, ...later] = segments.slice(first) as [Segment, ...Segment[]];
  if (segment.start >= start) return [segment, ...later];
  const rest = trimmed(segment.text, { start: start - segment.start, end: segment.text.length });
  return SPEAKABLE.test(rest.text) ? [{ text: rest.text, start: segment.start + rest.start }, ...later] : later;
}
