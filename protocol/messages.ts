/** What the gateway and its clients say to each other over HTTP and the WebSocket; docs/protocol.md tells the rules. */
import type { ErrorReason } from "./errors.ts";
import type { AudioFormat } from "./formats.ts";

/** A voice, and the provider that it belongs to. */
export interface VoiceChoice {
  /** The provider's id, such as `espeak`. */
  provider: string;
  /** The voice's id, such as `en-us`; GET /v1/voices lists them. */
  voice: string;
}

/** What is to be spoken: the body of POST /v1/tts/sessions. */
export interface CreateSessionRequest extends VoiceChoice {
  /** At most 100,000 characters, unless the gateway is set up otherwise. */
  text: string;
  /** Default `pcm16`: signed 16-bit little-endian samples, mono. */
  target_format?: AudioFormat;
  /** In Hz; default: the voice's own rate, or the nearest that the format has. */
  sample_rate_hz?: number;
  /** A BCP 47 tag, such as `en-US`; default: the voice's own. */
  language?: string;
  /** Up to four voices that go on, in this order, where the one before cannot. */
  fallback?: VoiceChoice[];
}

/** The answer to POST /v1/tts/sessions. */
export interface CreateSessionResponse {
  /** The session's id, for its status and to cancel it. */
  session_id: string;
  /** The address of the session's audio: absolute, ready to connect to as it is. */
  ws_url: string;
}

/** A voice that can be asked for, as GET /v1/voices lists it. */
export interface Voice {
  /** The `voice` of a request. */
  id: string;
  /** A name for people to read. */
  name: string;
  /** The BCP 47 tag of its own language. */
  language: string;
  /** The BCP 47 tags of all languages that it speaks, its own first. */
  languages: readonly string[];
  /** The `provider` of a request. */
  provider: string;
  /** Its own sample rate, in Hz; at any other one it is resampled. */
  sample_rate_hz: number;
  /** The formats that it can be asked for in. */
  supported_formats: readonly AudioFormat[];
  /** The ISO 15924 codes of the scripts whose letters it reads, such as `Latn`; absent: its engine does not say. */
  scripts?: readonly string[];
}

/** The answer to GET /v1/voices. */
export interface VoicesResponse {
  voices: Voice[];
}

/** Where a session stands: the first two while it lives, the last three for how it ended. */
export type SessionState = "created" | "streaming" | "completed" | "failed" | "cancelled";

/** What a session has taken so far. */
export interface SessionCounts {
  /** The length of its text, in UTF-16 code units. */
  characters: number;
  /** The parts that its text is spoken in, sentences mostly. */
  segments: number;
  /** How many of the segments were spoken to their end. */
  segments_recorded: number;
  /** Requests made of providers. */
  utterances: number;
  /** How many of the requests asked again, after a failure or because the engine was busy. */
  retries: number;
  /** Audio that was spoken, in ms. */
  recorded_ms: number;
  /** Audio that an encoder was given again because the one before it was lost, in ms. */
  encoded_again_ms: number;
  /** Audio in the messages that were sent, each counted once, in ms. */
  sent_ms: number;
  /** Messages that were sent, each counted once: the `seq` of the last. */
  messages: number;
  /** Bytes of audio that were sent, each counted once. */
  bytes: number;
}

/** When a session reached what, as ISO 8601; null: not yet. */
export interface SessionTimings {
  /** When the session was asked for. */
  created_at: string;
  /** When its first connection came, and with it the work began. */
  started_at: string | null;
  /** From the first connection to the first message, in ms. */
  first_audio_ms: number | null;
  /** When it was completed, had failed or was cancelled. */
  ended_at: string | null;
}

/** The answer to GET /v1/tts/sessions/:id. */
export interface SessionStatus extends VoiceChoice {
  /** The session's id. */
  session_id: string;
  /** Where it stands. */
  state: SessionState;
  /** The BCP 47 tag that it is spoken in; null: the voice's own, and its provider has not said yet which that is. */
  language: string | null;
  /** The format of its audio. */
  target_format: AudioFormat;
  /** The sample rate of its audio, in Hz. */
  sample_rate_hz: number;
  /** What it has taken so far. */
  counts: SessionCounts;
  /** When it reached what. */
  timings: SessionTimings;
  /** The voices that took over; `provider` and `voice` stay those that were asked for. */
  notices: NoticeMessage[];
  /** The message that ended it; null: it has not ended. */
  final: TerminalMessage | null;
}

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

/** The end of a stream, and its sums: over all of it, whatever part of it this connection got. */
export interface EndOfStreamMessage {
  /** Tells it from the other messages. */
  type: "eos";
  /** The number of the last audio message; 0: there was none. */
  seq: number;
  /** The length of the audio, in ms. */
  duration_ms: number;
  /** The length of the audio, in bytes. */
  bytes: number;
}

/** Why there is no speech, or no more of it. */
export interface ErrorMessage {
  /** Tells it from the other messages. */
  type: "error";
  /** The HTTP status that means the same. */
  code: number;
  /** The gateway's word for it. */
  reason: ErrorReason;
  /** What is wrong, for people to read. */
  message: string;
  /** When to ask again, in ms from now; only where that can help. */
  retry_after_ms?: number;
}

/** Another voice goes on; said only to a client that connects with `?notices=1`, as the library does for `onNotice`. */
export interface NoticeMessage extends VoiceChoice {
  /** Tells it from the other messages. */
  type: "notice";
  /** Why the voice before it does not go on, as an error says it. */
  reason: ErrorReason;
  /** Why, for people to read. */
  message: string;
  /** Where in the stream the voice begins, in ms. */
  pts_ms: number;
  /** Whether the sentence before was broken off there, so that its end is not spoken. */
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
