import {
  BYTES_PER_SAMPLE,
  encodedRate,
  resamplerPeriod,
  type AudioFormat,
  type ResumePoint,
} from "../protocol/formats.ts";
import { messageEnd } from "../protocol/message-size.ts";
import { wavHeader } from "../protocol/wav.ts";
import { openCodec, type AudioCodec, type Encoded } from "./codec.ts";
import { PacketsAlone, type Container } from "./container-format.ts";
import { FlacWriter } from "./flac.ts";
import { OggOpusWriter } from "./ogg-opus.ts";
import { OpusContinuation } from "./opus-continuation.ts";
import { Resampler } from "./resampler.ts";

export interface EncoderSettings {
  format: AudioFormat;
  /** As asked for, in Hz. */
  sampleRateHz: number;
  /** Bits per second. */
  bitrate: number | undefined;
  /** Where in a stream the encoder goes on; absent: at its start. */
  resume?: ResumePoint;
  /** First byte of the packet before `resume.outputSample`; only Opus needs it, and only when a part of the input is gone. */
  lastToc?: number;
}

/** No encoder can go on at the point it was given; the message says why. */
export class ResumeError extends Error {
  override name = "ResumeError";
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
 *
 * With a `resume` it goes on in the middle: what comes before `outputSample` is encoded, so that the codec finds its state,
 * and dropped. What follows continues the stream's container.
 */
export class StreamEncoder implements Disposable {
  /** Rate of what comes out, in Hz. */
  readonly sampleRateHz: number;
  /** Encoder delay in samples at `sampleRateHz`: mp3 1105 (its decoder's 529 included), aac 2048, opus 6.5 ms, else 0. */
  readonly delaySamples: number;
  /** Samples in a packet, at `sampleRateHz`. */
  readonly frameSamples: number;
  /** What the container puts first; empty for formats without one, and in the middle of a stream. */
  readonly header: Uint8Array;
  readonly #resume: ResumePoint;
  readonly #codec: AudioCodec;
  readonly #container: Container;
  readonly #frame: Uint8Array;
  #filled = 0;
  /** Where `#frame` begins in the stream, in samples at `sampleRateHz`. */
  #frameStart = 0;
  /** Where the codec's next packet begins. */
  #packetStart = 0;
  #inputRateHz: number | undefined;
  #resampler: Resampler | undefined;
  #disposed = false;

  /** @throws ResumeError when `resume.outputSample` is not the end of a packet, for Opus of a page. */
  constructor({ format, sampleRateHz: askedRateHz, bitrate, resume, lastToc }: EncoderSettings) {
    this.sampleRateHz = encodedRate(format, askedRateHz);
    this.#resume = resume ?? { inputSample: 0, outputSample: 0 };
    // Given the whole input, the encoder that began the stream makes the same packets again.
    const isSameAgain = this.#resume.inputSample === 0;
    const codec =
      format === "opus" && !isSameAgain
        ? new OpusContinuation(this.sampleRateHz, bitrate!, lastToc!)
        : openCodec(format, this.sampleRateHz, bitrate);
    openEncoders++;
    this.#codec = codec;
    this.delaySamples = codec.delaySamples;
    this.frameSamples = codec.frameSamples;
    this.#frame = new Uint8Array(codec.frameSamples * BYTES_PER_SAMPLE);
    try {
      this.#checkBorder(format);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
    this.#container = this.#openContainer(format, askedRateHz);
    this.header = this.#resume.outputSample === 0 ? this.#container.header : new Uint8Array(0);
  }

  /**
   * The PCM that follows has this rate. What the resampler still holds of the PCM before comes out.
   * @throws ResumeError when the first rate does not fit the point at which the stream is to go on.
   */
  *setInputRate(hz: number): Generator<Encoded> {
    if (hz === this.#inputRateHz) return;
    const isFirst = this.#inputRateHz === undefined;
    if (isFirst) this.#begin(hz);
    yield* this.#endResampler();
    this.#inputRateHz = hz;
    if (hz === this.sampleRateHz) return;
    this.#resampler = new Resampler(hz, this.sampleRateHz, isFirst ? this.#resume.inputSample : 0);
  }

  /** @param pcm whole samples, s16le mono. */
  *push(pcm: Uint8Array): Generator<Encoded> {
    if (!this.#resampler) yield* this.#packaged(this.#encode(pcm));
    else for (const piece of this.#resampler.push(pcm)) yield* this.#packaged(this.#encode(piece));
  }

  /**
   * All that is still held, to the container's end. Nothing may be pushed after it.
   * @throws ResumeError when the stream ends before the point at which it was to go on.
   */
  *finish(): Generator<Encoded> {
    yield* this.#endResampler();
    const tail = [...this.#wanted(this.#flush())];
    const { outputSample } = this.#resume;
    if (this.#packetStart < outputSample) {
      throw new ResumeError(`output_sample is ${outputSample}, but the stream ends at ${this.#packetStart}`);
    }
    yield* this.#container.end(tail, this.#frameStart + this.#filled / BYTES_PER_SAMPLE);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    openEncoders--;
    this.#resampler?.[Symbol.dispose]();
    this.#codec[Symbol.dispose]();
  }

  #checkBorder(format: AudioFormat): void {
    const { frameSamples, sampleRateHz } = this;
    const { outputSample } = this.#resume;
    if (outputSample % frameSamples !== 0) {
      throw new ResumeError(
        `output_sample of ${format} at ${sampleRateHz} Hz must be a multiple of ${frameSamples}, not ${outputSample}`,
      );
    }
    if (format !== "opus" || outputSample === 0) return;
    const pageEnd = messageEnd(outputSample - frameSamples, frameSamples, sampleRateHz);
    if (pageEnd !== outputSample) {
      throw new ResumeError(`output_sample of opus must be the end of a page, such as ${pageEnd}, not ${outputSample}`);
    }
  }

  #openContainer(format: AudioFormat, askedRateHz: number): Container {
    const { sampleRateHz } = this;
    const startSample = this.#resume.outputSample;
    if (format === "opus") return new OggOpusWriter(this.#codec, { askedRateHz, sampleRateHz, startSample });
    if (format === "flac") return new FlacWriter(this.#codec.extraData, startSample / this.frameSamples);
    return new PacketsAlone(format === "wav" ? wavHeader(sampleRateHz) : new Uint8Array(0));
  }

  /** Finds the place of the first sample of input. The part of its frame before it is silence. */
  #begin(inputRateHz: number): void {
    const { inputSample, outputSample } = this.#resume;
    const period = resamplerPeriod(inputRateHz, this.sampleRateHz);
    if (inputSample % period !== 0) {
      throw new ResumeError(
        `input_sample must be a multiple of ${period} for input of ${inputRateHz} Hz, not ${inputSample}`,
      );
    }
    const start = (inputSample / period) * resamplerPeriod(this.sampleRateHz, inputRateHz);
    if (start > outputSample) {
      throw new ResumeError(`output_sample is ${outputSample}, but the input begins after it, at ${start}`);
    }
    const before = start % this.frameSamples;
    this.#frameStart = start - before;
    this.#packetStart = this.#frameStart;
    this.#filled = before * BYTES_PER_SAMPLE;
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
      const isRunUp = this.#frameStart < this.#resume.outputSample;
      this.#frameStart += this.frameSamples;
      yield* this.#codec.encode(this.#frame, isRunUp);
    }
  }

  *#flush(): Generator<Encoded> {
    if (this.#filled > 0) yield* this.#codec.encode(this.#frame.subarray(0, this.#filled), false);
    yield* this.#codec.flush();
  }

  *#packaged(packets: Iterable<Encoded>): Generator<Encoded> {
    for (const packet of this.#wanted(packets)) {
      const piece = this.#container.push(packet);
      if (piece) yield piece;
    }
  }

  /** The packets from `outputSample` on; those before it are the run-up. */
  *#wanted(packets: Iterable<Encoded>): Generator<Encoded> {
    for (const packet of packets) {
      const isRunUp = this.#packetStart < this.#resume.outputSample;
      this.#packetStart += packet.samples;
      if (!isRunUp) yield packet;
    }
  }
}
