/** What a speech provider is to the gateway. A new one implements this and adds a line to `registry.ts`. */
import type { Envelope } from "../../protocol/envelope.ts";

export interface Voice {
  id: string;
  name: string;
  /** Canonical BCP 47 tags the voice speaks, its own first. */
  languages: readonly [string, ...string[]];
}

/** What a provider offers; plain data, so that it can be kept for when the provider cannot be asked. */
export interface Catalog {
  voices: readonly Voice[];
  /** Of all its audio, in Hz. */
  sampleRateHz: number;
  /** Longest text of one utterance, in UTF-16 code units. */
  maxChars: number;
}

export interface Utterance {
  text: string;
  voice: string;
  /** Canonical BCP 47; undefined: the voice's own. */
  language: string | undefined;
}

/** A format event before the first audio, then audio (s16le mono) and word events as they are made. */
export type SpeechPiece = Exclude<Envelope, { type: "end" }>;

export interface Provider {
  readonly id: string;
  /** @throws GatewayError `not_ready` if it cannot be asked now, `invalid_request` if there is nowhere for it to run. */
  catalog(signal: AbortSignal): Promise<Catalog>;
  /**
   * Speaks one utterance; returning means that it is complete. Stops its work upstream when `signal` is aborted.
   * @throws ProviderError
   */
  speak(utterance: Utterance, signal: AbortSignal): AsyncIterable<SpeechPiece>;
}

/** The reason of an utterance that failed on our side, between the engine and the tape. */
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

/** What the request itself is to blame for: the provider is well, and speaks others. */
export class RequestFault extends ProviderError {
  override name = "RequestFault";

  constructor(reason: string, message: string) {
    super("never", reason, message);
  }
}
