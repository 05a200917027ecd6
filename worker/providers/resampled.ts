/** Speech at the rate a stream began with, for a voice that has another: by the transcoder's resampler. */
import type { WordEvent } from "../../protocol/envelope.ts";
import { GatewayError } from "../base/errors.ts";
import { encode, type Encoder } from "../upstreams/encoder.ts";
import { PcmBuffer } from "../upstreams/pcm-buffer.ts";
import { ProviderError, RESAMPLER_FAILED, type SpeechPiece } from "./provider.ts";

export interface Resampling extends Omit<Encoder, "target" | "onLost"> {
  outputRateHz: number;
}

/**
 * @param speak begins with a format event, whose rate is taken as it is if it is the stream's.
 * @throws ProviderError of `speak`, and RESAMPLER_FAILED.
 */
export async function* resampled(
  speak: (signal: AbortSignal) => AsyncIterable<SpeechPiece>,
  { outputRateHz, transcoder, limits }: Resampling,
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
    yield { type: "event", event: { type: "format", sample_rate: outputRateHz } };
    if (inputRateHz === outputRateHz) return yield* { [Symbol.asyncIterator]: () => speech };

    const pcm = new PcmBuffer(inputRateHz, 0);
    let words: WordEvent[] = [];
    const takeWords = (): SpeechPiece[] => {
      const taken = words.map(({ sample, ...word }): SpeechPiece => {
        return { type: "event", event: { ...word, sample: Math.round((sample * outputRateHz) / inputRateHz) } };
      });
      words = [];
      return taken;
    };
    const speaking = (async () => {
      for (;;) {
        await pcm.room(either);
        const { done, value } = await speech.next();
        if (done) return pcm.finish();
        if (value.type === "audio") pcm.push(value.data);
        else if (value.event.type === "word") words.push(value.event);
      }
    })();
    speaking.catch(() => left.abort()); // what the resampler still holds is spoken again, if anybody can
    const resampler = {
      transcoder,
      limits,
      target: { format: "pcm16", sampleRateHz: outputRateHz },
      onLost: () => {},
    } as const;
    try {
      for await (const piece of encode(resampler, pcm, { outputSample: 0, lastPacket: undefined }, either)) {
        if (piece.type !== "audio") continue;
        yield* takeWords();
        yield piece;
      }
    } catch (error) {
      if (left.signal.aborted) await speaking; // throws what it failed of
      if (error instanceof GatewayError) throw new ProviderError("retry", RESAMPLER_FAILED, error.message);
      throw error;
    }
    yield* takeWords();
  } finally {
    left.abort(); // or the engine would go on for a resampler that is gone
    speech.return?.().catch(() => {});
  }
}
