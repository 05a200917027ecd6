/** What the gateway calls the things that can go wrong; docs/protocol.md, Errors, says when each of them is said. */

/** The gateway's word for what went wrong (docs/protocol.md, Errors). */
export type ErrorReason =
  | "invalid_request"
  | "invalid_after"
  | "invalid_ack"
  | "bad_message"
  | "nothing_to_speak"
  | "not_found"
  | "unknown_session"
  | "taken_over"
  | "payload_too_large"
  | "unsupported_media_type"
  | "upgrade_required"
  | "cancelled"
  | "internal"
  | "provider_failed"
  | "transcoder_failed"
  | "circuit_open"
  | "busy"
  | "not_ready"
  | "misconfigured"
  | "transcoder_unavailable"
  | "restarting"
  | "provider_timeout";

/** The body of an error over HTTP: an RFC 9457 problem document. */
export interface Problem {
  type: "about:blank";
  title: string;
  /** The response's own status. */
  status: number;
  /** What is wrong, for people to read; the clients of the commissioned API read it too. */
  detail: string;
  reason: ErrorReason;
  /** The request field that is wrong. */
  field?: string;
}
