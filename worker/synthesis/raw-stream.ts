/** A stream whose audio is the PCM itself: pcm16 and wav at the voice's own rate, which need no transcoder. */
import { BYTES_PER_SAMPLE } from "../../protocol/formats.ts";
import { wavHeader } from "../../protocol/wav.ts";
import type { MessageLog } from "../message-log/message-log.ts";
import { MessageCutter } from "./message-cutter.ts";
import type { PcmSink } from "./track.ts";

/** Frames a second, as the transcoder makes them too. */
const FRAMES_PER_SECOND = 50;

export class RawStream implements PcmSink {
  end: number;
  readonly #cutter: MessageCutter;

  /** Goes on at the end of `log`. */
  constructor(log: MessageLog, isWav: boolean) {
    const { sampleRateHz } = log.settings;
    this.end = log.end.samples;
    this.#cutter = new MessageCutter(log, Math.floor(sampleRateHz / FRAMES_PER_SECOND));
    if (isWav && log.end.seq === 0) this.#cutter.add(0, wavHeader(sampleRateHz));
  }

  push(pcm: Uint8Array): void {
    for (let rest = pcm; rest.length > 0;) {
      const piece = rest.subarray(0, this.#cutter.missing * BYTES_PER_SAMPLE);
      rest = rest.subarray(piece.length);
      this.end += piece.length / BYTES_PER_SAMPLE;
      this.#cutter.add(piece.length / BYTES_PER_SAMPLE, piece);
    }
  }

  finish(): void {
    this.#cutter.finish();
  }
}
