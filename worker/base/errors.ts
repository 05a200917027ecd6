/** Everything that can go wrong, and what each means as an HTTP status and as a WebSocket close code. */
import { CLOSE } from "../../protocol/close-codes.ts";
import type { ErrorReason, Problem } from "../../protocol/errors.ts";
import type { ErrorMessage } from "../../protocol/messages.ts";

const REASONS = {
  invalid_request: { status: 400, close: CLOSE.policy },
  invalid_after: { status: 400, close: CLOSE.policy },
  invalid_ack: { status: 400, close: CLOSE.policy },
  bad_message: { status: 400, close: CLOSE.policy },
  nothing_to_speak: { status: 400, close: CLOSE.policy },
  not_found: { status: 404, close: CLOSE.policy },
  unknown_session: { status: 404, close: CLOSE.policy },
  taken_over: { status: 409, close: CLOSE.takenOver },
  payload_too_large: { status: 413, close: CLOSE.tooLarge },
  unsupported_media_type: { status: 415, close: CLOSE.policy },
  upgrade_required: { status: 426, close: CLOSE.policy },
  cancelled: { status: 499, close: CLOSE.normal },
  internal: { status: 500, close: CLOSE.failure },
  provider_failed: { status: 502, close: CLOSE.failure },
  transcoder_failed: { status: 502, close: CLOSE.failure },
  circuit_open: { status: 503, close: CLOSE.tryLater },
  busy: { status: 503, close: CLOSE.tryLater },
  not_ready: { status: 503, close: CLOSE.tryLater },
  misconfigured: { status: 503, close: CLOSE.failure },
  transcoder_unavailable: { status: 503, close: CLOSE.tryLater },
  restarting: { status: 503, close: CLOSE.restart },
  provider_timeout: { status: 504, close: CLOSE.failure },
} as const satisfies Record<ErrorReason, { status: number; close: number }>;

/** An expected failure, as a value that can be stored, sent and logged; `message` is for the client to read. */
export interface Failure {
  reason: ErrorReason;
  message: string;
  /** The request field that is wrong. */
  field?: string;
  /** When asking again can help, in ms. */
  retryAfterMs?: number;
}

/** Carries a {@link Failure} up to the edge. */
export class GatewayError extends Error {
  override name = "GatewayError";
  readonly failure: Failure;

  constructor(reason: ErrorReason, message: string, more: Pick<Failure, "field" | "retryAfterMs"> = {}) {
    super(message);
    this.failure = { reason, message, ...more };
  }
}

export function unknownSession(): GatewayError {
  return new GatewayError("unknown_session", "there is no such session, or it has expired");
}

/** What the client is told of a thrown value: only what was meant for it. */
export function failureOf(error: unknown): Failure {
  if (error instanceof GatewayError) return error.failure;
  return { reason: "internal", message: "the gateway failed; its log says why" };
}

export function statusOf({ reason }: Failure): number {
  return REASONS[reason].status;
}

export function closeCodeOf(reason: ErrorReason): number {
  return REASONS[reason].close;
}

export function errorMessage(failure: Failure): ErrorMessage {
  const { reason, message, retryAfterMs } = failure;
  const retry = retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs };
  return { type: "error", code: statusOf(failure), reason, message, ...retry };
}

export function problemResponse(failure: Failure): Response {
  const { reason, message, field, retryAfterMs } = failure;
  const status = statusOf(failure);
  const title = reason.replaceAll("_", " ");
  const fieldNamed = field === undefined ? {} : { field };
  const problem: Problem = { type: "about:blank", title, status, detail: message, reason, ...fieldNamed };
  const headers = new Headers({ "content-type": "application/problem+json" });
  if (reason === "upgrade_required") headers.set("upgrade", "websocket");
  if (retryAfterMs !== undefined) headers.set("retry-after", String(Math.ceil(retryAfterMs / 1000)));
  return new Response(JSON.stringify(problem), { status, headers });
}
