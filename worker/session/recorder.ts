/** Has a text spoken onto the tape, segment after segment, at the provider's own speed. */
import type { WordEvent } from "../../protocol/envelope.ts";
import { BYTES_PER_SAMPLE } from "../../protocol/formats.ts";
import { GatewayError } from "../errors.ts";
import { log } from "../log.ts";
import { ProviderError, type Provider } from "../providers/provider.ts";
import { sleep } from "../sleep.ts";
import type { SpeechRequest } from "../speech-request.ts";
import type { Segment } from "./segmenter.ts";
import type { Tape } from "./tape.ts";

export interface RecorderLimits {
  firstAudioTimeoutMs: number;
  gapTimeoutMs: number;
  attempts: number;
}

/** What recording a session took, for its log line and status. */
export interface RecorderCounts {
  /** Requests made of the provider. */
  utterances: number;
  /** Asked again, after a failure or because the engine was busy. */
  retries: number;
}

export interface Recording {
  request: SpeechRequest;
  segments: readonly Segment[];
  tape: Tape;
  limits: RecorderLimits;
  counts: RecorderCounts;
  /** Resolves when the tape is little enough ahead of its listener for the next segment. */
  mayGoOn(): Promise<void>;
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

/** One request for one segment, onto the tape; what the tape has of it already is skipped. */
async function speakOnto(recording: Recording, provider: Provider, signal: AbortSignal): Promise<void> {
  const { request, segments, tape, limits } = recording;
  const { segment: index, segmentSamples: recorded, samples } = tape.position;
  const segment = segments[index]!;
  const startSample = samples - recorded;
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
    const utterance = { text: segment.text, voice: request.voice, language: request.language };
    for await (const piece of provider.speak(utterance, AbortSignal.any([signal, watchdog.signal]))) {
      signal.throwIfAborted();
      if (piece.type === "audio") {
        if (piece.samples === 0) continue;
        watchdog.expect("further audio", limits.gapTimeoutMs);
        const skipped = Math.min(toSkip, piece.samples);
        toSkip -= skipped;
        keepWords();
        tape.appendAudio(piece.data.subarray(skipped * BYTES_PER_SAMPLE));
      } else if (piece.event.type === "word") {
        const { start, sample } = piece.event;
        if (sample < recorded) continue;
        words.push({ ...piece.event, start: segment.start + start, sample: startSample + sample });
      } else if (piece.event.sample_rate !== tape.sampleRateHz) {
        const rates = `${piece.event.sample_rate} Hz audio, not the ${tape.sampleRateHz} Hz it had announced`;
        throw new ProviderError("never", "wrong_rate", `${provider.id} sent ${rates}`);
      }
    }
  } finally {
    watchdog.stop();
  }
  keepWords();
  tape.endSegment();
}

/** What the client is told of an engine's failure; everything else the engine said is for the log. */
function toGatewayError(error: ProviderError, { request, tape, segments }: Recording): GatewayError {
  const where = `at segment ${tape.position.segment + 1} of ${segments.length}`;
  const retry = { retryAfterMs: error.retryAfterMs || 1000 };
  switch (error.reason) {
    case "busy":
      return new GatewayError("busy", `provider ${request.provider} is busy`, retry);
    case "not_ready":
      return new GatewayError("not_ready", `provider ${request.provider} is not ready`, retry);
    case "timeout":
      return new GatewayError("provider_timeout", `provider ${request.provider} took too long ${where}`);
    case "nothing_to_speak":
      return new GatewayError("nothing_to_speak", `provider ${request.provider} found nothing to speak ${where}`);
    case "unknown_voice":
      return new GatewayError("invalid_request", `provider ${request.provider} has no voice ${request.voice} any more`);
    case "unsupported_language":
      return new GatewayError("invalid_request", `voice ${request.voice} does not speak ${request.language}`);
    default:
      return new GatewayError("provider_failed", `provider ${request.provider} failed ${where}`);
  }
}

/** Asks for a segment until it is spoken; never again once a part of it was heard. */
async function recordSegment(recording: Recording, provider: Provider, signal: AbortSignal): Promise<void> {
  const { tape, limits, counts } = recording;
  const before = tape.position.samples;
  const busyUntil = Date.now() + limits.firstAudioTimeoutMs;
  for (let failures = 0; ;) {
    try {
      counts.utterances++;
      return await speakOnto(recording, provider, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ProviderError)) throw error;
      const { again, reason, message } = error;
      const { segment } = tape.position;
      log("utterance_failed", { segment, reason, again, message });
      const isBusy = again === "when_free";
      const waitMs = isBusy ? busyWaitMs(error.retryAfterMs) : backoffMs(++failures);
      const isLast = isBusy ? Date.now() + waitMs > busyUntil : failures >= limits.attempts;
      if (again === "never" || isLast || tape.position.samples > before) throw toGatewayError(error, recording);
      counts.retries++;
      await sleep(waitMs, signal);
    }
  }
}

/**
 * Records what is still missing on the tape.
 * @throws GatewayError if a segment cannot be spoken, and the signal's reason.
 */
export async function record(recording: Recording, provider: Provider, signal: AbortSignal): Promise<void> {
  while (recording.tape.position.segment < recording.segments.length) {
    await recording.mayGoOn();
    await recordSegment(recording, provider, signal);
  }
}
