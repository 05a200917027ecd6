/** What is kept of a session beside its request and its tape, and what follows from it. */
import type { NoticeMessage, SessionState, TerminalMessage } from "../../protocol/messages.ts";
import type { SpeechRequest } from "../synthesis/speech-request.ts";

export interface SessionCounts {
  /** UTF-16 code units. */
  characters: number;
  segments: number;
  segments_recorded: number;
  /** Requests made of the provider; how many of them asked again after a failure or a "busy". */
  utterances: number;
  retries: number;
  /** Audio on the tape, and audio sent. */
  recorded_ms: number;
  sent_ms: number;
  messages: number;
  bytes: number;
}

/** Times are in ms since 1970. */
export interface Lifecycle {
  state: SessionState;
  createdAt: number;
  /** When the first connection came. */
  startedAt?: number;
  firstAudioAt?: number;
  /** When the client of a running stream went away; 0: it is there. */
  droppedAt: number;
  endedAt?: number;
  /** How it ended: told once to each connection that has the audio before it. */
  final?: TerminalMessage;
  counts?: SessionCounts;
  notices?: readonly NoticeMessage[];
}

export interface Lifetimes {
  /** How long a session waits for its first connection, ... */
  unclaimedMs: number;
  /** ... a stream for its client to come back, ... */
  graceMs: number;
  /** ... and an ended session to be asked for again. */
  endedMs: number;
}

/** When it is time to give up a session that nobody asks for; of a stream with a client, when to look again. */
export function dueAt(life: Lifecycle, lifetimes: Lifetimes, now: number): number {
  if (life.endedAt !== undefined) return life.endedAt + lifetimes.endedMs;
  if (life.startedAt === undefined) return life.createdAt + lifetimes.unclaimedMs;
  return (life.droppedAt || now) + lifetimes.graceMs;
}

export function stateAfter(final: TerminalMessage): SessionState {
  if (final.type === "eos") return "completed";
  return final.reason === "cancelled" ? "cancelled" : "failed";
}

/** Nothing has been done yet. */
const NO_WORK: Omit<SessionCounts, "characters"> = {
  segments: 0,
  segments_recorded: 0,
  utterances: 0,
  retries: 0,
  recorded_ms: 0,
  sent_ms: 0,
  messages: 0,
  bytes: 0,
};

const time = (at: number | undefined) => (at === undefined ? null : new Date(at).toISOString());

/** The body of GET /v1/tts/sessions/:id. */
export function sessionStatus(sessionId: string, request: SpeechRequest, life: Lifecycle) {
  const { state, createdAt, startedAt, firstAudioAt, endedAt, counts, notices = [] } = life;
  const [{ provider, voice, language }] = request.voices;
  return {
    session_id: sessionId,
    state,
    provider,
    voice,
    language: language ?? null,
    target_format: request.format,
    sample_rate_hz: request.sampleRateHz,
    counts: counts ?? { ...NO_WORK, characters: request.text.length },
    timings: {
      created_at: time(createdAt),
      started_at: time(startedAt),
      /** From the first connection to the first message. */
      first_audio_ms: startedAt === undefined || firstAudioAt === undefined ? null : firstAudioAt - startedAt,
      ended_at: time(endedAt),
    },
    notices,
    final: life.final ?? null,
  };
}

export type SessionStatus = ReturnType<typeof sessionStatus>;
