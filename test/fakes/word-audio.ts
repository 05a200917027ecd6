/**
 * Audio that carries numbers: each word is four bursts of sound, each of one of sixteen pitches, then a gap. What was
 * spoken, and in which order, can be read from a recording, also after a lossy encoder.
 */

/** Numbers are said modulo this: three bursts of 16 pitches. */
export const WORD_NUMBERS = 16 ** 3;

const PITCHES = 16;
const DIGITS = 3;
/** One a digit, and one that checks them. */
const BURSTS = DIGITS + 1;
/**
 * The lowest pitch and their distance, in Hz. With these and the times below, every one of 2000 words came through Opus, MP3
 * and AAC at each of their rates; Opus and AAC at 8000 Hz lose some where the pitches are higher or the gaps shorter.
 */
const LOWEST_HZ = 500;
const STEP_HZ = 120;

const BURST_MS = 30;
const GAP_MS = 40;
const SOUND_MS = BURSTS * BURST_MS;
/** A word and the gap after it. */
export const WORD_MS = SOUND_MS + GAP_MS;

/** Rise and fall of a word, so that it has no clicks, in ms. */
const RAMP_MS = 2;
const AMPLITUDE = 12_000;

function pitchHz(digit: number): number {
  return LOWEST_HZ + STEP_HZ * digit;
}

/** Changes with each single digit: its factors are odd. */
function checkDigit([first = 0, second = 0, third = 0]: readonly number[]): number {
  return (5 + first + 3 * second + 7 * third) % PITCHES;
}

function burstsOf(word: number): number[] {
  const digits = [Math.floor(word / PITCHES ** 2) % PITCHES, Math.floor(word / PITCHES) % PITCHES, word % PITCHES];
  return [...digits, checkDigit(digits)];
}

/**
 * A word as s16 samples, its gap with it: WORD_MS long at speed 1.
 * @param word a whole number from 0, or undefined for a word without one: silence as long.
 */
export function wordAudio(word: number | undefined, sampleRateHz: number, speed = 1): Int16Array<ArrayBuffer> {
  const samplesPerMs = sampleRateHz / 1000 / speed;
  const pcm = new Int16Array(Math.round(WORD_MS * samplesPerMs));
  if (word === undefined) return pcm;
  const bursts = burstsOf(word);
  let phase = 0; // goes on from burst to burst, so that the sound changes its pitch and nothing else
  for (let at = 0; at < SOUND_MS * samplesPerMs; at++) {
    const ms = at / samplesPerMs;
    phase += (2 * Math.PI * pitchHz(bursts[Math.floor(ms / BURST_MS)]!)) / sampleRateHz;
    const ramp = Math.min(1, (ms + 0.1) / RAMP_MS, (SOUND_MS - ms) / RAMP_MS);
    pcm[at] = Math.round(AMPLITUDE * ramp * Math.sin(phase));
  }
  return pcm;
}

type Samples = Int16Array | Float32Array;

/** The power of each ms, over it and the three after it: two periods of the lowest pitch. */
function powers(pcm: Samples, sampleRateHz: number): Float64Array {
  const ofMs = new Float64Array(Math.floor((pcm.length * 1000) / sampleRateHz));
  for (let ms = 0; ms < ofMs.length; ms++) {
    const end = Math.floor(((ms + 1) * sampleRateHz) / 1000);
    for (let at = Math.floor((ms * sampleRateHz) / 1000); at < end; at++) ofMs[ms]! += pcm[at]! ** 2;
  }
  return ofMs.map((power, ms) => (power + (ofMs[ms + 1] ?? 0) + (ofMs[ms + 2] ?? 0) + (ofMs[ms + 3] ?? 0)) / 4);
}

/** How much of one pitch there is (Goertzel's algorithm). */
function strength(pcm: Samples, hz: number, sampleRateHz: number): number {
  const factor = 2 * Math.cos((2 * Math.PI * hz) / sampleRateHz);
  let [last, beforeLast] = [0, 0];
  for (const sample of pcm) [last, beforeLast] = [sample + factor * last - beforeLast, last];
  return last ** 2 + beforeLast ** 2 - factor * last * beforeLast;
}

function strongestPitch(pcm: Samples, sampleRateHz: number): number {
  const strengths = Array.from({ length: PITCHES }, (_, digit) => strength(pcm, pitchHz(digit), sampleRateHz));
  return strengths.indexOf(Math.max(...strengths));
}

/** Sound that is no whole word: damaged, cut, or two run into one. */
export const NO_WORD = -1;

/** Less sound than this is an encoder's own, in ms. */
const LEAST_SOUND_MS = 8;

/** Two fifths of the amplitude of the words. The loudest of a recording would mislead: encoders overshoot now and then. */
function leastPower(power: Float64Array): number {
  const mean = power.reduce((sum, each) => sum + each, 0) / power.length;
  const sounding = power.filter((each) => each > mean / 4).toSorted();
  return (sounding[sounding.length >> 1] ?? 0) / 6;
}

/** Less silence than this is a hole that an encoder makes where the pitch changes, in ms. */
const LEAST_GAP_MS = 24;

function readWord(pcm: Samples, sampleRateHz: number, startMs: number, endMs: number): number {
  // Encoders shorten and lengthen a word, by less than half a burst.
  if (Math.abs(endMs - startMs - SOUND_MS) > BURST_MS / 2) return NO_WORD;
  const digits = Array.from({ length: BURSTS }, (_, burst) => {
    // Counted from the middle of the sound, because an encoder blurs both its ends alike; the middle of the burst alone.
    const middleMs = (startMs + endMs) / 2 + (burst - (BURSTS - 1) / 2) * BURST_MS;
    const [from, to] = [middleMs - BURST_MS / 3, middleMs + BURST_MS / 3];
    return strongestPitch(pcm.subarray((from * sampleRateHz) / 1000, (to * sampleRateHz) / 1000), sampleRateHz);
  });
  const check = digits.pop();
  if (check !== checkDigit(digits)) return NO_WORD;
  return digits.reduce((number, digit) => number * PITCHES + digit, 0);
}

/**
 * The numbers of the words in a recording, in order, each modulo WORD_NUMBERS; NO_WORD for each sound that is none. The
 * words must have been said at speed 1; any rate from 8000 Hz and any loudness will do. A word that lacks up to 15 ms passes
 * for whole.
 */
export function readWords(pcm: Samples, sampleRateHz: number): number[] {
  const power = powers(pcm, sampleRateHz);
  const least = leastPower(power);
  const sounds: { startMs: number; endMs: number }[] = [];
  for (const [ms, each] of power.entries()) {
    if (each <= least) continue;
    const sound = sounds.at(-1);
    if (sound && ms - sound.endMs < LEAST_GAP_MS) sound.endMs = ms + 1;
    else sounds.push({ startMs: ms, endMs: ms + 1 });
  }
  return sounds
    .filter(({ startMs, endMs }) => endMs - startMs >= LEAST_SOUND_MS)
    .map(({ startMs, endMs }) => readWord(pcm, sampleRateHz, startMs + 2, endMs + 1));
}
