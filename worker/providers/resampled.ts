/** Speech at the rate a stream began with, for a voice that has another: by the transcoder's resampler. */
import { encodeAudio, encodeEnd, encodeEvent, type WordEvent } from "../../protocol/envelope.ts";
import { GatewayError } from "../base/errors.ts";
import { transcode, type TranscoderLimits } from "../upstreams/transcoder.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import { ProviderError, RESAMPLER_FAILED, type SpeechPiece } from "./provider.ts";

export interface Resampling {
  /** What the provider said of its audio; undefined: it was never asked. */
  announcedRateHz: number | undefined;
  outputRateHz: number;
  transcoder: Upstream | undefined;
  limits: TranscoderLimits;
}

/**
 * @param speak begins with a format event, whose rate is taken as it is if it is the stream's.
 * @throws ProviderError of `speak`, and RESAMPLER_FAILED.
 */
export async function* resampled(
  speak: (signal: AbortSignal) => AsyncIterable<SpeechPiece>,
  { announcedRateHz, outputRateHz, transcoder, limits }: Resampling,
  signal: AbortSignal,
): AsyncGenerator<SpeechPiece> {
  const left = new AbortController();
  const either = AbortSignal.any([signal, left.signal]);
  const speech = speak(either)[Symbol.asyncIterator]();
  try {
    const first = await speech.next();
    if (first.done || first.value.type !== "event" || first.value.event.type !== "format") {
      throw new ProviderError("retry", "broken_stream", "its speech has no format");
    }
    const { sample_rate: inputRateHz } = first.value.event;
    if (announcedRateHz !== undefined && inputRateHz !== announcedRateHz) {
      const rates = `${inputRateHz} Hz, not the ${announcedRateHz} Hz that were announced`;
      throw new ProviderError("never", "wrong_rate", rates);
    }
    yield { type: "event", event: { type: "format", sample_rate: outputRateHz } };
    if (inputRateHz === outputRateHz) return yield* { [Symbol.asyncIterator]: () => speech };

    let words: WordEvent[] = [];
    let isHeard = false;
    // Kept until the first audio is back: a transcoder that cannot be reached is tried again, the engine is not.
    const pieces = new Map<number, Promise<SpeechPiece | undefined>>();
    let failure: unknown;
    const read = async (): Promise<SpeechPiece | undefined> => {
      try {
        const { value, done } = await speech.next();
        if (done) return undefined;
        if (value.type === "event" && value.event.type === "word") words.push(value.event);
        return value;
      } catch (error) {
        failure = error;
        return undefined;
      }
    };
    async function* envelopes(): AsyncGenerator<Uint8Array> {
      yield encodeEvent({ type: "format", sample_rate: inputRateHz });
      for (let i = 0; ; i++) {
        const reading = pieces.get(i) ?? read();
        pieces.set(i, reading);
        const piece = await reading;
        if (isHeard) pieces.delete(i);
        if (!piece) break;
        if (piece.type === "audio") yield encodeAudio(piece.samples, piece.data);
      }
      if (failure === undefined) yield encodeEnd(); // without one the transcoder gives up what it has
    }
    const scaled = ({ sample, ...word }: WordEvent): SpeechPiece => {
      return { type: "event", event: { ...word, sample: Math.round((sample * outputRateHz) / inputRateHz) } };
    };
    const target = { format: "pcm16", sampleRateHz: outputRateHz, inputRateHz } as const;
    try {
      for await (const { samples, data } of transcode(transcoder, target, envelopes, limits, either)) {
        isHeard = true;
        yield* words.map(scaled);
        words = [];
        yield { type: "audio", samples, data };
      }
    } catch (error) {
      if (failure !== undefined) throw failure;
      if (error instanceof GatewayError) throw new ProviderError("retry", RESAMPLER_FAILED, error.message);
      throw error;
    }
    yield* words.map(scaled);
  } finally {
    left.abort(); // or the engine would go on for a resampler that is gone
    speech.return?.().catch(() => {});
  }
}
