import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startFakeEngine, type FakeEngine, type Fault } from "../fakes/engine.ts";
import { startGateway, type RunningGateway } from "../support/gateway.ts";
import { startTranscoderProcess, type RunningService } from "../support/processes.ts";
import { report } from "../support/report.ts";
import { createSession, expectComplete, play, post, statusOf, Stream } from "../support/session.ts";

let engine: FakeEngine;
let transcoder: RunningService;
let gateway: RunningGateway;

beforeAll(async () => {
  [engine, transcoder] = await Promise.all([startFakeEngine(), startTranscoderProcess()]);
  gateway = await startGateway({
    ESPEAK_URL: engine.url,
    TRANSCODER_URL: transcoder.url,
    FIRST_AUDIO_TIMEOUT_MS: 1_000,
    GAP_TIMEOUT_MS: 1_000,
    RECONNECT_GRACE_MS: 1_500,
    CIRCUIT_MINIMUM_CALLS: 1_000_000, // failover.test.ts is about the circuit
  });
});

afterAll(async () => {
  await gateway?.stop();
  await transcoder?.stop();
  await engine?.stop();
});

beforeEach(() => {
  Object.assign(engine, { faults: [], always: "none", texts: [], aborted: 0 });
});

const TWO_SENTENCES = "The first sentence is here. The second one follows.";
const FIRST = "The first sentence is here.";
const SECOND = "The second one follows.";

const request = {
  provider: "espeak",
  voice: "fake",
  text: TWO_SENTENCES,
  target_format: "mp3",
  sample_rate_hz: 16_000,
};

async function speakThrough(always: Fault, ...faults: Fault[]): Promise<Stream> {
  Object.assign(engine, { always, faults });
  return play((await createSession(gateway.url, request)).wsUrl);
}

async function encoders(): Promise<number> {
  const info = (await (await fetch(`${transcoder.url}/v1/info`)).json()) as Record<string, number>;
  return info.open_encoders! + info.active_streams!;
}

/** No request upstream, no encoder. */
async function expectNothingRunning(): Promise<void> {
  for (let i = 0; i < 40 && (engine.active > 0 || (await encoders()) > 0); i++) await sleep(25);
  expect(engine.active).toBe(0);
  expect(await encoders()).toBe(0);
}

describe("what fails before a segment has sounded is asked for again, and heard once", () => {
  it.each<Fault>(["fail_500", "busy", "stall_before_headers", "stall_before_audio", "cut_before_audio", "garbage"])(
    "%s",
    async (fault) => {
      const stream = await speakThrough("none", fault);
      const eos = expectComplete(stream);
      expect(engine.texts).toEqual([FIRST, FIRST, SECOND]);
      const spokenMs = (FIRST.length + SECOND.length) * 50;
      expect(eos.duration_ms).toBeGreaterThanOrEqual(spokenMs);
      expect(eos.duration_ms).toBeLessThan(spokenMs + 200);
      await expectNothingRunning();
    },
  );

  it("also in the second segment", async () => {
    const stream = await speakThrough("none", "none", "fail_500", "cut_before_audio");
    expectComplete(stream);
    expect(engine.texts).toEqual([FIRST, SECOND, SECOND, SECOND]);
  });

  it("a busy engine more often than another failure, within the first audio's time", async () => {
    const stream = await speakThrough("none", "busy", "busy", "busy");
    expectComplete(stream);
    expect(engine.texts).toEqual([FIRST, FIRST, FIRST, FIRST, SECOND]);
  });
});

describe("what does not stop failing ends the session with one clear error", () => {
  it.each<[Fault, number, string, number, number]>([
    ["fail_500", 502, "provider_failed", 1011, 3],
    ["cut_before_audio", 502, "provider_failed", 1011, 3],
    ["clean_end_of_body", 502, "provider_failed", 1011, 3],
    ["garbage", 502, "provider_failed", 1011, 3],
    ["stall_before_headers", 504, "provider_timeout", 1011, 3],
    ["stall_before_audio", 504, "provider_timeout", 1011, 3],
    ["refuse_404", 400, "invalid_request", 1008, 1],
    ["wrong_rate", 502, "provider_failed", 1011, 1],
    ["no_format", 502, "provider_failed", 1011, 3],
  ])("%s: %i %s", async (fault, code, reason, closeCode, requests) => {
    const { id, wsUrl } = await createSession(gateway.url, request);
    engine.always = fault;
    const stream = await play(wsUrl);
    expect(stream.finals).toHaveLength(1);
    expect(stream.final).toMatchObject({ type: "error", code, reason });
    expect(stream.final!.message).not.toMatch(/secret|at .*\.ts|http:\/\//);
    expect(stream.closeCode).toBe(closeCode);
    expect(engine.texts).toHaveLength(requests);
    expect((await statusOf(gateway.url, id)).state).toBe("failed");
    await expectNothingRunning();
  });

  it("busy: 503 with a time to ask again", async () => {
    const stream = await speakThrough("busy");
    expect(stream.final).toMatchObject({ type: "error", code: 503, reason: "busy" });
    expect(stream.final!.retry_after_ms).toBeGreaterThan(0);
    expect(stream.closeCode).toBe(1013);
    await expectNothingRunning();
  });
});

describe("what is cut off after a segment has sounded is asked for again, and heard once", () => {
  it.each<Fault>(["cut_after_audio", "clean_end_of_body", "half_a_sample"])("%s", async (fault) => {
    const pcm = { ...request, target_format: "pcm16" };
    const whole = await play((await createSession(gateway.url, pcm)).wsUrl);
    engine.texts = [];
    engine.faults = ["none", fault];
    const stream = await play((await createSession(gateway.url, pcm)).wsUrl);
    expect(expectComplete(stream)).toEqual(whole.final);
    expect(stream.bytes.equals(whole.bytes)).toBe(true);
    expect(engine.texts).toEqual([FIRST, SECOND, SECOND]);
    await expectNothingRunning();
  });
});

describe("what fails after a segment has sounded is never spoken twice: its audio is heard, then the error", () => {
  it.each<[Fault, string]>([
    ["stall_after_audio", "provider_timeout"],
    ["error_after_audio", "provider_failed"],
  ])("%s", async (fault, reason) => {
    const { id, wsUrl } = await createSession(gateway.url, request);
    engine.faults = ["none", fault];
    const stream = await play(wsUrl);
    expect(stream.final).toMatchObject({ type: "error", reason });
    expect(engine.texts).toEqual([FIRST, SECOND]);
    const { counts } = await statusOf(gateway.url, id);
    expect(counts.sent_ms).toBeGreaterThanOrEqual((FIRST.length + SECOND.length / 2) * 50 - 50);
    await expectNothingRunning();

    // The same to whoever asks again: the audio and the error, or the error alone.
    const again = await play(wsUrl);
    expect(again.bytes.equals(stream.bytes)).toBe(true);
    expect(again.finals).toEqual(stream.finals);
    const rest = await play(wsUrl, { after: stream.audio.length });
    expect(rest.audio).toEqual([]);
    expect(rest.finals).toEqual(stream.finals);
  });
});

describe("cancelling reaches the provider and the transcoder", () => {
  it.each<Fault>(["stall_before_headers", "stall_before_audio", "stall_after_audio"])("%s", async (fault) => {
    engine.always = fault;
    const { id, wsUrl } = await createSession(gateway.url, request);
    const stream = new Stream(wsUrl);
    while (engine.active === 0) await sleep(10);
    await sleep(200);
    const asked = performance.now();
    const answer = await fetch(`${gateway.url}/v1/tts/sessions/${id}`, { method: "DELETE" });
    expect(answer.status).toBe(204);
    expect(await stream.closed).toBe(1000);
    const audioBefore = stream.audio.length;
    expect(stream.final).toMatchObject({ type: "error", code: 499, reason: "cancelled" });
    await expectNothingRunning();
    expect([engine.aborted, stream.audio.length, stream.late]).toEqual([1, audioBefore, 0]);
    report(`DELETE reached the engine (${fault}) after ${(engine.abortedAt - asked).toFixed(0)} ms`);
    expect((await statusOf(gateway.url, id)).state).toBe("cancelled");
  });

  it.each<Fault>(["stall_before_headers", "stall_after_audio"])(
    "and so does a client of an engine that hangs (%s), once it has been away for too long",
    async (fault) => {
      engine.always = fault;
      const { id, wsUrl } = await createSession(gateway.url, request);
      const stream = new Stream(wsUrl);
      while (engine.active === 0) await sleep(10);
      stream.socket.terminate();
      await expect.poll(() => statusOf(gateway.url, id)).not.toMatchObject({ state: "streaming" });
      await expectNothingRunning();
      const { counts } = await statusOf(gateway.url, id);
      await sleep(500);
      expect((await statusOf(gateway.url, id)).counts).toEqual(counts);
    },
  );

  it("and so does a client that vanishes and does not come back", async () => {
    const { id, wsUrl } = await createSession(gateway.url, {
      ...request,
      provider: "mock_tone",
      voice: "en-US-mock-paced",
    });
    const stream = new Stream(wsUrl);
    await stream.next();
    stream.socket.terminate();
    for (let i = 0; i < 100 && (await statusOf(gateway.url, id)).state === "streaming"; i++) await sleep(100);
    expect(await statusOf(gateway.url, id)).toMatchObject({ state: "cancelled", final: { code: 499 } });
    await expectNothingRunning();
  });
});

describe("an engine that is down", () => {
  it("is left out of the voices and named in /readyz, and POST goes by the voices last known", async () => {
    const other = await startFakeEngine();
    const second = await startGateway({ ESPEAK_URL: other.url, TRANSCODER_URL: transcoder.url });
    const voiceIds = async () =>
      ((await (await fetch(`${second.url}/v1/voices?provider=espeak`)).json()) as { voices: { id: string }[] }).voices;
    expect(await voiceIds()).toHaveLength(1);
    expect((await fetch(`${second.url}/readyz`)).status).toBe(200);
    await other.stop();
    await sleep(5_100); // a catalog this old is not current any more
    expect(await voiceIds()).toEqual([]);
    const ready = await fetch(`${second.url}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({
      upstreams: { espeak: { status: "down" }, mock_tone: { status: "ready" } },
    });
    const stream = await play((await createSession(second.url, request)).wsUrl);
    expect(stream.final).toMatchObject({ type: "error", code: 502, reason: "provider_failed" });
    await second.stop();
  });

  it("and never was up makes POST answer 503 not_ready", async () => {
    const other = await startFakeEngine();
    await other.stop();
    const second = await startGateway({ ESPEAK_URL: other.url, TRANSCODER_URL: transcoder.url });
    const response = await post(second.url, request);
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await response.json()).toMatchObject({ reason: "not_ready" });
    await second.stop();
  });
});
