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

/**
 * The text's segments in order. Put together they are the text, but for white space; none is blank or longer than
 * `maxChars`. One without a letter or digit occurs only if the whole text has none: a longer run of such characters than
 * `maxChars` is passed over, for an engine finds nothing to speak in it and would fail the session.
 */
export function segmentText(text: string, language: string, maxChars: number): Segment[] {
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
  const speakable = segments.filter((segment) => SPEAKABLE.test(segment.text));
  return speakable.length > 0 ? speakable : segments;
}
