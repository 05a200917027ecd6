import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createSession, expectComplete, longText, play, post, statusOf, Stream } from "../support/session.ts";
import { activity, useStack } from "../support/stack.ts";

const stack = useStack({ RECONNECT_GRACE_MS: 1_000 });

const request = { provider: "mock_tone", voice: "en-US-mock-1", text: "Hello.", target_format: "mp3" };
const paced = { ...request, voice: "en-US-mock-paced", text: longText(200) };

describe("a request that cannot be met is refused with the field and what is allowed", () => {
  it.each<[string, object, RegExp]>([
    ["empty text", { text: "" }, /^text: /],
    ["blank text", { text: " \n\t\u00a0 " }, /^text: /],
    ["over-long text", { text: "a".repeat(100_001) }, /^text: .*100001.*100000/],
    ["text of the wrong type", { text: 7 }, /^text: /],
    ["no voice", { voice: undefined }, /^voice: /],
    ["unknown provider", { provider: "nobody" }, /^provider: .*mock_tone, espeak/],
    ["unknown voice", { voice: "nobody" }, /^voice: .*en-US-mock-1/],
    ["voice of another provider", { voice: "en-us" }, /^voice: .*en-US-mock-1/],
    ["unsupported language", { language: "fr-FR" }, /^language: .*fr-FR.*en-US/],
    ["another country's kind of the language", { language: "en-GB" }, /^language: /],
    ["no language tag", { language: "not a language" }, /^language: .*BCP 47/],
    ["unknown format", { target_format: "vorbis" }, /^target_format: .*pcm16.*mp3/],
    ["a rate mp3 does not have", { sample_rate_hz: 17_000 }, /^sample_rate_hz: .*16000/],
    ["too high a rate", { target_format: "pcm16", sample_rate_hz: 96_000 }, /^sample_rate_hz: .*8000.*48000/],
    ["half a hertz", { target_format: "pcm16", sample_rate_hz: 8000.5 }, /^sample_rate_hz: /],
  ])("%s", async (_, change, detail) => {
    const response = await post(stack.url, { ...request, ...change });
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    const problem = (await response.json()) as { detail: string; field: string; reason: string };
    expect(problem.detail).toMatch(detail);
    expect(problem.detail.startsWith(`${problem.field}: `)).toBe(true);
    expect(problem.reason).toBe("invalid_request");
  });

  it.each<[string, string, Record<string, string>, number]>([
    ["malformed JSON", '{"provider":', {}, 400],
    ["no object", "[1]", {}, 400],
    ["no body", "", {}, 400],
    ["another content type", JSON.stringify(request), { "content-type": "text/plain" }, 415],
    ["a huge body", JSON.stringify({ ...request, extra: "a".repeat(2_000_000) }), {}, 413],
  ])("%s", async (_, body, headers, status) => {
    const response = await post(stack.url, body, headers);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ status, detail: expect.any(String) });
  });

  it("but what it is not asked for is ignored, and null is as good as nothing", async () => {
    const response = await post(stack.url, { ...request, speed: 3, language: null, sample_rate_hz: null });
    expect(response.status).toBe(201);
  });
});

describe("an id that is no session's", () => {
  const ids = { unknown: "0".repeat(64), malformed: "no-such-id", "of another length": "ab" };
  it.each(Object.entries(ids))("%s: 404 over HTTP, an error and 1008 on the socket", async (_, id) => {
    for (const method of ["GET", "DELETE"]) {
      const response = await fetch(`${stack.url}/v1/tts/sessions/${id}`, { method });
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ reason: "unknown_session" });
    }
    const stream = await play(`${stack.url.replace("http", "ws")}/v1/tts/stream/${id}`);
    expect(stream.finals).toMatchObject([{ type: "error", code: 404, reason: "unknown_session" }]);
    expect(stream.closeCode).toBe(1008);
  });
});

describe("what a client may not say on the socket", () => {
  it.each<[string, unknown, number, string, number]>([
    ["garbage", "garbage", 400, "bad_message", 1008],
    ["JSON of no known type", { type: "hello" }, 400, "bad_message", 1008],
    ["an ack without a seq", { type: "ack" }, 400, "bad_message", 1008],
    ["an ack of half a message", { type: "ack", seq: 1.5 }, 400, "bad_message", 1008],
    ["a binary frame", Buffer.from([1, 2, 3]), 400, "bad_message", 1008],
    ["an ack of what was never sent", { type: "ack", seq: 1_000_000 }, 400, "invalid_ack", 1008],
    ["an oversized message", "a".repeat(100_000), 413, "payload_too_large", 1009],
  ])("%s ends the connection, and the session can be resumed", async (_, message, code, reason, closeCode) => {
    const { wsUrl } = await createSession(stack.url, { ...request, voice: "en-US-mock-paced", text: longText(60) });
    const stream = new Stream(wsUrl);
    await stream.next();
    stream.send(message);
    expect(await stream.closed).toBe(closeCode);
    expect(stream.finals).toMatchObject([{ type: "error", code, reason }]);
    const rest = await play(wsUrl, { after: stream.audio.length });
    expectComplete(rest, stream.audio.length);
  });

  it.each(["-1", "x", "1.5", "99999999999999999999", "1e3", ""])("after=%s", async (after) => {
    const { wsUrl } = await createSession(stack.url, request);
    const stream = await play(`${wsUrl}?after=${after}`);
    expect(stream.final).toMatchObject({ code: 400, reason: "invalid_after" });
    expect(stream.closeCode).toBe(1008);
  });

  it("an after above what was sent, which does not disturb the client that is there", async () => {
    const { wsUrl } = await createSession(stack.url, { ...request, voice: "en-US-mock-paced", text: longText(30) });
    const stream = new Stream(wsUrl);
    await stream.next();
    const wrong = await play(wsUrl, { after: 1_000 });
    expect(wrong.final).toMatchObject({ code: 400, reason: "invalid_after" });
    await stream.closed;
    expectComplete(stream);
  });
});

it("a client that vanishes leaves nothing running once its time to come back is over", async () => {
  const sessions = await Promise.all(
    ["mock_tone", "espeak"].map((provider) =>
      createSession(stack.url, provider === "espeak" ? { ...paced, provider, voice: "en-us" } : paced),
    ),
  );
  for (const { wsUrl } of sessions) {
    const stream = new Stream(wsUrl);
    await stream.next();
    if (wsUrl === sessions[1]!.wsUrl) stream.send({ type: "ack", seq: 1 });
    stream.socket.terminate();
  }
  for (const { id } of sessions) {
    for (let i = 0; i < 100 && (await statusOf(stack.url, id)).state === "streaming"; i++) await sleep(100);
    expect(["cancelled", "completed"]).toContain((await statusOf(stack.url, id)).state);
  }
  await sleep(100);
  expect(await activity(stack)).toEqual({ encoders: 0, syntheses: 0 });
});

it("a request to the stream's address that is no WebSocket is told so", async () => {
  const { wsUrl } = await createSession(stack.url, request);
  const response = await fetch(wsUrl.replace("ws:", "http:"));
  expect(response.status).toBe(426);
});

it("the text never reaches the log", async () => {
  const secret = "xylophonic marmalade";
  await play((await createSession(stack.url, { ...request, text: secret })).wsUrl);
  await sleep(200);
  const lines = JSON.stringify(stack.gateway.logs);
  expect(lines).toContain('"event":"stream"');
  expect(lines).not.toContain("marmalade");
});
