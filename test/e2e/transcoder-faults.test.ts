import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startFakeEngine, type FakeEngine } from "../fakes/engine.ts";
import { startGateway } from "../support/gateway.ts";
import { descendants, startTranscoderProcess } from "../support/processes.ts";
import { createSession, expectComplete, play, Stream } from "../support/session.ts";

let engine: FakeEngine;

beforeAll(async () => {
  engine = await startFakeEngine();
});

afterAll(() => engine?.stop());

const request = {
  provider: "espeak",
  voice: "fake",
  text: "The first sentence is here. The second one follows.",
  target_format: "mp3",
  sample_rate_hz: 16_000,
};

describe("a transcoder that fails in mid-stream", () => {
  const paced = { ...request, provider: "mock_tone", voice: "en-US-mock-paced" };

  it("killed and back, is taken up where it was: the client gets every message, once", async () => {
    const victim = await startTranscoderProcess();
    const second = await startGateway({ TRANSCODER_URL: victim.url });
    const { wsUrl } = await createSession(second.url, paced);
    const stream = new Stream(wsUrl);
    while (stream.audio.length < 10) await stream.next();
    await victim.stop();
    const back = await startTranscoderProcess({ PORT: new URL(victim.url).port });
    await stream.closed;
    expectComplete(stream);
    const again = await play(wsUrl);
    expect(again.bytes.equals(stream.bytes)).toBe(true);
    await second.stop();
    await back.stop();
  });

  it("hanging, ends the session with an error", async () => {
    const victim = await startTranscoderProcess({ PROCESSES: "1" });
    const second = await startGateway({
      TRANSCODER_URL: victim.url,
      TRANSCODER_STALL_MS: 500,
      TRANSCODER_WAIT_MS: 500,
    });
    const { wsUrl } = await createSession(second.url, paced);
    const stream = new Stream(wsUrl);
    await stream.next();
    const processes = [victim.child.pid!, ...(await descendants(victim.child.pid!)).map(({ pid }) => pid)];
    for (const pid of processes) process.kill(pid, "SIGSTOP");
    await stream.closed;
    expect(stream.finals).toMatchObject([{ type: "error", reason: "transcoder_unavailable" }]);
    for (const pid of processes) process.kill(pid, "SIGKILL");
    await second.stop();
  });
});

describe("a transcoder that is down", () => {
  it("at the start is waited for, then the error is 503", async () => {
    const down = await startTranscoderProcess();
    await down.stop();
    const second = await startGateway({ ESPEAK_URL: engine.url, TRANSCODER_URL: down.url, TRANSCODER_WAIT_MS: 5_000 });
    const started = Date.now();
    const stream = await play((await createSession(second.url, request)).wsUrl);
    expect(stream.final).toMatchObject({ type: "error", code: 503, reason: "transcoder_unavailable" });
    expect(stream.closeCode).toBe(1013);
    expect(Date.now() - started).toBeGreaterThan(1_000);

    // It is back: the next session is whole, on the same address.
    const { wsUrl } = await createSession(second.url, request);
    const late = new Stream(wsUrl);
    await sleep(500);
    const back = await startTranscoderProcess({ PORT: new URL(down.url).port });
    await late.closed;
    expectComplete(late);
    await back.stop();
    await second.stop();
  });

  it("is not needed for PCM at the provider's own rate", async () => {
    const second = await startGateway({ ESPEAK_URL: engine.url });
    const stream = await play((await createSession(second.url, { ...request, target_format: "wav" })).wsUrl);
    expectComplete(stream);
    await second.stop();
  });
});
