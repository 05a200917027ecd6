/** What the gateway and its clients say to each other over HTTP and the WebSocket; docs/protocol.md tells the rules. */
import type { AudioFormat } from "./formats.ts";

/** The body of POST /v1/tts/sessions. */
export interface CreateSessionRequest {
  provider: string;
  voice: string;
  /** At most 100,000 characters unless the gateway is set up otherwise. */
  text: string;
  /** Default pcm16. */
  target_format?: AudioFormat;
  /** Hz; default: the voice's own rate, or the nearest the format has. */
  sample_rate_hz?: number;
  /** BCP 47; default: the voice's own. */
  language?: string;
  /** Voices that go on where the one before cannot, in this order. */
  fallback?: { provider: string; voice: string }[];
}

export interface CreateSessionResponse {
  session_id: string;
  /** Absolute; ready to connect to as it is. */
  ws_url: string;
}

export type SessionState = "created" | "streaming" | "completed" | "failed" | "cancelled";

/** Offered as a WebSocket subprotocol, it makes every audio message one binary frame: u32 big-endian seq, then the bytes. */
export const BINARY_SUBPROTOCOL = "tts.v1.binary";

/** Length of the seq in front of a binary frame's audio, in bytes. */
export const BINARY_HEADER_BYTES = 4;

export interface AudioMessage {
  type: "audio";
  /** 1, 2, 3, ... without a hole. */
  seq: number;
  /** Base64. */
  data: string;
  /** When its first sample is heard, in ms from the stream's start. */
  pts_ms: number;
}

export interface EndOfStreamMessage {
  type: "eos";
  /** Of the last audio message; 0: there was none. */
  seq: number;
  /** Sums over the whole stream, whatever part of it this connection got. */
  duration_ms: number;
  bytes: number;
}

export interface ErrorMessage {
  type: "error";
  /** As an HTTP status. */
  code: number;
  reason: string;
  message: string;
  /** When to ask again; only where that can help. */
  retry_after_ms?: number;
}

/** Another voice goes on; only for a client that connects with `?notices=1`. */
export interface NoticeMessage {
  type: "notice";
  /** Why the voice before it does not go on, in the words of an error. */
  reason: string;
  message: string;
  provider: string;
  voice: string;
  /** Where in the stream it begins, in ms. */
  pts_ms: number;
  /** The sentence before was broken off there, and its end is not spoken. */
  is_cut: boolean;
}

export type ServerMessage = AudioMessage | NoticeMessage | EndOfStreamMessage | ErrorMessage;

/** Ends a session: sent once to each connection, then the connection is closed. */
export type TerminalMessage = EndOfStreamMessage | ErrorMessage;

/** Everything up to `seq` was consumed. */
export interface AckMessage {
  type: "ack";
  seq: number;
}

export interface CancelMessage {
  type: "cancel";
}

export type ClientMessage = AckMessage | CancelMessage;

/** The `reason` of the one error that leaves its session as it is: its connection is closed with 1012. */
export const RESTARTING = "restarting";
