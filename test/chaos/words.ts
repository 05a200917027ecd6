/** Texts whose words are numbers, spoken by an engine that says them so that they can be read from what was heard. */
import { NO_WORD, readWords, WORD_NUMBERS } from "../fakes/word-audio.ts";
import { decodeStream } from "../support/decode-stream.ts";
import type { Request } from "./oracle.ts";

/** The engine stands where Coqui's would. */
export const WORDS = { provider: "coqui_tts", voice: "words" } as const;

/**
 * Sentences of ten numbered words, each with one more that names the session and is silent: "N0 n1 ... n9 tagbc." A
 * full stop before a small letter would not end a sentence.
 */
export function numberedText(words: number, session: number): string {
  const tag = tagOf(session);
  const sentences = Array.from({ length: Math.ceil(words / 10) }, (_, sentence) => {
    const count = Math.min(10, words - sentence * 10);
    const numbers = Array.from({ length: count }, (_number, i) => `${i === 0 ? "N" : "n"}${sentence * 10 + i}`);
    return `${numbers.join(" ")} ${tag}.`;
  });
  return sentences.join(" ");
}

/** In letters: a word with digits in it would be heard. */
export function tagOf(session: number): string {
  return `tag${String(session).replaceAll(/\d/g, (digit) => "abcdefghij"[Number(digit)]!)}`;
}

function wordsIn(text: string): number[] {
  return [...text.matchAll(/\bn(\d+)/gi)].map(([, number]) => Number(number) % WORD_NUMBERS);
}

/**
 * Each word of the text was heard once, in its order, and nothing else; of a stream that ended with an error the first
 * words, whose last one may be cut.
 */
export async function expectWords(bytes: Uint8Array, request: Request, isWhole: boolean): Promise<void> {
  if (bytes.length === 0 && !isWhole) return;
  const { samples, sampleRateHz } = await decodeStream(request.target_format, bytes, request.sample_rate_hz);
  const heard = readWords(samples, sampleRateHz);
  if (!isWhole && heard.at(-1) === NO_WORD) heard.pop();
  const said = wordsIn(request.text);
  const wrong = heard.findIndex((word, i) => word !== said[i]);
  if (wrong >= 0) {
    const around = (words: readonly number[]) => words.slice(Math.max(0, wrong - 2), wrong + 3).join(" ");
    throw new Error(`word ${wrong}: heard ${around(heard)}, said ${around(said)} (${NO_WORD}: none)`);
  }
  if (isWhole && heard.length < said.length) throw new Error(`heard ${heard.length} of ${said.length} words`);
}
