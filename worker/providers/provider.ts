/** What a speech provider is to the gateway. A new one implements this and adds a line to `registry.ts`. */
import type { Envelope } from "../../protocol/envelope.ts";

export interface Voice {
  id: string;
  name: string;
  /** Canonical BCP 47 tags the voice speaks, its own first. */
  languages: readonly [string, ...string[]];
  /** ISO 15924 codes of the scripts whose letters it reads; undefined: it has not said. */
  scripts?: readonly string[];
}

/** What a provider offers; plain data, so that it can be kept for when the provider cannot be asked. */
export interface Catalog {
  voices: readonly Voice[];
  /** Of all its audio, in Hz: a whole number of RATE_RANGE_HZ. */
  sampleRateHz: number;
  /** Longest text of one utterance, in UTF-16 code units; at least 1. */
  maxChars: number;
}

export interface Utterance {
  text: string;
  voice: string;
  /** Canonical BCP 47; undefined: the voice's own. */
  language: string | undefined;
  /** For a provider that gives its audio at real time. */
  place?: {
    /** Where in the stream the utterance begins, in ms and to the sample. */
    startMs: number;
    /** When the stream would have begun if it had been spoken at real time, in ms since 1970. */
    streamBeganAt: number;
  };
}

/** A format event before the first audio, then audio (s16le mono) and word events as they are made. */
export type SpeechPiece = Exclude<Envelope, { type: "end" }>;

export interface Provider {
  readonly id: string;
  /** The circuit that its calls count in; two places where it runs apart from each other have two. */
  readonly circuitName: string;
  /**
   * @throws GatewayError `not_ready` if it cannot be asked now, `misconfigured` if the gateway is set up wrongly for it,
   * `invalid_request` if there is nowhere for it to run.
   */
  catalog(signal: AbortSignal): Promise<Catalog>;
  /**
   * Speaks one utterance; returning means that it is complete. Stops its work upstream when `signal` is aborted.
   * @throws ProviderError
   */
  speak(utterance: Utterance, signal: AbortSignal): AsyncIterable<SpeechPiece>;
}

/** The reason of an utterance that the provider refused because of how the gateway is set up. */
export const MISCONFIGURED = "misconfigured";

/** The reason of an utterance that failed on our side, between the engine and the encoder. */
export const RESAMPLER_FAILED = "resampler_failed";

/** Why an utterance failed: `again` says whether, and how, another attempt can help. */
export class ProviderError extends Error {
  override name = "ProviderError";
  readonly again: "never" | "retry" | "when_free";
  readonly retryAfterMs: number | undefined;
  /** The engine's own word for it, as its contract lists them. */
  readonly reason: string;

  constructor(again: ProviderError["again"], reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.again = again;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Only this request cannot be spoken: it is faulty, or the engine says that asking for the same text again is no use. The
 * provider is well, and speaks other requests.
 */
export class RequestFault extends ProviderError {
  override name = "RequestFault";

  constructor(reason: string, message: string) {
    super("never", reason, message);
  }
}

/** The gateway is set up wrongly: it lacks what the provider wants to see from everybody, a key for example. */
export class Misconfiguration extends ProviderError {
  override name = "Misconfiguration";

  constructor(message: string) {
    super("never", MISCONFIGURED, message);
  }
}
