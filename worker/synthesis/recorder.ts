/** Has a text spoken onto the tape, segment after segment, at the provider's own speed. */
import type { WordEvent } from "../../protocol/envelope.ts";
import { BYTES_PER_SAMPLE } from "../../protocol/formats.ts";
import { endFailedCall } from "./outcome.ts";
import type { Call, Refusal } from "../breaker/circuit-client.ts";
import { GatewayError } from "../base/errors.ts";
import { log } from "../base/log.ts";
import {
  MISCONFIGURED,
  ProviderError,
  RESAMPLER_FAILED,
  type SpeechPiece,
  type Utterance,
} from "../providers/provider.ts";
import { sleep } from "../base/sleep.ts";
import type { SpeakingVoice } from "./speech-request.ts";
import type { Segment } from "../text/segmenter.ts";
import type { Tape } from "./tape.ts";

export interface RecorderLimits {
  firstAudioTimeoutMs: number;
  gapTimeoutMs: number;
  /** How long a provider that is gone in the middle of a stream may stay away. */
  goneTimeoutMs: number;
  attempts: number;
}

/** What recording a session took, for its log line and status. */
export interface RecorderCounts {
  /** Requests made of the provider. */
  utterances: number;
  /** Asked again, after a failure or because the engine was busy. */
  retries: number;
}

/** One of the voices that may speak, and how it is asked. */
export interface Speaker extends SpeakingVoice {
  /** Whether its provider may be asked now. */
  admit: () => Promise<Call | Refusal>;
  /** At the tape's rate. @throws ProviderError */
  speak: (utterance: Utterance, signal: AbortSignal) => AsyncIterable<SpeechPiece>;
}

export interface Recording {
  /** In the order in which they may speak. */
  speakers: readonly Speaker[];
  segments: readonly Segment[];
  tape: Tape;
  limits: RecorderLimits;
  counts: RecorderCounts;
  /** Resolves when the tape is little enough ahead of its listener for the next segment. */
  mayGoOn: () => Promise<void>;
  /** Another voice goes on. */
  onChange: () => void;
}

/** First wait before asking again, in ms; doubled each time, and half of it left to chance. */
const BACKOFF_MS = 200;

function backoffMs(failures: number): number {
  return BACKOFF_MS * 2 ** Math.min(failures - 1, 4) * (0.5 + Math.random() / 2);
}

/** What a busy engine asked for, and up to half as much again: those it sent away must not come back together. */
function busyWaitMs(retryAfterMs: number | undefined): number {
  return (retryAfterMs || BACKOFF_MS) * (1 + Math.random() / 2);
}

/** Between two looks whether a circuit has closed, in ms, and up to as much again: they cost no request. */
const LOOK_MS = 250;

/** Aborts with a timeout unless it is fed in time. */
class Watchdog {
  readonly #controller = new AbortController();
  #deadline = 0;
  #wakesAt = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #what = "";

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  expect(what: string, withinMs: number): void {
    this.#what = what;
    this.#deadline = Date.now() + withinMs;
    // Fed with every piece, so a timer that wakes too early is left as it is: it looks again then.
    if (this.#deadline < this.#wakesAt) this.#arm();
  }

  #arm(): void {
    this.stop();
    this.#wakesAt = this.#deadline;
    this.#timer = setTimeout(() => this.#check(), this.#deadline - Date.now());
  }

  #check(): void {
    if (Date.now() < this.#deadline) this.#arm();
    else this.#controller.abort(new ProviderError("retry", "timeout", `no ${this.#what} in time`));
  }

  stop(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
  }
}

/**
 * One request for one segment, onto the tape; what the tape has of it already is skipped.
 * @returns how long its first audio took, in ms.
 */
async function speakOnto(recording: Recording, speaker: Speaker, signal: AbortSignal): Promise<number> {
  const { segments, tape, limits } = recording;
  const { segment: index, segmentSamples: recorded, samples } = tape.position;
  const segment = segments[index]!;
  const startSample = samples - recorded;
  const startedAt = Date.now();
  let firstAudioMs: number | undefined;
  let toSkip = recorded;
  // They wait for the audio behind them: an attempt that fails before its first audio must leave nothing on the tape.
  let words: WordEvent[] = [];
  const keepWords = () => {
    for (const word of words) tape.appendEvent(word);
    words = [];
  };
  const watchdog = new Watchdog();
  watchdog.expect("first audio", limits.firstAudioTimeoutMs);
  try {
    const utterance = { text: segment.text, voice: speaker.voice, language: speaker.language };
    for await (const piece of speaker.speak(utterance, AbortSignal.any([signal, watchdog.signal]))) {
      signal.throwIfAborted();
      if (piece.type === "audio") {
        if (piece.samples === 0) continue;
        firstAudioMs ??= Date.now() - startedAt;
        watchdog.expect("further audio", limits.gapTimeoutMs);
        const skipped = Math.min(toSkip, piece.samples);
        toSkip -= skipped;
        keepWords();
        tape.appendAudio(piece.data.subarray(skipped * BYTES_PER_SAMPLE));
      } else if (piece.event.type === "word") {
        const { start, sample } = piece.event;
        if (sample < recorded) continue;
        words.push({ ...piece.event, start: segment.start + start, sample: startSample + sample });
      }
    }
  } finally {
    watchdog.stop();
  }
  keepWords();
  tape.endSegment();
  return firstAudioMs ?? Date.now() - startedAt;
}

/** What the client is told of an engine's failure; everything else the engine said is for the log. */
function toGatewayError(error: ProviderError, speaker: Speaker, { tape, segments }: Recording): GatewayError {
  const { provider } = speaker;
  const where = `at segment ${tape.position.segment + 1} of ${segments.length}`;
  const retry = { retryAfterMs: error.retryAfterMs || 1000 };
  switch (error.reason) {
    case "busy":
      return new GatewayError("busy", `provider ${provider} is busy`, retry);
    case "not_ready":
      return new GatewayError("not_ready", `provider ${provider} is not ready`, retry);
    case MISCONFIGURED:
      return new GatewayError("misconfigured", `the gateway is not set up to use provider ${provider}`);
    case "timeout":
      return new GatewayError("provider_timeout", `provider ${provider} took too long ${where}`);
    case "nothing_to_speak":
      return new GatewayError("nothing_to_speak", `provider ${provider} found nothing to speak ${where}`);
    case RESAMPLER_FAILED:
      return new GatewayError("transcoder_failed", `the transcoder failed ${where}`);
    case "unknown_voice":
      return new GatewayError("invalid_request", `provider ${provider} has no voice ${speaker.voice} any more`);
    case "unsupported_language":
      return new GatewayError("invalid_request", `voice ${speaker.voice} does not speak ${speaker.language}`);
    default:
      return new GatewayError("provider_failed", `provider ${provider} failed ${where}`);
  }
}

/** One attempt, if the circuit of the speaker's provider lets it through; the circuit learns how it went. */
async function attempt(recording: Recording, speaker: Speaker, signal: AbortSignal): Promise<void> {
  const call = await speaker.admit();
  if (!call.allowed) {
    const message = `provider ${speaker.provider} is in trouble and not asked now`;
    throw new GatewayError("circuit_open", message, { retryAfterMs: call.retryAfterMs });
  }
  try {
    signal.throwIfAborted();
    recording.counts.utterances++;
    call.succeeded(await speakOnto(recording, speaker, signal));
  } catch (error) {
    if (signal.aborted) call.ignored();
    else endFailedCall(call, error);
    throw error;
  }
}

/** What is said of an engine, or a resampler, whose process died or whose connection did. */
const CUT_OFF = new Set(["broken_stream", "unreachable", RESAMPLER_FAILED]);

/**
 * Asks for a segment until it is spoken. Once a part of it was heard, it is asked for again only if the engine was cut off
 * and nobody else can go on; what the tape has of it is skipped.
 *
 * A provider that is starting is waited for, and so is one that is gone in the middle of a stream: it may be starting
 * again. At a stream's start that one is not; a client that has heard nothing is better told at once.
 */
async function recordSegment(recording: Recording, speaker: Speaker, signal: AbortSignal): Promise<void> {
  const { tape, limits, counts, speakers } = recording;
  const before = tape.position.samples;
  const isAlone = speaker === speakers.at(-1);
  const busyUntil = Date.now() + limits.firstAudioTimeoutMs;
  let goneUntil: number | undefined;
  for (let failures = 0; ;) {
    try {
      return await attempt(recording, speaker, signal);
    } catch (error) {
      signal.throwIfAborted();
      goneUntil ??= Date.now() + limits.goneTimeoutMs;
      const isUnderWay = isAlone && tape.position.samples > 0;
      if (error instanceof GatewayError && error.failure.reason === "circuit_open") {
        if (!isUnderWay || Date.now() > goneUntil) throw error;
        await sleep(LOOK_MS * (1 + Math.random()), signal);
        continue;
      }
      if (!(error instanceof ProviderError)) throw error;
      const { again, reason, message } = error;
      log("utterance_failed", { provider: speaker.provider, segment: tape.position.segment, reason, again, message });
      const isBusy = again === "when_free";
      const waitMs = isBusy ? busyWaitMs(error.retryAfterMs) : backoffMs(++failures);
      const isGone = (isUnderWay && (isBusy || reason === "unreachable")) || (isAlone && reason === "not_ready");
      const until = isGone ? Math.max(busyUntil, goneUntil) : isBusy ? busyUntil : undefined;
      // A listener who has waited for so long is not made to wait as long again, if another voice can speak.
      const attempts = reason === "timeout" && !isAlone ? 1 : limits.attempts;
      const isLast = until === undefined ? failures >= attempts : Date.now() + waitMs > until;
      const mayGoOn = tape.position.samples === before || (isAlone && (isBusy || CUT_OFF.has(reason)));
      if (again === "never" || isLast || !mayGoOn) throw toGatewayError(error, speaker, recording);
      counts.retries++;
      await sleep(waitMs, signal);
    }
  }
}

/**
 * Records what is still missing on the tape. Where a voice fails, the next one goes on. It would speak a segment that was
 * heard in part from its beginning: so that one ends where it broke and, if it is the last, the recording with it.
 * @throws GatewayError if a segment cannot be spoken, and the signal's reason.
 */
export async function recordSpeech(recording: Recording, signal: AbortSignal): Promise<void> {
  const { tape, segments, speakers, onChange } = recording;
  while (tape.position.segment < segments.length) {
    await recording.mayGoOn();
    const { segment } = tape.position;
    try {
      await recordSegment(recording, speakers[tape.voice]!, signal);
    } catch (error) {
      const isLost = segment === segments.length - 1 && tape.position.segmentSamples > 0;
      if (!(error instanceof GatewayError) || isLost || tape.voice === speakers.length - 1) throw error;
      tape.changeVoice(error.failure);
      onChange();
    }
  }
}
