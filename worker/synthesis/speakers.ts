/** The voices of a request, each with its provider, its circuit and, where its rate is not the stream's, a resampler. */
import type { Call, Refusal } from "../breaker/circuit-client.ts";
import { RequestFault, type Provider, type SpeechPiece, type Utterance } from "../providers/provider.ts";
import { resampled } from "../providers/resampled.ts";
import type { TranscoderLimits } from "../upstreams/transcoder.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import type { SpeakingVoice, SpeechRequest } from "./speech-request.ts";
import { promisedSpeech, type SpeechTimeouts } from "./promised-speech.ts";

/** One of the voices that may speak, and how it is asked. */
export interface Speaker extends SpeakingVoice {
  /** Whether its provider may be asked now. */
  admit: () => Promise<Call | Refusal>;
  /**
   * At the rate of the stream.
   * @param onFirstAudio told how long the provider took for its first audio, in ms.
   * @throws ProviderError
   */
  speak: (utterance: Utterance, onFirstAudio: (ms: number) => void, signal: AbortSignal) => AsyncIterable<SpeechPiece>;
}

/** What the voices need of the gateway around them. */
export interface VoiceSurroundings {
  providers: ReadonlyMap<string, Provider>;
  transcoder: Upstream | undefined;
  transcoderLimits: TranscoderLimits;
  timeouts: SpeechTimeouts;
  admit: (provider: string) => Promise<Call | Refusal>;
}

export function speakersOf(
  { voices, rateHz }: SpeechRequest,
  { providers, transcoder, transcoderLimits, timeouts, admit }: VoiceSurroundings,
): Speaker[] {
  return voices.map((voice) => ({
    ...voice,
    admit: () => admit(voice.provider),
    speak(utterance, onFirstAudio, signal) {
      const provider = providers.get(voice.provider);
      if (!provider) throw new RequestFault("not_set_up", `there is no provider ${voice.provider} any more`);
      const promises = { timeouts, rateHz: voice.rateHz, onFirstAudio };
      const speak = (either: AbortSignal) =>
        promisedSpeech((each) => provider.speak(utterance, each), promises, either);
      if (voice.rateHz === rateHz) return speak(signal);
      // The provider's time is measured in front of the resampler: a transcoder that is slow is not its fault.
      return resampled(speak, { outputRateHz: rateHz, transcoder, limits: transcoderLimits }, signal);
    },
  }));
}
