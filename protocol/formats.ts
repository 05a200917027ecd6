/**
 * The audio formats a client may ask for and the sample rates each can have.
 *
 * Shared by the gateway, which refuses what cannot be made before any work starts, and the transcoder, which makes it.
 * All audio is mono.
 */

/** Of s16le, as all audio between the parts is. */
export const BYTES_PER_SAMPLE = 2;

/** Their names, as a request's `target_format` has them. */
export const FORMATS = ["pcm16", "mulaw", "alaw", "opus", "mp3", "wav", "flac", "aac"] as const;

/** A format that a stream can be asked for in. */
export type AudioFormat = (typeof FORMATS)[number];

export interface FormatTraits {
  /** Media type of a body in this format. */
  contentType: string;
  /** Of a file that holds it, without the dot. */
  extension: string;
  /** Its audio bytes are s16le samples as an engine makes them: at the engine's own rate nothing needs transcoding. */
  isRawPcm: boolean;
  /** The only rates it has, in Hz, ascending; absent: every whole number of {@link RATE_RANGE_HZ}. */
  rates?: readonly number[];
  /**
   * How much audio another encoder must hear before the point at which it goes on with a stream, in ms, so that the seam
   * cannot be heard (measured, docs/transcoder.md). Formats whose packets stand alone need it for the resampler's filter
   * alone, which is full after 16 samples of the lower rate.
   */
  runUpMs: number;
}

/** The lowest and the highest sample rate of any format, in Hz. */
export const RATE_RANGE_HZ = { min: 8_000, max: 48_000 } as const;

/** MPEG-1, MPEG-2 and MPEG-2.5 Layer III (ISO 11172-3, 13818-3); AAC (ISO 14496-3) has the same ones in this range. */
const MPEG_RATES = [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000] as const;

/** The rates Opus is encoded at (RFC 6716, section 2). */
const OPUS_RATES = [8_000, 12_000, 16_000, 24_000, 48_000] as const;

export const FORMAT_TRAITS: Readonly<Record<AudioFormat, Readonly<FormatTraits>>> = {
  // Not audio/L16: that is big-endian by definition (RFC 2586).
  pcm16: { contentType: "audio/pcm", extension: "pcm", isRawPcm: true, runUpMs: 20 },
  // Not audio/basic: that is 8000 Hz by definition (RFC 2046); PCMU and PCMA take other rates (RFC 4856).
  mulaw: { contentType: "audio/PCMU", extension: "ulaw", isRawPcm: false, runUpMs: 20 },
  alaw: { contentType: "audio/PCMA", extension: "alaw", isRawPcm: false, runUpMs: 20 },
  opus: { contentType: "audio/ogg; codecs=opus", extension: "opus", isRawPcm: false, runUpMs: 1000 },
  mp3: { contentType: "audio/mpeg", extension: "mp3", isRawPcm: false, runUpMs: 400, rates: MPEG_RATES },
  wav: { contentType: "audio/wav", extension: "wav", isRawPcm: true, runUpMs: 20 },
  flac: { contentType: "audio/flac", extension: "flac", isRawPcm: false, runUpMs: 20 },
  aac: { contentType: "audio/aac", extension: "aac", isRawPcm: false, runUpMs: 400, rates: MPEG_RATES },
};

export function isAudioFormat(value: unknown): value is AudioFormat {
  return FORMATS.includes(value as AudioFormat);
}

/** Whether `format` can be asked for at `hz`. */
export function isRateAllowed(format: AudioFormat, hz: number): boolean {
  const { rates } = FORMAT_TRAITS[format];
  if (rates) return rates.includes(hz);
  return Number.isInteger(hz) && hz >= RATE_RANGE_HZ.min && hz <= RATE_RANGE_HZ.max;
}

/** What {@link isRateAllowed} allows, for an error message: "one of 8000, ... Hz" or "a whole number of Hz from ...". */
export function describeRates(format: AudioFormat): string {
  const { rates } = FORMAT_TRAITS[format];
  if (rates) return `one of ${rates.join(", ")} Hz`;
  return `a whole number of Hz from ${RATE_RANGE_HZ.min} to ${RATE_RANGE_HZ.max}`;
}

/** The allowed rate closest to `hz` (of two as close, the higher): for a client that names none. */
export function nearestRate(format: AudioFormat, hz: number): number {
  const { rates } = FORMAT_TRAITS[format];
  if (!rates) return Math.min(RATE_RANGE_HZ.max, Math.max(RATE_RANGE_HZ.min, Math.round(hz)));
  return rates.reduce((best, rate) => (Math.abs(rate - hz) <= Math.abs(best - hz) ? rate : best));
}

/**
 * The rate `format` is really encoded at when `hz` is asked for: `hz` itself, but for Opus the next rate it has.
 * (The asked rate then stands in the Opus header as "input sample rate", RFC 7845, section 5.1.)
 */
export function encodedRate(format: AudioFormat, hz: number): number {
  if (format !== "opus") return hz;
  return OPUS_RATES.find((rate) => rate >= hz) ?? RATE_RANGE_HZ.max;
}

/** What another encoder is given, so that it goes on in the middle of a stream. */
export interface ResumePoint {
  /** Of the PCM, at `inputRateHz`: the first sample that it is given, counted from the start of the stream. */
  inputSample: number;
  /** Of what comes out, at the encoder's rate: where the stream goes on. */
  outputSample: number;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/**
 * Samples of input after which a resampler's filter is in the same phase again: one that starts at a multiple of it, counted
 * from the start of the stream, makes the same samples as one that has run from there.
 */
export function resamplerPeriod(inputRateHz: number, outputRateHz: number): number {
  return inputRateHz / gcd(inputRateHz, outputRateHz);
}

/**
 * Where the input of an encoder must begin that goes on at `outputSample`, the end of a packet. It lies a run-up before it,
 * and where a resampler that starts there makes the same samples as one that has run from the stream's start.
 */
export function resumePoint(
  format: AudioFormat,
  sampleRateHz: number,
  inputRateHz: number,
  outputSample: number,
): ResumePoint {
  const outputRateHz = encodedRate(format, sampleRateHz);
  const step = resamplerPeriod(inputRateHz, outputRateHz);
  const runUpSamples = (FORMAT_TRAITS[format].runUpMs * inputRateHz) / 1000;
  const latest = (outputSample * inputRateHz) / outputRateHz - runUpSamples;
  return { inputSample: Math.max(0, Math.floor(latest / step)) * step, outputSample };
}
