/** What the gateway answered instead of speech; or `unreachable`, or `connection_lost` of a stream under way. */
export class TtsError extends Error {
  override name = "TtsError";
  /** As an HTTP status; of a lost connection, the WebSocket's close code; of an unreachable gateway 0. */
  readonly code: number;
  /** The gateway's word for it, as docs/protocol.md lists them. */
  readonly reason: string;
  /** When to ask again, where that can help. */
  readonly retryAfterMs: number | undefined;

  constructor(code: number, reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}
