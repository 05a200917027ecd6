/** The voices of a request, each with its provider, its circuit and, where its rate is not the tape's, a resampler. */
import type { Background } from "../breaker/circuit-client.ts";
import { circuitOf } from "../breaker/circuits.ts";
import { ProviderError } from "../providers/provider.ts";
import { resampled } from "../providers/resampled.ts";
import { backendsFor } from "../setup.ts";
import type { SpeechRequest } from "../speech-request.ts";
import type { TranscoderLimits } from "../transcoder.ts";
import type { Speaker } from "./recorder.ts";

/** @param background keeps alive what a session does not wait for. */
export function speakersOf(
  { voices, region }: SpeechRequest,
  limits: TranscoderLimits,
  background: Background,
): Speaker[] {
  const { providers, transcoder } = backendsFor(region);
  const outputRateHz = voices[0].rateHz;
  return voices.map((voice) => ({
    ...voice,
    admit: () => circuitOf(voice.provider).admit(background),
    speak(utterance, signal) {
      const provider = providers.get(voice.provider);
      if (!provider) throw new ProviderError("never", "not_set_up", `there is no provider ${voice.provider} any more`);
      if (voice.rateHz === outputRateHz) return provider.speak(utterance, signal);
      const resampling = { inputRateHz: voice.rateHz, outputRateHz, transcoder, limits };
      return resampled(() => provider.speak(utterance, signal), resampling, signal);
    },
  }));
}
