/** Has a text spoken, segment after segment and by one voice after another, onto a track. */
import { GatewayError } from "../base/errors.ts";
import { log } from "../base/log.ts";
import { sleep } from "../base/sleep.ts";
import type { SynthesisCounts } from "../message-log/stored-row.ts";
import { MISCONFIGURED, ProviderError, RESAMPLER_FAILED } from "../providers/provider.ts";
import { endFailedCall } from "./outcome.ts";
import { asksAgain, troubleOf, waitMs, type RetryLimits } from "./retry.ts";
import type { Track } from "./track.ts";
import type { Speaker } from "./speakers.ts";

export interface Recording {
  /** In the order in which they may speak. */
  speakers: readonly Speaker[];
  track: Track;
  limits: RetryLimits;
  counts: SynthesisCounts;
  /** Segments of the whole text. */
  totalSegments: number;
  /** Resolves when the stream is little enough ahead of its listener for the next segment. */
  waitForLead: () => Promise<void>;
}

/** One request for the track's segment. */
async function speak(recording: Recording, speaker: Speaker, onFirstAudio: (ms: number) => void, signal: AbortSignal) {
  const { track } = recording;
  await track.beginTake();
  const { voice, language } = speaker;
  const utterance = { text: track.segment!.text, voice, language, place: track.place };
  for await (const piece of speaker.speak(utterance, onFirstAudio, signal)) {
    signal.throwIfAborted();
    if (piece.type === "event") {
      if (piece.event.type === "word") track.word(piece.event);
    } else if (piece.samples > 0) {
      const room = track.audio(piece.data);
      if (room) await room;
    }
  }
}

/** One attempt, if the circuit of the speaker's provider lets it through; the circuit learns how it went. */
async function attempt(recording: Recording, speaker: Speaker, signal: AbortSignal): Promise<void> {
  const call = await speaker.admit();
  if (!call.allowed) {
    const message = `provider ${speaker.provider} is in trouble and not asked now`;
    throw new GatewayError("circuit_open", message, { retryAfterMs: call.retryAfterMs });
  }
  let firstAudioMs = 0;
  try {
    signal.throwIfAborted();
    recording.counts.utterances++;
    await speak(recording, speaker, (ms) => (firstAudioMs = ms), signal);
    call.succeeded(firstAudioMs);
  } catch (error) {
    if (signal.aborted) call.ignored();
    else endFailedCall(call, error);
    throw error;
  }
  await recording.track.endSegment();
}

/** What the client is told of an engine's failure; everything else the engine said is for the log. */
function toGatewayError(error: ProviderError, speaker: Speaker, { track, totalSegments }: Recording): GatewayError {
  const { provider } = speaker;
  const where = `at segment ${track.number} of ${totalSegments}`;
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

/** Asks one voice for the track's segment until it is spoken, or asking again is of no use. */
async function recordSegment(recording: Recording, speaker: Speaker, signal: AbortSignal): Promise<void> {
  const { track, limits, counts, speakers } = recording;
  const askedAt = Date.now();
  let failedAt: number | undefined;
  for (let failures = 0; ;) {
    try {
      return await attempt(recording, speaker, signal);
    } catch (error) {
      signal.throwIfAborted();
      const trouble = troubleOf(error);
      if (!trouble) throw error;
      failedAt ??= Date.now();
      const failure = error instanceof ProviderError ? error : undefined;
      if (failure) {
        const { reason, again, message } = failure;
        log("utterance_failed", { provider: speaker.provider, segment: track.number, reason, again, message });
      }
      const wasSentAway = trouble === "busy" || trouble === "starting" || trouble === "circuit_open";
      if (!wasSentAway) failures++;
      const state = {
        hasSuccessor: speaker !== speakers.at(-1),
        isUnderWay: track.isUnderWay,
        isInSegment: track.isInSegment,
        failures,
        sinceAskedMs: Date.now() - askedAt,
        sinceFailedMs: Date.now() - failedAt,
        waitMs: waitMs(trouble, failures, failure?.retryAfterMs),
      };
      if (!asksAgain(trouble, state, limits)) throw failure ? toGatewayError(failure, speaker, recording) : error;
      if (failure) counts.retries++;
      await sleep(state.waitMs, signal);
    }
  }
}

/**
 * Records what is still missing on the track. Where a voice fails, the next one goes on. It would speak a segment that was
 * heard in part from its beginning: so that one ends where it broke and, if it is the last, the recording with it.
 * @throws GatewayError if a segment cannot be spoken, and the signal's reason.
 */
export async function recordSpeech(recording: Recording, signal: AbortSignal): Promise<void> {
  const { track, speakers } = recording;
  while (track.segment) {
    await recording.waitForLead();
    try {
      await recordSegment(recording, speakers[track.voice]!, signal);
    } catch (error) {
      const isLost = track.isLast && track.isInSegment;
      if (!(error instanceof GatewayError) || isLost || track.voice === speakers.length - 1) throw error;
      await track.changeVoice(error.failure);
    }
  }
}
