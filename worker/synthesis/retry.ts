/** What is done about an utterance that failed: a table, and nothing else. */
import { GatewayError } from "../base/errors.ts";
import { ProviderError, RESAMPLER_FAILED } from "../providers/provider.ts";

/** What is wrong with the provider. */
export type Trouble =
  | "circuit_open"
  /** It has too much to do. */
  | "busy"
  /** It is still loading. */
  | "starting"
  /** It cannot be reached. */
  | "gone"
  /** Its process, or the resampler's, died in the middle. */
  | "cut_off"
  | "timeout"
  /** It says that it failed. */
  | "failed"
  /** It says that asking again is of no use. */
  | "refused";

/** How long asking again goes on: for some attempts, or for some time. */
type Until = "never" | "attempts" | "busy" | "gone";

interface Rule {
  /** Another voice could go on: the listener is not made to wait for this one. */
  hasSuccessor: Until;
  /** Nobody else can, and nothing was heard yet: a client had better be told soon. */
  atStart: Until;
  /** Nobody else can, and the stream is under way: it may be starting again. */
  underWay: Until;
  /** Asking again helps in the middle of a segment: what was recorded of it is skipped. */
  inSegment: boolean;
}

const RULES: Record<Trouble, Rule> = {
  circuit_open: { hasSuccessor: "never", atStart: "never", underWay: "gone", inSegment: true },
  busy: { hasSuccessor: "busy", atStart: "busy", underWay: "gone", inSegment: true },
  starting: { hasSuccessor: "busy", atStart: "gone", underWay: "gone", inSegment: true },
  gone: { hasSuccessor: "attempts", atStart: "attempts", underWay: "gone", inSegment: true },
  cut_off: { hasSuccessor: "attempts", atStart: "attempts", underWay: "attempts", inSegment: true },
  timeout: { hasSuccessor: "never", atStart: "attempts", underWay: "attempts", inSegment: false },
  failed: { hasSuccessor: "attempts", atStart: "attempts", underWay: "attempts", inSegment: false },
  refused: { hasSuccessor: "never", atStart: "never", underWay: "never", inSegment: false },
};

export interface RetryLimits {
  /** Requests for a segment. */
  attempts: number;
  /** How long a busy provider is asked, in ms. */
  busyMs: number;
  /** How long a provider that is gone in the middle of a stream may stay away, in ms. */
  goneMs: number;
}

/** How things stand when an utterance has failed. */
export interface RetryState {
  hasSuccessor: boolean;
  /** Some of the stream was recorded, ... */
  isUnderWay: boolean;
  /** ... and some of this segment. */
  isInSegment: boolean;
  /** Attempts at this segment that failed; being sent away is none. */
  failures: number;
  /** Since the segment was first asked for, in ms. */
  sinceAskedMs: number;
  /** Since the first attempt at it failed, in ms. */
  sinceFailedMs: number;
  /** Until the next attempt, in ms. */
  waitMs: number;
}

/** Whether the same voice is asked for the segment again, after `waitMs`. */
export function asksAgain(trouble: Trouble, state: RetryState, limits: RetryLimits): boolean {
  const rule = RULES[trouble];
  if (state.isInSegment && (state.hasSuccessor || !rule.inSegment)) return false;
  const until = state.hasSuccessor ? rule.hasSuccessor : state.isUnderWay ? rule.underWay : rule.atStart;
  const isBusyOver = state.sinceAskedMs + state.waitMs > limits.busyMs;
  switch (until) {
    case "never":
      return false;
    case "attempts":
      return state.failures < limits.attempts;
    case "busy":
      return !isBusyOver;
    case "gone":
      return !isBusyOver || state.sinceFailedMs + state.waitMs <= limits.goneMs;
  }
}

const TROUBLES: Readonly<Record<string, Trouble>> = {
  not_ready: "starting",
  unreachable: "gone",
  broken_stream: "cut_off",
  [RESAMPLER_FAILED]: "cut_off",
  timeout: "timeout",
};

/** Undefined: it is nothing of a provider's, and nothing is done about it. */
export function troubleOf(error: unknown): Trouble | undefined {
  if (error instanceof GatewayError) return error.failure.reason === "circuit_open" ? "circuit_open" : undefined;
  if (!(error instanceof ProviderError)) return undefined;
  if (error.again === "never") return "refused";
  if (error.again === "when_free" && error.reason !== "not_ready") return "busy";
  return TROUBLES[error.reason] ?? "failed";
}

/** First wait before asking again, in ms; doubled each time, and half of it left to chance. */
const BACKOFF_MS = 200;

/** Between two looks whether a circuit has closed, in ms, and up to as much again: they cost no request. */
const LOOK_MS = 250;

/** How long to wait before the next attempt, in ms. Those who were sent away together do not come back together. */
export function waitMs(trouble: Trouble, failures: number, retryAfterMs: number | undefined): number {
  if (trouble === "circuit_open") return LOOK_MS * (1 + Math.random());
  if (trouble === "busy" || trouble === "starting") return (retryAfterMs || BACKOFF_MS) * (1 + Math.random() / 2);
  return BACKOFF_MS * 2 ** Math.min(failures - 1, 4) * (0.5 + Math.random() / 2);
}
