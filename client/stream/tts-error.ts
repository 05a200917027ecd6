import type { ErrorReason } from "../../protocol/errors.ts";

/**
 * What the client itself says: no gateway answers at that address (`unreachable`), a stream's connection was lost and not
 * had back (`connection_lost`), or the answer is no gateway's (`http_error`).
 */
export type ClientReason = "unreachable" | "connection_lost" | "http_error";

/** Why there is no speech, or no more of it: what the gateway said, or what the client found. Its `message` is for people. */
export class TtsError extends Error {
  /** `TtsError`, also where code was minified. */
  override name = "TtsError";
  /** As an HTTP status; of a lost connection, the WebSocket's close code; of an unreachable gateway 0. */
  readonly code: number;
  /** The gateway's word for it, or the client's own; a newer gateway may say others. */
  readonly reason: ErrorReason | ClientReason | (string & {});
  /** The field of the request that is wrong, such as `sample_rate_hz` or `fallback.0.voice`; else undefined. */
  readonly field: string | undefined;
  /** When to ask again, in ms from now; undefined where that is no help. */
  readonly retryAfterMs: number | undefined;

  /** The client makes them; a test of your own may. */
  constructor(
    code: number,
    reason: TtsError["reason"],
    message: string,
    more: { field?: string | undefined; retryAfterMs?: number | undefined } = {},
  ) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.field = more.field;
    this.retryAfterMs = more.retryAfterMs;
  }
}
