/** Cuts an encoded stream into messages. */
import { concat } from "../../protocol/bytes.ts";
import { messageEnd } from "../../protocol/message-size.ts";
import type { MessageLog } from "../message-log/message-log.ts";

export class MessageCutter {
  readonly #log: MessageLog;
  readonly #frameSamples: number;
  #held: Uint8Array[] = [];
  #heldSamples = 0;
  /** Where the message that is being put together ends, in samples of the stream. */
  #end: number;

  /** @param frameSamples samples in one packet of the codec, or in one frame of raw audio. */
  constructor(log: MessageLog, frameSamples: number) {
    this.#log = log;
    this.#frameSamples = frameSamples;
    this.#end = this.#nextEnd();
  }

  /** Samples without which the message is not whole. */
  get missing(): number {
    return this.#end - this.#log.end.samples - this.#heldSamples;
  }

  add(samples: number, data: Uint8Array): void {
    this.#held.push(data);
    this.#heldSamples += samples;
    if (this.missing <= 0) this.finish();
  }

  /** The message ends here, whole or not. */
  finish(): void {
    if (this.#held.length > 0) this.#log.append(this.#heldSamples, concat(this.#held));
    this.#held = [];
    this.#heldSamples = 0;
    this.#end = this.#nextEnd();
  }

  #nextEnd(): number {
    return messageEnd(this.#log.end.samples, this.#frameSamples, this.#log.settings.sampleRateHz);
  }
}
