import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { beforeAll, describe, expect, it } from "vitest";
import { startFakeEngine } from "../fakes/engine.ts";
import { decodeStream } from "../support/decode-stream.ts";
import { startEspeakProcess } from "../support/processes.ts";
import { createSession, expectComplete, play, post, sha256, statusOf, type Stream } from "../support/session.ts";
import { useTwoEngines } from "../support/two-engines.ts";
import { rms } from "../transcoder/signal.ts";

const FIRST = "The first sentence is here.";
const SECOND = "The second one follows it now.";

const ESPEAK = { provider: "espeak", voice: "en-us" };
const FAKE = { provider: "coqui_tts", voice: "fake" };

const parts = useTwoEngines();

describe("a voice that fails, with another to take over", () => {
  const gateway = parts.withGateway(() => ({ CIRCUIT_MINIMUM_CALLS: 1_000_000 }));
  const request = { ...FAKE, text: `${FIRST} ${SECOND}`, fallback: [ESPEAK], target_format: "pcm16" };

  async function heardMs(stream: Stream): Promise<number> {
    const { samples, sampleRateHz } = await decodeStream("pcm16", stream.bytes, 16_000);
    expect(rms(samples)).toBeGreaterThan(0.02);
    return (samples.length / sampleRateHz) * 1000;
  }

  async function espeakMs(text: string): Promise<number> {
    const { wsUrl } = await createSession(gateway.url, { ...ESPEAK, text, sample_rate_hz: 16_000 });
    return expectComplete(await play(wsUrl)).duration_ms;
  }

  it("is replaced before it has sounded: the whole text is heard, at the rate the stream began with", async () => {
    parts.engine.always = "fail_500";
    const { id, wsUrl } = await createSession(gateway.url, request);
    const stream = await play(`${wsUrl}?notices=1`);
    expectComplete(stream);
    expect(parts.engine.texts).toEqual([FIRST, FIRST, FIRST]);
    expect(Math.abs((await heardMs(stream)) - (await espeakMs(request.text)))).toBeLessThan(30);
    const notice = { type: "notice", reason: "provider_failed", ...ESPEAK, pts_ms: 0, is_cut: false };
    expect(stream.notices).toEqual([{ ...notice, message: expect.stringContaining("coqui_tts failed") as unknown }]);
    const status = await statusOf(gateway.url, id);
    expect(status).toMatchObject({ provider: "coqui_tts", state: "completed", notices: [notice] });
  });

  it("is replaced at the next sentence where it breaks off: nothing is heard twice", async () => {
    parts.engine.faults = ["cut_after_audio"];
    const { wsUrl } = await createSession(gateway.url, request);
    const stream = await play(`${wsUrl}?notices=1`);
    expectComplete(stream);
    expect(parts.engine.texts).toEqual([FIRST]);
    const brokenOffMs = (FIRST.length * 50) / 2;
    expect(stream.notices).toMatchObject([{ ...ESPEAK, pts_ms: brokenOffMs, is_cut: true }]);
    expect(Math.abs((await heardMs(stream)) - brokenOffMs - (await espeakMs(SECOND)))).toBeLessThan(30);
  });

  it("in its last sentence leaves nothing to go on with: the stream ends with the error", async () => {
    parts.engine.faults = ["none", "cut_after_audio"];
    const { wsUrl } = await createSession(gateway.url, request);
    const stream = await play(`${wsUrl}?notices=1`);
    expect(stream.final).toMatchObject({ code: 502, reason: "provider_failed" });
    expect([stream.notices, stream.closeCode, parts.engine.texts]).toEqual([[], 1011, [FIRST, SECOND]]);
  });

  it("is not told of to a client that did not ask", async () => {
    parts.engine.always = "fail_500";
    const stream = await play((await createSession(gateway.url, request)).wsUrl);
    expectComplete(stream);
    expect(stream.notices).toEqual([]);
  });

  it.each(["mp3", "opus", "flac", "wav"])("as %s is the same stream to a second listener", async (format) => {
    parts.engine.faults = ["cut_after_audio"];
    const { wsUrl } = await createSession(gateway.url, { ...request, target_format: format, sample_rate_hz: 16_000 });
    const first = await play(`${wsUrl}?notices=1`);
    expectComplete(first);
    const second = await play(`${wsUrl}?notices=1`);
    expectComplete(second);
    expect(sha256(second.bytes)).toBe(sha256(first.bytes));
    expect(second.notices).toEqual(first.notices);
  });

  it("and none of whose fallbacks can speak ends with the last one's error", async () => {
    parts.engine.always = "fail_500";
    const fallback = [{ ...FAKE }, { provider: "espeak", voice: "en-us" }];
    await parts.espeak.stop();
    try {
      const stream = await play((await createSession(gateway.url, { ...request, fallback })).wsUrl);
      expect(stream.final).toMatchObject({ reason: "provider_failed" });
      expect(stream.final!.message).toContain("espeak");
      expect(stream.audio).toEqual([]);
    } finally {
      parts.espeak = await startEspeakProcess({ PORT: new URL(parts.espeak.url).port });
    }
  });

  it.each([
    ["a voice that is not there", { fallback: [{ provider: "espeak", voice: "nobody" }] }, "fallback.0.voice"],
    ["a provider that is not there", { fallback: [ESPEAK, { provider: "x", voice: "y" }] }, "fallback.1.provider"],
    ["another language", { language: "en", fallback: [{ provider: "espeak", voice: "de" }] }, "fallback.0.voice"],
    ["what is no list", { fallback: ESPEAK }, "fallback"],
    ["too many", { fallback: Array.from({ length: 5 }, () => ESPEAK) }, "fallback"],
  ])("cannot be replaced by %s", async (_, more, field) => {
    const response = await post(gateway.url, { ...request, ...more });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ reason: "invalid_request", field });
  });
});

describe("a provider that was never there", () => {
  // Held by one that hangs up on everybody, or another process might come to be there.
  const nobody = createServer((socket) => socket.destroy());
  let deadPort: number;
  beforeAll(async () => {
    nobody.listen(0, "127.0.0.1");
    await once(nobody, "listening");
    deadPort = (nobody.address() as AddressInfo).port;
  });
  const gateway = parts.withGateway(() => ({ COQUI_URL: `http://127.0.0.1:${deadPort}` }));

  it("is replaced too", async () => {
    const { wsUrl } = await createSession(gateway.url, { ...FAKE, text: FIRST, fallback: [ESPEAK] });
    const stream = await play(`${wsUrl}?notices=1`);
    expectComplete(stream);
    expect(stream.notices).toMatchObject([{ reason: "provider_failed", ...ESPEAK }]);
  });

  it("is refused where there is nobody else", async () => {
    const response = await post(gateway.url, { ...FAKE, text: FIRST });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ reason: "not_ready" });
  });

  it("speaks after all, at its own rate, if it is there when it is asked", async () => {
    const text = `${FIRST} ${SECOND}`;
    const { id, wsUrl } = await createSession(gateway.url, { ...FAKE, text, fallback: [ESPEAK] });
    nobody.close();
    await once(nobody, "close");
    const late = await startFakeEngine(deadPort);
    const stream = await play(`${wsUrl}?notices=1`);
    await late.stop();
    const spokenMs = (FIRST.length + SECOND.length) * 50;
    expect(Math.abs(expectComplete(stream).duration_ms - spokenMs)).toBeLessThan(10);
    expect([late.texts, stream.notices]).toEqual([[FIRST, SECOND], []]);
    expect((await statusOf(gateway.url, id)).sample_rate_hz).toBe(22_050);
  });
});
