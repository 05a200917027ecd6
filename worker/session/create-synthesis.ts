/** A synthesis as this Worker is set up: its settings, its providers and transcoder, their circuits. */
import type { Background } from "../breaker/circuit-client.ts";
import { config } from "../config/config.ts";
import type { LogStore } from "../message-log/message-log.ts";
import { backendsFor, circuitFor } from "../providers/backends.ts";
import type { SpeechRequest } from "../synthesis/speech-request.ts";
import { Synthesis, type SynthesisEvents } from "../synthesis/synthesis.ts";

const SETTINGS = {
  retries: {
    attempts: config.PROVIDER_ATTEMPTS,
    busyMs: config.FIRST_AUDIO_TIMEOUT_MS,
    goneMs: config.PROVIDER_WAIT_MS,
  },
  leadMs: config.LEAD_MS,
};

const TIMEOUTS = { firstAudioMs: config.FIRST_AUDIO_TIMEOUT_MS, gapMs: config.GAP_TIMEOUT_MS };
const TRANSCODER_LIMITS = { waitMs: config.TRANSCODER_WAIT_MS, stallMs: config.TRANSCODER_STALL_MS };

/** @param background keeps alive what a session does not wait for. */
export function createSynthesis(
  request: SpeechRequest,
  store: LogStore,
  background: Background,
  events: SynthesisEvents,
): Synthesis {
  const surroundings = {
    ...backendsFor(request.region),
    transcoderLimits: TRANSCODER_LIMITS,
    timeouts: TIMEOUTS,
    admit: (provider: string) => circuitFor(provider, request.region).admit(background),
  };
  return new Synthesis(request, store, surroundings, SETTINGS, events);
}
