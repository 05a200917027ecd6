import { concat } from "../protocol/bytes.ts";
import { BYTES_PER_SAMPLE } from "../protocol/formats.ts";
import { isCeltAlone } from "../protocol/opus-mode.ts";
import { openCodec, type AudioCodec, type Encoded } from "./codec.ts";

/** By so much libopus's "audio" is later than its "lowdelay" (opus_encoder.c, delay_compensation), as a part of a second. */
const LATER = 1 / 250;

/**
 * Asked for this bit rate or more, CELT alone sounds as good as what libopus chooses (eSpeak's voices, PESQ within 0.2; at
 * 16 kb/s worse by 1), for up to 1.6 times the bytes: it spends more than it is asked for on voices.
 */
const MIN_BITRATE = 24_000;

/**
 * Opus for the rest of a stream whose encoder is gone: CELT alone.
 *
 * The encoder that began the stream chooses from packet to packet between SILK and CELT. Another one cannot go on with SILK,
 * whose decoder predicts from samples that it has not made: measured over 140 seams in speech and sweeps, after any run-up
 * of 0.4 to 3 s, the level fell by up to 10 dB, and by up to 19 dB where the two had chosen differently. It can with CELT:
 *
 * - After a packet of CELT, a run-up brings it to the state of the decoder.
 * - After a packet of SILK the decoder itself crosses over, and begins CELT from nothing (RFC 6716, section 4.5): so
 *   does the encoder, with the first packet that is kept.
 */
export class OpusContinuation implements AudioCodec {
  readonly frameSamples: number;
  readonly delaySamples: number;
  readonly extraData: Uint8Array;
  readonly #codec: AudioCodec;
  readonly #beginsAnew: boolean;
  readonly #frameBytes: number;
  readonly #lateBytes: number;
  /** What comes later than it is given: the first encoder's delay is longer. */
  #held: Uint8Array;

  /**
   * @param bitrate of the encoder that began the stream, in bits per second; lower ones are raised to 24,000.
   * @param lastToc first byte of the packet after which this one goes on.
   */
  constructor(sampleRateHz: number, bitrate: number, lastToc: number) {
    const codec = openCodec("celt", sampleRateHz, Math.max(bitrate, MIN_BITRATE));
    const lateSamples = sampleRateHz * LATER;
    this.#codec = codec;
    this.frameSamples = codec.frameSamples;
    this.delaySamples = codec.delaySamples + lateSamples;
    this.extraData = codec.extraData;
    this.#beginsAnew = !isCeltAlone(lastToc);
    this.#frameBytes = codec.frameSamples * BYTES_PER_SAMPLE;
    this.#lateBytes = lateSamples * BYTES_PER_SAMPLE;
    this.#held = new Uint8Array(this.#lateBytes);
  }

  *encode(frame: Uint8Array, isRunUp: boolean): Generator<Encoded> {
    this.#held = concat([this.#held, frame]);
    if (this.#held.length < this.#frameBytes + this.#lateBytes) return; // the last frame
    const due = this.#take();
    if (isRunUp && this.#beginsAnew) yield { samples: this.frameSamples, data: new Uint8Array(0) };
    else yield* this.#codec.encode(due, isRunUp);
  }

  *flush(): Generator<Encoded> {
    while (this.#held.length > 0) yield* this.#codec.encode(this.#take(), false);
    yield* this.#codec.flush();
  }

  #take(): Uint8Array {
    const taken = this.#held.subarray(0, this.#frameBytes);
    this.#held = this.#held.subarray(this.#frameBytes);
    return taken;
  }

  [Symbol.dispose](): void {
    this.#codec[Symbol.dispose]();
  }
}
