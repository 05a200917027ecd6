/** The body of GET /v1/tts/sessions/:id. */
import type { SessionStatus } from "../../../protocol/messages.ts";
import { countFields, type SessionReport } from "../../session/report.ts";
import { noticeMessage, terminalMessage } from "./messages.ts";

const time = (at: number | undefined) => (at === undefined ? null : new Date(at).toISOString());

export function sessionStatus(report: SessionReport): SessionStatus {
  const { id, state, voice, format, sampleRateHz, life, counts, notices } = report;
  const { createdAt, startedAt, firstAudioAt, endedAt, outcome } = life;
  return {
    session_id: id,
    state,
    provider: voice.provider,
    voice: voice.voice,
    language: voice.language ?? null,
    target_format: format,
    sample_rate_hz: sampleRateHz,
    counts: countFields(counts),
    timings: {
      created_at: new Date(createdAt).toISOString(),
      started_at: time(startedAt),
      first_audio_ms: startedAt === undefined || firstAudioAt === undefined ? null : firstAudioAt - startedAt,
      ended_at: time(endedAt),
    },
    notices: notices.map(noticeMessage),
    final: outcome ? terminalMessage(outcome) : null,
  };
}
