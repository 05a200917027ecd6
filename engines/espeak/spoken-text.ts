/** Between a request's text and the text as eSpeak reads it: what it must not see, and where its words stand. */

/**
 * The text as eSpeak may read it, of the same length in code points and in UTF-16 units. Control characters would be
 * commands to it (U+0001 sets pitch and rate, U+0000 ends the text), and at U+FFFD it takes the text for Latin-1 and
 * reads the rest byte by byte.
 */
export function speakable(text: string): string {
  return text.toWellFormed().replaceAll(/[^\P{Cc}\t\n\r]|\uFFFD/gu, " ");
}

export interface TextRange {
  /** UTF-16 code units from the start of the text. */
  start: number;
  length: number;
}

/**
 * Turns eSpeak's word positions (code points, from 1), asked for in the order they are spoken, into ranges of `text`
 * that neither overlap nor go back. Undefined for what is no new word: eSpeak reports a number, an emoji or a run of
 * kanji once for every word it speaks for it, and at times counts a few characters wrong.
 */
export function wordLocator(text: string): (position: number, length: number) => TextRange | undefined {
  const offsets = [0];
  for (const character of text) offsets.push(offsets.at(-1)! + character.length);
  let spokenTo = 0;
  return (position, length) => {
    const from = offsets[position - 1];
    if (from === undefined || from < spokenTo) return undefined;
    const reported = text.slice(from, offsets[position - 1 + length] ?? text.length);
    const word = reported.trim();
    if (word === "") return undefined;
    const start = from + reported.indexOf(word);
    spokenTo = start + word.length;
    return { start, length: word.length };
  };
}

/** Pauses at speed 1, as eSpeak makes them within a text, in ms. */
const SENTENCE_PAUSE_MS = 300;
const CLAUSE_PAUSE_MS = 150;

/** How long to pause after a text, by how it ends, in ms. */
export function pauseAfterMs(text: string): number {
  const end = text.trimEnd().replace(/[\p{Pe}\p{Pf}"']+$/u, "");
  if (/\p{Sentence_Terminal}$|\u2026$/u.test(end)) return SENTENCE_PAUSE_MS;
  return /[,;:\u2013\u2014\u060c\u061b\u3001\uff0c\uff1b\uff1a]$/u.test(end) ? CLAUSE_PAUSE_MS : 0;
}
