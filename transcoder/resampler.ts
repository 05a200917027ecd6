import { AV_CHANNEL_LAYOUT_MONO, AV_SAMPLE_FMT_S16 } from "node-av/constants";
import { FFmpegError, SoftwareResampleContext } from "node-av/lib";
import { BYTES_PER_SAMPLE } from "../protocol/formats.ts";

/** Input is resampled in blocks of this many a second (10 ms each). */
const BLOCKS_PER_SECOND = 100;

/**
 * Changes the sample rate of s16le mono, by libswresample in integer arithmetic: the same bytes on every CPU.
 *
 * The output has ceil(samples × to / from) samples, aligned with the input: the filter's delay is already taken out.
 */
export class Resampler implements Disposable {
  readonly #fromHz: number;
  readonly #toHz: number;
  readonly #context = new SoftwareResampleContext();
  /**
   * libswresample's output depends, rarely, on how its input was cut (22050 → 11111 Hz fed sample by sample differs
   * after 1615 samples). Blocks that always end at the same samples of the stream make it a function of the samples alone.
   */
  readonly #block: Buffer;
  #blockStart: number;
  #filled: number;
  #out: Buffer;
  /** The last sample that was consumed. */
  readonly #last = new Uint8Array(BYTES_PER_SAMPLE);
  #consumed = 0;
  #produced = 0;

  /**
   * @param firstSample index in the stream of the first sample that is pushed. At a multiple of `resamplerPeriod()` the
   * output is, once the filter has filled, the same bytes as that of a resampler that began at sample 0.
   */
  constructor(fromHz: number, toHz: number, firstSample = 0) {
    this.#fromHz = fromHz;
    this.#toHz = toHz;
    const blockSamples = Math.floor(fromHz / BLOCKS_PER_SECOND);
    this.#block = Buffer.alloc(blockSamples * BYTES_PER_SAMPLE);
    this.#blockStart = (firstSample % blockSamples) * BYTES_PER_SAMPLE;
    this.#filled = this.#blockStart;
    this.#out = Buffer.alloc(0);
    const mono = AV_CHANNEL_LAYOUT_MONO;
    FFmpegError.throwIfError(
      this.#context.allocSetOpts2(mono, AV_SAMPLE_FMT_S16, toHz, mono, AV_SAMPLE_FMT_S16, fromHz),
      "swr_alloc_set_opts2",
    );
    FFmpegError.throwIfError(this.#context.init(), "swr_init");
  }

  /** Resampled pieces, each valid until the next is taken. */
  *push(pcm: Uint8Array): Generator<Uint8Array> {
    let at = 0;
    while (at < pcm.length) {
      const taken = Math.min(this.#block.length - this.#filled, pcm.length - at);
      this.#block.set(pcm.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled === this.#block.length) yield this.#convert();
    }
  }

  /** What the filter still holds. Nothing may be pushed after it. */
  *finish(): Generator<Uint8Array> {
    if (this.#filled > this.#blockStart) yield this.#convert();
    const total = Math.ceil((this.#consumed * this.#toHz) / this.#fromHz);
    const tail = this.#drain(null, 0);
    yield tail.subarray(0, Math.max(0, total - this.#produced) * BYTES_PER_SAMPLE);
    this.#produced += tail.length / BYTES_PER_SAMPLE;
    // libswresample may stop a sample short, and gives nothing for an input shorter than its filter (a millisecond).
    const missing = total - this.#produced;
    if (missing > 0) yield Buffer.alloc(missing * BYTES_PER_SAMPLE, this.#last);
  }

  #convert(): Uint8Array {
    const input = this.#block.subarray(this.#blockStart, this.#filled);
    const samples = input.length / BYTES_PER_SAMPLE;
    const out = this.#drain([input], samples);
    this.#last.set(input.subarray(-BYTES_PER_SAMPLE));
    this.#blockStart = 0; // only the first block may begin in its middle
    this.#filled = 0;
    this.#consumed += samples;
    this.#produced += out.length / BYTES_PER_SAMPLE;
    return out;
  }

  #drain(input: Buffer[] | null, samples: number): Uint8Array {
    const room = this.#context.getOutSamples(samples);
    if (this.#out.length < room * BYTES_PER_SAMPLE) this.#out = Buffer.alloc(room * BYTES_PER_SAMPLE);
    const made = this.#context.convertSync([this.#out], room, input, samples);
    FFmpegError.throwIfError(made, "swr_convert");
    return this.#out.subarray(0, made * BYTES_PER_SAMPLE);
  }

  [Symbol.dispose](): void {
    this.#context.free();
  }
}
