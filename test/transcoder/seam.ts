/** Streams that another encoder goes on with, and what can be measured where it does. */
import { resumePoint, type AudioFormat, type ResumePoint } from "../../protocol/formats.ts";
import { lastToc } from "../../protocol/opus-mode.ts";
import { parseSettings } from "../../transcoder/query.ts";
import { Resampler } from "../../transcoder/resampler.ts";
import { StreamEncoder } from "../../transcoder/stream-encoder.ts";
import type { Transcoded } from "./client.ts";
import { decode, fromPcm, type Decoded } from "./decode.ts";
import { largestStep } from "./signal.ts";

export interface Source {
  format: AudioFormat;
  fromHz: number;
  toHz: number;
  pcm: Int16Array;
}

/** What an encoder makes of a source, in the form that decoders take; with `resume`, of what is left of it. */
export function encode({ format, fromHz, toHz, pcm }: Source, resume?: ResumePoint, toc?: number): Transcoded {
  const query = new URLSearchParams({ format, sample_rate: String(toHz) });
  if (resume) query.set("input_sample", String(resume.inputSample));
  if (resume) query.set("output_sample", String(resume.outputSample));
  if (toc !== undefined) query.set("last_toc", String(toc));
  using encoder = new StreamEncoder(parseSettings(query));
  const audio = [
    ...encoder.setInputRate(fromHz),
    ...encoder.push(bytesOf(pcm.subarray(resume?.inputSample ?? 0))),
    ...encoder.finish(),
  ];
  if (encoder.header.length > 0) audio.unshift({ samples: 0, data: encoder.header });
  const { sampleRateHz, delaySamples, frameSamples } = encoder;
  return joined({ type: "format", sample_rate: sampleRateHz, delay: delaySamples, frame: frameSamples }, audio);
}

/** What another encoder makes of the rest of a stream from `border` on. */
export function goOn(source: Source, first: Transcoded, border: number): Transcoded {
  const { format, fromHz, toHz } = source;
  const toc = format === "opus" ? lastToc(until(first, border).at(-1)!.data) : undefined;
  return encode(source, resumePoint(format, toHz, fromHz, border), toc);
}

/** What a listener has: the first encoder's pieces up to `border`, then the second's. */
export function join(first: Transcoded, border: number, second: Transcoded): Transcoded {
  return joined(first.format, [...until(first, border), ...second.audio]);
}

/** Where another encoder may go on: the ends of the stream's pieces, but for the last. */
export function borders({ audio, samples: total }: Transcoded): number[] {
  let end = 0;
  return audio.map(({ samples }) => (end += samples)).filter((border) => border > 0 && border < total);
}

function until({ audio }: Transcoded, border: number): Transcoded["audio"] {
  let end = 0;
  return audio.filter(({ samples }) => (end += samples) <= border);
}

function joined(format: Transcoded["format"], audio: Transcoded["audio"]): Transcoded {
  const bytes = Buffer.concat(audio.map(({ data }) => data));
  return { format, audio, bytes, samples: audio.reduce((sum, { samples }) => sum + samples, 0), error: undefined };
}

export function bytesOf(pcm: Int16Array): Uint8Array {
  return new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
}

export function resample(pcm: Int16Array, fromHz: number, toHz: number, firstSample = 0): Int16Array {
  if (fromHz === toHz) return pcm;
  using resampler = new Resampler(fromHz, toHz, firstSample);
  const pieces: Buffer[] = [];
  for (const piece of resampler.push(bytesOf(pcm))) pieces.push(Buffer.from(piece));
  for (const piece of resampler.finish()) pieces.push(Buffer.from(piece));
  return new Int16Array(new Uint8Array(Buffer.concat(pieces)).buffer);
}

/** A decoded stream beside the sound that went into it. */
export class Heard {
  readonly #decoded: Float32Array;
  readonly #input: Float32Array;
  readonly #hz: number;
  /** What counts as silence: 30 dB under the whole ... */
  readonly #floor: number;

  constructor(decoded: Float32Array, input: Float32Array, hz: number) {
    this.#decoded = decoded;
    this.#input = input;
    this.#hz = hz;
    this.#floor = power(input, 0, input.length) / 1000;
  }

  /** The largest difference of level to the input, in dB, of windows of 20 ms, from 20 ms before `at` to 120 ms after it. */
  levelError(at: number): number {
    const window = Math.round(this.#hz / 50);
    const hop = window / 4;
    let worst = 0;
    for (let step = -4; step <= 20; step++) {
      const from = Math.max(0, Math.round(at + step * hop));
      // ... and 15 dB under the 40 ms before, which mask it.
      const floor = Math.max(this.#floor, power(this.#input, Math.max(0, from - 2 * window), from) / 30);
      const heard = power(this.#decoded, from, from + window) + floor;
      const meant = power(this.#input, from, from + window) + floor;
      worst = Math.max(worst, Math.abs(10 * Math.log10(heard / meant)));
    }
    return worst;
  }

  /** The largest step between neighbours within 20 ms of `at`, as a part of the input's largest within 40 ms. */
  jump(at: number): number {
    const within = (samples: Float32Array, ms: number) => {
      const reach = Math.round((this.#hz * ms) / 1000);
      return largestStep(samples.subarray(Math.max(0, at - reach), at + reach));
    };
    return within(this.#decoded, 20) / Math.max(within(this.#input, 40), Math.sqrt(this.#floor));
  }
}

/** @returns the decoded stream beside its source, and where in it an encoder's sample is. */
export async function hear(
  { format, fromHz, pcm }: Source,
  stream: Transcoded,
): Promise<{ decoded: Decoded; heard: Heard; placeOf: (sample: number) => number }> {
  const decoded = await decode(format, stream);
  const hz = decoded.sampleRateHz;
  const encoderHz = stream.format.sample_rate;
  const delay = format === "opus" ? 0 : stream.format.delay!; // an Ogg decoder drops it
  const preSkip = stream.format.delay! - delay;
  const input = new Float32Array(decoded.samples.length);
  const limited = resample(resample(pcm, fromHz, encoderHz), encoderHz, hz); // to the band that was encoded
  input.set(fromPcm(bytesOf(limited)).subarray(0, input.length - delay), delay);
  return {
    decoded,
    heard: new Heard(decoded.samples, input, hz),
    placeOf: (sample) => Math.round(((sample - preSkip) * hz) / encoderHz),
  };
}

function power(samples: Float32Array, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at < Math.min(to, samples.length); at++) sum += samples[at]! ** 2;
  return to > from ? sum / (to - from) : 0;
}
