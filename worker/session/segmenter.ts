/** Splits a text into the pieces that are spoken one after the other. */

/** A piece of the text, without the white space around it. */
export interface Segment {
  text: string;
  /** Where it stands in the whole text, in UTF-16 code units. */
  start: number;
}

/** A first sentence longer than this is split at a clause, so that sound starts early (about 8 s of speech). */
const LONG_FIRST_SENTENCE_CHARS = 120;

/** No clause shorter than this is spoken on its own: it would sound cut off. */
const SHORTEST_CLAUSE_CHARS = 20;

// Intl.Segmenter ends a sentence after these although it goes on: titles, initials, and what is followed by a number.
const ABBREVIATION =
  /(?:^|[\s("'\u2018\u201c\u00bf\u00a1])(?:\p{Lu}|Dr|Mr|Mrs|Ms|Mx|Prof|Rev|Hon|Sr|Jr|St|Gen|Col|Sgt|Capt|Lt|Cmdr|Gov|Sen|Rep|vs|etc|e\.g|i\.e|cf|No|Nos|Vol|Fig|pp?|approx|ca|Ph\.D|U\.S|z\.\s?B|bzw|Nr|Abs|Hr|Fr|usw|d\.\s?h|Sra|Srta|Ud|Uds|Mme|Mlle|Dott|Sig)\.\s*$/u;

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

function sentences(text: string, language: string): Span[] {
  const spans: Span[] = [];
  for (const { index, segment } of new Intl.Segmenter(language, { granularity: "sentence" }).segment(text)) {
    const last = spans.at(-1);
    const end = index + segment.length;
    const goesOn =
      last && ABBREVIATION.test(text.slice(last.start, last.end)) && !/\n\s*$/.test(text.slice(last.start, last.end));
    if (last && (goesOn || !SPEAKABLE.test(segment) || !SPEAKABLE.test(text.slice(last.start, last.end))))
      last.end = end;
    else spans.push({ start: index, end });
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
  for (const { index, segment } of new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(head)) {
    const whole = index + segment.length < head.length || head.length === text.length;
    if (whole) cut = index + segment.length;
  }
  if (cut > 0) return cut;
  // A single character longer than the limit (stacked marks): cut it, but never inside a surrogate pair.
  return /[\ud800-\udbff]$/.test(head) && maxChars > 1 ? maxChars - 1 : maxChars;
}

/**
 * The text's segments in order. Put together they are the text, but for white space; none is blank or longer than
 * `maxChars`; one without a letter or digit occurs only if the whole text has none.
 */
export function segmentText(text: string, language: string, maxChars: number): Segment[] {
  const segments: Segment[] = [];
  for (const span of sentences(text, language)) {
    let { start } = span;
    const sentence = text.slice(start, span.end);
    if (segments.length === 0 && sentence.length > LONG_FIRST_SENTENCE_CHARS) {
      const clause = firstClauseEnd(sentence);
      if (clause !== undefined && clause <= maxChars) {
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
