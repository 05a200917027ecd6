/**
 * What a session keeps of its stream: rows of many messages, under the number of the first one. Each row says how far
 * everything had come when it was closed, so that the last row found after a loss tells where the synthesis goes on.
 *
 * Positions are in samples from the start of the stream: those called `pcmSample` at the rate of the synthesis, without the
 * encoder's delay; the others at the encoder's rate, with it.
 */
import type { Failure } from "../base/errors.ts";

/** A segment of the text begins to be heard. */
export interface SegmentStart {
  /** Where it stands in the text, in UTF-16 code units. */
  textStart: number;
  pcmSample: number;
}

/** A word begins to be heard. */
export interface Word {
  /** Where it stands in the text, in UTF-16 code units. */
  textStart: number;
  length: number;
  pcmSample: number;
}

/** Another voice goes on. */
export interface VoiceChange {
  /** Why the voice before it does not. */
  failure: Failure;
  /** The segment before was broken off there. */
  isCut: boolean;
  pcmSample: number;
}

/** What the synthesis took so far. */
export interface SynthesisCounts {
  /** Segments that were spoken to their end, or broken off. */
  segments: number;
  /** Requests made of providers. */
  utterances: number;
  /** How many of them asked again, after a failure or because the engine was busy. */
  retries: number;
  /** PCM that was spoken, in samples. */
  pcmSamples: number;
  /** PCM that a lost encoder had been given, and its successor was given again, in ms. */
  encodedAgainMs: number;
}

/** How far everything has come. */
export interface LogEnd {
  /** Of the last message; 0: there is none. */
  seq: number;
  samples: number;
  bytes: number;
  /** Samples that a decoder puts out before the first of the PCM. */
  delaySamples: number;
  /** Where the text goes on behind the last word, in UTF-16 code units. */
  wordsEnd: number;
  /** The latest segments that began: one before the last run-up of an encoder, and all since. */
  segments: readonly SegmentStart[];
  changes: readonly VoiceChange[];
  counts: SynthesisCounts;
  /** Set once nothing follows; with a failure, if that is why. */
  ended?: { failure?: Failure };
}

/** A row as it is stored. */
export interface Row {
  firstSeq: number;
  /** Where the first message begins: samples and bytes of the stream before it. */
  startSamples: number;
  startBytes: number;
  /** Where each message ends, in samples of the stream. */
  endSamples: number[];
  /** Where each message ends within `data`. */
  endBytes: number[];
  data: Uint8Array;
  /** The words that begin in its audio; kept for protocols that tell them. */
  words: Word[];
  /** How far everything had come when the row was closed. */
  end: LogEnd;
}

export const EMPTY: LogEnd = {
  seq: 0,
  samples: 0,
  bytes: 0,
  delaySamples: 0,
  wordsEnd: 0,
  segments: [],
  changes: [],
  counts: { segments: 0, utterances: 0, retries: 0, pcmSamples: 0, encodedAgainMs: 0 },
};
