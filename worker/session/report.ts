/** A session as it stands, for whoever asks: its protocol, and the log. */
import type { AudioFormat } from "../../protocol/formats.ts";
import type { SessionState } from "../../protocol/messages.ts";
import { log } from "../base/log.ts";
import type { Notice, Outcome } from "../delivery/framing.ts";
import type { MessageLog } from "../message-log/message-log.ts";
import type { SpeakingVoice, SpeechRequest } from "../synthesis/speech-request.ts";
import type { Synthesis } from "../synthesis/synthesis.ts";
import { stateOf, type Lifecycle, type Sent } from "./lifecycle.ts";

/** What a session took so far. */
export interface SessionCounts {
  /** Of its text, in UTF-16 code units. */
  characters: number;
  segments: number;
  segmentsRecorded: number;
  /** Requests made of providers. */
  utterances: number;
  /** How many of them asked again, after a failure or because the engine was busy. */
  retries: number;
  /** PCM given to an encoder for a second time, after the loss of another, in ms. */
  encodedAgainMs: number;
  /** Audio that was spoken, in ms. */
  recordedMs: number;
  sent: Sent;
}

export interface SessionReport {
  id: string;
  state: SessionState;
  /** The voice that was asked for; the notices say who spoke instead. */
  voice: SpeakingVoice;
  format: AudioFormat;
  sampleRateHz: number;
  life: Lifecycle;
  counts: SessionCounts;
  notices: Notice[];
}

const NO_WORK = { segments: 0, segmentsRecorded: 0, utterances: 0, retries: 0, encodedAgainMs: 0, recordedMs: 0 };

function countsOf(request: SpeechRequest, { sent }: Lifecycle, synthesis: Synthesis | undefined): SessionCounts {
  const characters = request.text.length;
  if (!synthesis) return { characters, ...NO_WORK, sent };
  const { log: messages, totalSegments } = synthesis;
  const { segments, utterances, retries, encodedAgainMs, pcmSamples } = messages.counts;
  const recordedMs = messages.pcmMs(pcmSamples);
  return {
    characters,
    segments: totalSegments,
    segmentsRecorded: segments,
    utterances,
    retries,
    encodedAgainMs,
    recordedMs,
    sent,
  };
}

/** How a session ends whose log has been delivered. */
export function outcomeOf(messages: MessageLog): Outcome {
  const { seq, bytes, ended } = messages.end;
  if (ended?.failure) return { state: "failed", failure: ended.failure };
  return { state: "completed", seq, bytes, durationMs: messages.endMs };
}

/** The voices that have taken over so far. */
export function noticesOf({ voices }: SpeechRequest, messages: MessageLog): Notice[] {
  return messages.end.changes.map(({ failure, isCut, pcmSample }, i) => {
    const { provider, voice } = voices[i + 1]!;
    return { failure, isCut, provider, voice, startMs: messages.pcmMs(pcmSample) };
  });
}

/** @param synthesis undefined: nothing was done yet. */
export function reportOf(
  id: string,
  request: SpeechRequest,
  life: Lifecycle,
  synthesis: Synthesis | undefined,
): SessionReport {
  const notices = synthesis ? noticesOf(request, synthesis.log) : [];
  const { voices, format, sampleRateHz } = request;
  return {
    id,
    state: stateOf(life),
    voice: voices[0],
    format,
    sampleRateHz,
    life,
    counts: countsOf(request, life, synthesis),
    notices,
  };
}

export function logVoiceChange(session: string, { provider, voice, failure, startMs, isCut }: Notice): void {
  log("voice_changed", { session, provider, voice, reason: failure.reason, pts_ms: startMs, is_cut: isCut });
}

/** The counts by the names that they have in a log line and in a status. */
export function countFields(counts: SessionCounts) {
  return {
    characters: counts.characters,
    segments: counts.segments,
    segments_recorded: counts.segmentsRecorded,
    utterances: counts.utterances,
    retries: counts.retries,
    recorded_ms: counts.recordedMs,
    encoded_again_ms: counts.encodedAgainMs,
    sent_ms: counts.sent.ms,
    messages: counts.sent.seq,
    bytes: counts.sent.bytes,
  };
}

/** The line of a stream that has ended. */
export function logStream({ id, state, voice, format, sampleRateHz, life, counts, notices }: SessionReport): void {
  const { createdAt, startedAt, firstAudioAt, endedAt = Date.now(), outcome } = life;
  log("stream", {
    session: id,
    provider: voice.provider,
    voice: voice.voice,
    format,
    sample_rate_hz: sampleRateHz,
    ...countFields(counts),
    voice_changes: notices.length,
    first_audio_ms: firstAudioAt && startedAt && firstAudioAt - startedAt,
    ms: endedAt - (startedAt ?? createdAt),
    outcome: state,
    ...(outcome && outcome.state !== "completed" && { reason: outcome.failure.reason }),
  });
}
