/** The client library, as a page or a package imports it. Everything it exports is told in docs/client.md. */
export { TtsClient } from "./tts-client.ts";
export { TtsError, type ClientReason } from "./stream/tts-error.ts";
export type { AudioChunk, StreamOptions } from "./stream/stream-options.ts";
export type { AudioFormat } from "../protocol/formats.ts";
export type { ErrorReason } from "../protocol/errors.ts";
export type {
  CreateSessionRequest,
  CreateSessionResponse,
  EndOfStreamMessage,
  ErrorMessage,
  NoticeMessage,
  SessionCounts,
  SessionState,
  SessionStatus,
  SessionTimings,
  TerminalMessage,
  Voice,
  VoiceChoice,
} from "../protocol/messages.ts";
