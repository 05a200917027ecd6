import { describe, expect, it } from "vitest";
import { sessionStatus } from "../../worker/api/native/status.ts";
import type { SessionReport } from "../../worker/session/report.ts";

const sent = { seq: 2, ms: 5, bytes: 99 };
const report: SessionReport = {
  id: "id",
  state: "created",
  voice: { provider: "p", voice: "v", language: "en", rateHz: 22_050 },
  format: "mp3",
  sampleRateHz: 24_000,
  life: { createdAt: 1_000, droppedAt: 0, sent },
  counts: {
    characters: 6,
    segments: 3,
    segmentsRecorded: 1,
    utterances: 2,
    retries: 1,
    encodedAgainMs: 400,
    recordedMs: 7,
    sent,
  },
  notices: [],
};

describe("a session's status", () => {
  it("has exactly the contract's fields, and nulls for what was not yet", () => {
    expect(sessionStatus(report)).toEqual({
      session_id: "id",
      state: "created",
      provider: "p",
      voice: "v",
      language: "en",
      target_format: "mp3",
      sample_rate_hz: 24_000,
      counts: {
        characters: 6,
        segments: 3,
        segments_recorded: 1,
        utterances: 2,
        retries: 1,
        recorded_ms: 7,
        encoded_again_ms: 400,
        sent_ms: 5,
        messages: 2,
        bytes: 99,
      },
      timings: { created_at: "1970-01-01T00:00:01.000Z", started_at: null, first_audio_ms: null, ended_at: null },
      notices: [],
      final: null,
    });
  });

  it("has its times as ISO 8601, and the first audio from the first connection on", () => {
    const life = { ...report.life, startedAt: 1_500, firstAudioAt: 1_530, endedAt: 2_000 };
    expect(sessionStatus({ ...report, life }).timings).toMatchObject({
      started_at: "1970-01-01T00:00:01.500Z",
      first_audio_ms: 30,
      ended_at: "1970-01-01T00:00:02.000Z",
    });
  });

  it("has null for the language of a voice whose provider has never answered", () => {
    expect(sessionStatus({ ...report, voice: { provider: "p", voice: "v" } }).language).toBeNull();
  });

  it("has its end and its notices as the socket tells them", () => {
    const failure = { reason: "busy", message: "later", retryAfterMs: 9 } as const;
    const notice = { failure, provider: "q", voice: "w", startMs: 40, isCut: true };
    const outcome = { state: "failed", failure } as const;
    expect(sessionStatus({ ...report, life: { ...report.life, outcome }, notices: [notice] })).toMatchObject({
      final: { type: "error", code: 503, reason: "busy", message: "later", retry_after_ms: 9 },
      notices: [
        { type: "notice", reason: "busy", message: "later", provider: "q", voice: "w", pts_ms: 40, is_cut: true },
      ],
    });
    const completed = { state: "completed", seq: 2, durationMs: 5, bytes: 99 } as const;
    expect(sessionStatus({ ...report, life: { ...report.life, outcome: completed } }).final).toEqual({
      type: "eos",
      seq: 2,
      duration_ms: 5,
      bytes: 99,
    });
  });
});
