/**
 * What it costs the eSpeak engine to repeat itself: `node bench/espeak-snapshot.ts`.
 *
 * For texts of several lengths, the time of a synthesis after the heap has been restored over the time of one without;
 * both by turns, the median of each. The short text is the worst case: a restored eSpeak loads its voice again.
 */
import loadEspeak from "@echogarden/espeak-ng-emscripten";
import { HeapSnapshot } from "../engines/espeak/heap-snapshot.ts";
import { heapText } from "../engines/espeak/heap-text.ts";

const ROUNDS = 41;
const SENTENCE = "The quick brown fox jumps over the lazy dog, and then it goes home. ";

const module = await loadEspeak({ print: () => {}, printErr: () => {} });
const espeak = new module.eSpeakNGWorker();

function speak(text: string, voice: string): void {
  espeak.set_voice(voice);
  espeak.synthesize_and_get_phonemes(heapText(module, text), () => false);
}

function timeMs(work: () => void): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

for (let i = 0; i < 5; i++) speak(SENTENCE, "gmw/en-US");
const snapshot = new HeapSnapshot(module);
const restoreMs = median(Array.from({ length: ROUNDS }, () => timeMs(() => snapshot.restore())));
console.log(`a restore alone: ${restoreMs.toFixed(2)} ms`);

for (const voice of ["gmw/en-US", "zle/ru", "sit/cmn"]) {
  for (const text of ["Yes.", SENTENCE, SENTENCE.repeat(10)]) {
    const restored: number[] = [];
    const kept: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      kept.push(timeMs(() => speak(text, voice)));
      restored.push(
        timeMs(() => {
          snapshot.restore();
          speak(text, voice);
        }),
      );
    }
    const [restoredMs, keptMs] = [median(restored), median(kept)];
    console.log(
      `${voice}, ${text.length} characters: ${restoredMs.toFixed(2)} ms restored, ${keptMs.toFixed(2)} ms without, ` +
        `${(restoredMs / keptMs).toFixed(2)} times`,
    );
  }
}
