/** Speech at another rate than its voice has, for a stream that another voice began: by the transcoder's resampler. */
import { encodeAudio, encodeEnd, encodeEvent, type WordEvent } from "../../protocol/envelope.ts";
import { GatewayError } from "../errors.ts";
import { transcode, type TranscoderLimits } from "../transcoder.ts";
import type { Upstream } from "../upstream.ts";
import { ProviderError, type SpeechPiece } from "./provider.ts";

export interface Resampling {
  inputRateHz: number;
  outputRateHz: number;
  transcoder: Upstream | undefined;
  limits: TranscoderLimits;
}

/** @throws ProviderError, also where it is the transcoder that failed: asking again can help then. */
export async function* resampled(
  speech: () => AsyncIterable<SpeechPiece>,
  { inputRateHz, outputRateHz, transcoder, limits }: Resampling,
  signal: AbortSignal,
): AsyncGenerator<SpeechPiece> {
  let failure: unknown;
  let words: WordEvent[] = [];

  async function* envelopes(): AsyncGenerator<Uint8Array> {
    [failure, words] = [undefined, []];
    try {
      for await (const piece of speech()) {
        if (piece.type === "audio") yield encodeAudio(piece.samples, piece.data);
        else if (piece.event.type === "word") words.push(piece.event);
        else if (piece.event.sample_rate === inputRateHz) yield encodeEvent(piece.event);
        else throw new ProviderError("never", "wrong_rate", `${piece.event.sample_rate} Hz, not ${inputRateHz} Hz`);
      }
      yield encodeEnd();
    } catch (error) {
      failure = error;
      throw error;
    }
  }

  const scaled = ({ sample, ...word }: WordEvent): SpeechPiece => {
    return { type: "event", event: { ...word, sample: Math.round((sample * outputRateHz) / inputRateHz) } };
  };
  const target = { format: "pcm16", sampleRateHz: outputRateHz, inputRateHz } as const;
  yield { type: "event", event: { type: "format", sample_rate: outputRateHz } };
  try {
    for await (const { samples, data } of transcode(transcoder, target, envelopes, limits, signal)) {
      yield* words.map(scaled);
      words = [];
      yield { type: "audio", samples, data };
    }
    yield* words.map(scaled);
  } catch (error) {
    if (failure) throw failure;
    if (error instanceof GatewayError) throw new ProviderError("retry", error.failure.reason, error.message);
    throw error;
  }
}
