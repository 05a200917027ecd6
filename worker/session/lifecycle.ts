/** What is kept of a session beside its request and its message log, and what follows from it. */
import type { SessionState } from "../../protocol/messages.ts";
import type { Outcome } from "../delivery/framing.ts";

/** How far a stream was sent. */
export interface Sent {
  /** The last message. */
  seq: number;
  /** When its audio ends, in ms from the start of the stream. */
  ms: number;
  /** Bytes up to there. */
  bytes: number;
}

export const NOTHING_SENT: Sent = { seq: 0, ms: 0, bytes: 0 };

/** Times are in ms since 1970. */
export interface Lifecycle {
  createdAt: number;
  /** When the first connection came. */
  startedAt?: number;
  firstAudioAt?: number;
  /** When the client of a running stream went away; 0: it is there. */
  droppedAt: number;
  endedAt?: number;
  /** Told once to each connection that has the audio before it. */
  outcome?: Outcome;
  /** The furthest that any client was sent. */
  sent: Sent;
}

export interface Lifetimes {
  /** How long a session waits for its first connection. */
  unclaimedMs: number;
  /** How long a stream waits for its client to come back. */
  graceMs: number;
  /** How long an ended session can be asked for again. */
  endedMs: number;
}

export function stateOf({ outcome, startedAt }: Lifecycle): SessionState {
  if (outcome) return outcome.state;
  return startedAt === undefined ? "created" : "streaming";
}

/** How often a stream with a client is looked after, in ms: its object may have been lost, and nobody come back. */
const LISTENING_MS = 600_000;

/** When it is time to give up a session that nobody asks for; while a client listens, when to look again. */
export function dueAt(life: Lifecycle, lifetimes: Lifetimes, now: number): number {
  if (life.endedAt !== undefined) return life.endedAt + lifetimes.endedMs;
  if (life.startedAt === undefined) return life.createdAt + lifetimes.unclaimedMs;
  return life.droppedAt ? life.droppedAt + lifetimes.graceMs : now + Math.max(lifetimes.graceMs, LISTENING_MS);
}
