/** The voices of a request, each with its provider, its circuit and, where its rate is not the tape's, a resampler. */
import type { Background } from "../breaker/circuit-client.ts";
import { RequestFault } from "../providers/provider.ts";
import { resampled } from "../providers/resampled.ts";
import { backendsFor, circuitFor } from "../providers/backends.ts";
import type { SpeechRequest } from "./speech-request.ts";
import type { TranscoderLimits } from "../upstreams/transcoder.ts";
import type { Speaker } from "./recorder.ts";

/** @param background keeps alive what a session does not wait for. */
export function speakersOf(
  { voices, region, rateHz }: SpeechRequest,
  limits: TranscoderLimits,
  background: Background,
): Speaker[] {
  const { providers, transcoder } = backendsFor(region);
  return voices.map((voice) => ({
    ...voice,
    admit: () => circuitFor(voice.provider, region).admit(background),
    speak(utterance, signal) {
      const provider = providers.get(voice.provider);
      if (!provider) throw new RequestFault("not_set_up", `there is no provider ${voice.provider} any more`);
      const speak = (either: AbortSignal) => provider.speak(utterance, either);
      return resampled(speak, { outputRateHz: rateHz, announcedRateHz: voice.rateHz, transcoder, limits }, signal);
    },
  }));
}
