import { BYTES_PER_SAMPLE, encodedRate, type AudioFormat } from "../protocol/formats.ts";
import { wavHeader } from "../protocol/wav.ts";
import { openCodec, type AudioCodec, type Encoded } from "./codec.ts";
import { flacHeader } from "./flac-header.ts";
import { OggOpusWriter } from "./ogg-opus.ts";
import { Resampler } from "./resampler.ts";

export interface EncoderSettings {
  format: AudioFormat;
  /** As asked for, in Hz. */
  sampleRateHz: number;
  /** Bits per second. */
  bitrate: number | undefined;
}

let openEncoders = 0;

/** Encoders whose native memory is not freed yet. */
export function countOpenEncoders(): number {
  return openEncoders;
}

/**
 * PCM of any rate in, one encoded stream out: resampler → frames of the codec's size → codec → container.
 *
 * What it yields is a function of the samples alone, never of the pieces in which they came. Over a stream, the
 * `samples` yielded are what a decoder makes of it: `delaySamples` before the first sample of the input, then the input,
 * then, for mp3 and aac only, what fills the last frame.
 */
export class StreamEncoder implements Disposable {
  /** Rate of what comes out, in Hz. */
  readonly sampleRateHz: number;
  /** Encoder delay in samples at `sampleRateHz`: mp3 1105 (its decoder's 529 included), aac 2048, opus 6.5 ms, else 0. */
  readonly delaySamples: number;
  /** What the container puts first; empty for formats without one. */
  readonly header: Uint8Array;
  readonly #codec: AudioCodec;
  readonly #ogg: OggOpusWriter | undefined;
  readonly #frame: Uint8Array;
  #filled = 0;
  #encodedSamples = 0;
  #inputRateHz: number;
  #resampler: Resampler | undefined;
  #disposed = false;

  constructor({ format, sampleRateHz: inputRateHz, bitrate }: EncoderSettings) {
    this.sampleRateHz = encodedRate(format, inputRateHz);
    this.#inputRateHz = this.sampleRateHz;
    const codec = openCodec(format, this.sampleRateHz, bitrate);
    openEncoders++;
    this.#codec = codec;
    this.delaySamples = codec.delaySamples;
    this.#frame = new Uint8Array(codec.frameSamples * BYTES_PER_SAMPLE);
    const { sampleRateHz, delaySamples } = this;
    if (format === "opus") this.#ogg = new OggOpusWriter({ sampleRateHz, inputRateHz, delaySamples });
    this.header = this.#ogg?.header ?? header(format, sampleRateHz, codec.extraData);
  }

  /** The PCM that follows has this rate. What the resampler still holds of the PCM before comes out. */
  *setInputRate(hz: number): Generator<Encoded> {
    if (hz === this.#inputRateHz) return;
    yield* this.#endResampler();
    this.#inputRateHz = hz;
    if (hz !== this.sampleRateHz) this.#resampler = new Resampler(hz, this.sampleRateHz);
  }

  /** @param pcm whole samples, s16le mono. */
  *push(pcm: Uint8Array): Generator<Encoded> {
    if (!this.#resampler) yield* this.#packaged(this.#encode(pcm));
    else for (const piece of this.#resampler.push(pcm)) yield* this.#packaged(this.#encode(piece));
  }

  /** All that is still held, to the container's end. Nothing may be pushed after it. */
  *finish(): Generator<Encoded> {
    yield* this.#endResampler();
    const tail = this.#flush();
    if (this.#ogg) yield this.#ogg.end([...tail], this.#encodedSamples + this.#filled / BYTES_PER_SAMPLE);
    else yield* tail;
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    openEncoders--;
    this.#resampler?.[Symbol.dispose]();
    this.#codec[Symbol.dispose]();
  }

  *#endResampler(): Generator<Encoded> {
    if (!this.#resampler) return;
    using resampler = this.#resampler;
    this.#resampler = undefined;
    for (const piece of resampler.finish()) yield* this.#packaged(this.#encode(piece));
  }

  *#encode(pcm: Uint8Array): Generator<Encoded> {
    let at = 0;
    while (at < pcm.length) {
      const taken = Math.min(this.#frame.length - this.#filled, pcm.length - at);
      this.#frame.set(pcm.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled < this.#frame.length) return;
      this.#filled = 0;
      this.#encodedSamples += this.#codec.frameSamples;
      yield* this.#codec.encode(this.#frame);
    }
  }

  *#flush(): Generator<Encoded> {
    if (this.#filled > 0) yield* this.#codec.encode(this.#frame.subarray(0, this.#filled));
    yield* this.#codec.flush();
  }

  *#packaged(packets: Iterable<Encoded>): Generator<Encoded> {
    for (const packet of packets) {
      const whole = this.#ogg ? this.#ogg.push(packet) : packet;
      if (whole) yield whole;
    }
  }
}

function header(format: AudioFormat, sampleRateHz: number, extraData: Uint8Array): Uint8Array {
  if (format === "wav") return wavHeader(sampleRateHz);
  if (format === "flac") return flacHeader(extraData);
  return new Uint8Array(0);
}
