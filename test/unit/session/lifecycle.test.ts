import { describe, expect, it } from "vitest";
import { errorMessage } from "../../../worker/base/errors.ts";
import { dueAt, sessionStatus, stateAfter, type Lifecycle } from "../../../worker/session/lifecycle.ts";
import type { SpeechRequest } from "../../../worker/synthesis/speech-request.ts";

const lifetimes = { unclaimedMs: 600, graceMs: 60, endedMs: 900 };
const request: SpeechRequest = {
  voices: [{ provider: "p", voice: "v", language: "en", rateHz: 22_050 }],
  text: "secret",
  maxChars: 100,
  rateHz: 22_050,
  format: "mp3",
  sampleRateHz: 24_000,
  region: "weur",
};
const created: Lifecycle = { state: "created", createdAt: 1_000, droppedAt: 0 };
const counts = {
  characters: 6,
  segments: 1,
  segments_recorded: 1,
  utterances: 1,
  retries: 0,
  recorded_ms: 5,
  sent_ms: 5,
  messages: 2,
  bytes: 99,
};

describe("a session is given up", () => {
  it("some time after it was made, if nobody comes", () => {
    expect(dueAt(created, lifetimes, 1_300)).toBe(1_600);
  });

  it("some time after its client went away", () => {
    expect(dueAt({ ...created, startedAt: 1_100, droppedAt: 2_000 }, lifetimes, 2_030)).toBe(2_060);
  });

  it("never while its client is there: it is looked at again later", () => {
    expect(dueAt({ ...created, startedAt: 1_100 }, lifetimes, 5_000)).toBe(5_060);
  });

  it("some time after it ended, whatever was before", () => {
    expect(dueAt({ ...created, startedAt: 1_100, droppedAt: 2_000, endedAt: 3_000 }, lifetimes, 3_500)).toBe(3_900);
  });
});

describe("a session's status", () => {
  it("follows from how it ended", () => {
    expect(stateAfter({ type: "eos", seq: 1, duration_ms: 1, bytes: 1 })).toBe("completed");
    expect(stateAfter(errorMessage({ reason: "cancelled", message: "" }))).toBe("cancelled");
    expect(stateAfter(errorMessage({ reason: "busy", message: "" }))).toBe("failed");
  });

  it("has times as ISO 8601, and nulls for what was not yet", () => {
    expect(sessionStatus("id", request, { ...created, counts })).toMatchObject({
      session_id: "id",
      state: "created",
      timings: { created_at: "1970-01-01T00:00:01.000Z", started_at: null, first_audio_ms: null, ended_at: null },
      final: null,
    });
    const ended = { ...created, startedAt: 1_500, firstAudioAt: 1_530, endedAt: 2_000 };
    expect(sessionStatus("id", request, ended).timings).toMatchObject({
      started_at: "1970-01-01T00:00:01.500Z",
      first_audio_ms: 30,
      ended_at: "1970-01-01T00:00:02.000Z",
    });
  });

  it("never holds the text", () => {
    expect(JSON.stringify(sessionStatus("id", request, { ...created, counts }))).not.toContain("secret");
  });
});
