/** Coqui as the gateway's clients hear it: the real library, the built Worker, a WebSocket. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort, startGateway, type RunningGateway } from "../support/gateway.ts";
import { report } from "../support/report.ts";
import { createSession, expectComplete, post, sha256, speak, statusOf, Stream } from "../support/session.ts";
import { hasCoqui, makeTinyModel, startCoqui, type CoquiProcess } from "./coqui-process.ts";
import { untilReady } from "./speech.ts";

const SENTENCE = "The quick brown fox jumps over the lazy dog and then it goes home again";
const sentences = (count: number) => Array.from({ length: count }, (_, i) => `${SENTENCE} number ${i}.`).join(" ");

const coqui = (text: string, voice = "coqui-en-1") => ({ provider: "coqui_tts", voice, text });

describe.skipIf(!hasCoqui)("Coqui through the gateway", () => {
  let model: ReturnType<typeof makeTinyModel>;
  let env: Record<string, string>;
  let engine: CoquiProcess;
  let gateway: RunningGateway;

  beforeAll(async () => {
    model = makeTinyModel();
    const port = await freePort();
    env = { COQUI_CHECKPOINT: model.checkpoint, TORCH_THREADS: "1", QUEUE_LIMIT: "1", PORT: String(port) };
    gateway = await startGateway({
      COQUI_URL: `http://127.0.0.1:${port}`,
      RECONNECT_GRACE_MS: 300,
      FIRST_AUDIO_TIMEOUT_MS: 1_000,
      PROVIDER_WAIT_MS: 1_000,
      LEAD_MS: 3_600_000,
    });
    engine = await startCoqui(env, { withFaults: true });
  });

  afterAll(async () => {
    await gateway?.stop();
    await engine?.stop();
    model?.remove();
  });

  const info = async () => (await (await fetch(`${engine.url}/v1/info`)).json()) as Record<string, number>;
  const speakers = async () => {
    const { voices } = (await (await fetch(`${engine.url}/v1/voices`)).json()) as { voices: { id: string }[] };
    return voices.map(({ id }) => id).filter((id) => id !== "coqui-en-1");
  };

  it("is not ready while its model loads, and says so", async () => {
    const refused = await post(gateway.url, coqui("Hello."));
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.json()).toMatchObject({ reason: "not_ready" });
    await untilReady(engine.url);
    expectComplete(await speak(gateway.url, coqui("Hello.")));
  });

  it("speaks sentence by sentence: the first is heard before a quarter of the text is made", async () => {
    const { id, wsUrl } = await createSession(gateway.url, coqui(sentences(12)));
    const started = performance.now();
    const stream = new Stream(wsUrl);
    await stream.next();
    const firstMs = performance.now() - started;
    const { counts } = await statusOf(gateway.url, id);
    await stream.closed;
    const wholeMs = performance.now() - started;
    expectComplete(stream);
    report(`12 sentences: first audio after ${firstMs.toFixed(0)} ms, the last after ${wholeMs.toFixed(0)} ms`);
    expect(counts.segments).toBeGreaterThanOrEqual(12);
    expect(counts.segments_recorded).toBeLessThan(counts.segments / 4);
    expect(firstMs).toBeLessThan(wholeMs / 4);
  });

  it("is not asked for more once its client has gone", async () => {
    const { id, wsUrl } = await createSession(gateway.url, coqui(sentences(300)));
    const { syntheses_started: before } = await info();
    const stream = new Stream(wsUrl);
    await stream.next();
    stream.socket.terminate();
    while ((await statusOf(gateway.url, id)).state !== "cancelled") await sleep(50);
    while ((await info()).syntheses_active! > 0) await sleep(20);
    const { syntheses_started: after } = await info();
    report(`a client gone: ${after! - before!} of 300 sentences made`);
    expect(after! - before!).toBeLessThan(150);
    await sleep(500);
    expect((await info()).syntheses_started).toBe(after);
  });

  it("lets a second session wait its turn, and gives each its own audio", async () => {
    const [one, other] = await speakers();
    const requests = [coqui(sentences(4), one), coqui(`Quite another text. ${sentences(3)}`, other)];
    const alone: string[] = [];
    for (const request of requests) alone.push(sha256((await speak(gateway.url, request)).bytes));
    expect(alone[0]).not.toBe(alone[1]);
    const together = await Promise.all(requests.map((request) => speak(gateway.url, request)));
    for (const stream of together) expectComplete(stream);
    expect(together.map(({ bytes }) => sha256(bytes))).toEqual(alone);
  });

  it("says busy, and when to come again, to those who would wait too long", async () => {
    const request = coqui(`${SENTENCE}, `.repeat(15));
    const streams = await Promise.all(Array.from({ length: 16 }, () => speak(gateway.url, request)));
    const whole = streams.filter(({ final }) => final?.type === "eos");
    const busy = streams.filter(({ final }) => final?.reason === "busy");
    report(`16 at once on a queue of one: ${whole.length} whole, ${busy.length} busy`);
    expect(whole.length + busy.length).toBe(16);
    expect(new Set(whole.map(({ bytes }) => sha256(bytes))).size).toBe(1);
    for (const { final, closeCode } of busy) {
      expect(final).toMatchObject({ code: 503, retry_after_ms: expect.any(Number) });
      expect(closeCode).toBe(1013);
    }
    expect(whole.length).toBeGreaterThan(0);
    expect(busy.length).toBeGreaterThan(0);
  });

  it.each([
    ["voice", { ...coqui("Hello."), voice: "nobody" }],
    ["language", { ...coqui("Hello."), language: "pt-BR" }],
  ])("a %s that it does not have is refused", async (field, request) => {
    const refused = await post(gateway.url, request);
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ reason: "invalid_request", field });
  });

  it("a text that it cannot speak ends with an error", async () => {
    const { audio, final, closeCode } = await speak(gateway.url, coqui("你好，世界。"));
    expect(final).toMatchObject({ code: 400, reason: "nothing_to_speak" });
    expect({ closeCode, messages: audio.length }).toEqual({ closeCode: 1008, messages: 0 });
  });

  it("an engine out of memory ends the stream with an error, after what was spoken before", async () => {
    const { audio, final, closeCode } = await speak(gateway.url, coqui("A first sentence. And then a GIANT one."));
    expect(audio.length).toBeGreaterThan(0);
    expect(final).toMatchObject({ code: 502, reason: "provider_failed" });
    expect(closeCode).toBe(1011);
    expectComplete(await speak(gateway.url, coqui("And it goes on.")));
  });

  it("an engine that is loading again is waited for, then the client is told", async () => {
    await engine.stop();
    engine = await startCoqui(env);
    const { final, closeCode } = await speak(gateway.url, coqui("Hello."));
    expect(final).toMatchObject({ code: 503, reason: "not_ready", retry_after_ms: expect.any(Number) });
    expect(closeCode).toBe(1013);
    await untilReady(engine.url);
    expectComplete(await speak(gateway.url, coqui("Hello.")));
  });
});
