/** A stream that the transcoder encodes. */
import { FORMAT_TRAITS } from "../../protocol/formats.ts";
import { log as logEvent } from "../base/log.ts";
import type { MessageLog } from "../message-log/message-log.ts";
import { encode, type Encoder } from "../upstreams/encoder.ts";
import { PcmBuffer } from "../upstreams/pcm-buffer.ts";
import { MessageCutter } from "./message-cutter.ts";
import type { PcmSink } from "./track.ts";

export class EncodedStream implements PcmSink {
  readonly #log: MessageLog;
  readonly #encoder: Omit<Encoder, "onLost">;
  readonly #signal: AbortSignal;
  readonly #pcm: PcmBuffer;
  readonly #start: number;
  /** The PCM that the log has already. */
  readonly #heard: number;

  /** Goes on at the end of `log`: the encoder hears a run-up of PCM before that. */
  constructor(log: MessageLog, encoder: Omit<Encoder, "onLost">, signal: AbortSignal) {
    this.#log = log;
    this.#encoder = encoder;
    this.#signal = signal;
    this.#start = log.settings.runUpStart(log.end.samples);
    this.#heard = log.pcmEnd;
    this.#pcm = new PcmBuffer(log.settings.pcmRateHz, this.#start);
  }

  get end(): number {
    return this.#pcm.end;
  }

  /** Nothing was recorded that the log has not: there is nothing to encode. */
  get isEmpty(): boolean {
    return this.#pcm.end <= this.#heard;
  }

  async push(pcm: Uint8Array): Promise<void> {
    await this.#pcm.room(this.#signal);
    this.#pcm.push(pcm);
  }

  finish(): void {
    this.#pcm.finish();
  }

  /** Encodes to the log what is pushed, to its end. @throws GatewayError if it cannot be, and the signal's reason. */
  async run(): Promise<void> {
    const { seq, samples: outputSample } = this.#log.end;
    const lastPacket = seq > 0 ? this.#log.reader()(seq).data : undefined;
    if (seq > 0) this.#resumed(this.#heard - this.#start);
    let cutter: MessageCutter | undefined;
    const encoder = { ...this.#encoder, onLost: (samples: number) => this.#resumed(samples) };
    for await (const piece of encode(encoder, this.#pcm, { outputSample, lastPacket }, this.#signal)) {
      if (piece.type === "audio") {
        if (!cutter) throw new Error("the transcoder sent audio before its format");
        cutter.add(piece.samples, piece.data);
      } else if (!cutter) {
        const { delay = 0, frame } = piece.event;
        if (!frame) throw new Error("the transcoder did not say how long its frames are");
        this.#log.delaySamples = delay;
        cutter = new MessageCutter(this.#log, frame);
      }
    }
    cutter?.finish();
  }

  /** A new encoder is given PCM that another was given before. */
  #resumed(pcmSamples: number): void {
    const ms = Math.round((pcmSamples * 1000) / this.#pcm.rateHz);
    this.#log.counts.encodedAgainMs += ms;
    const { format } = this.#encoder.target;
    logEvent("encoder_resumed", { format, run_up_ms: FORMAT_TRAITS[format].runUpMs, encoded_again_ms: ms });
  }
}
