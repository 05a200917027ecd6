import { describe, expect, it } from "vitest";
import type { CreateSessionResponse } from "../../protocol/messages.ts";
import { ask, create, LONG_TEXT, post, request, type Problem } from "./client.ts";

async function problemOf(response: Response): Promise<Problem> {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const problem = await response.json<Problem>();
  expect(problem.status).toBe(response.status);
  expect(problem.detail).not.toMatch(/\bat .*\.ts/);
  return problem;
}

describe("POST /v1/tts/sessions", () => {
  it("answers the commissioned contract's example with exactly its two fields", async () => {
    const response = await post({
      provider: "mock_tone",
      voice: "en-US-mock-1",
      text: "Hello!",
      target_format: "mulaw",
      sample_rate_hz: 8_000,
      language: "en-US",
    });
    expect(response.status).toBe(201);
    expect(Object.keys(await response.json<object>()).toSorted()).toEqual(["session_id", "ws_url"]);
  });

  it.each([
    ["http://gateway.example", "ws://gateway.example"],
    ["https://gateway.example", "wss://gateway.example"],
    ["http://localhost:8787", "ws://localhost:8787"],
  ])("on %s names a socket on %s", async (origin, expected) => {
    const response = await ask(`${origin}/v1/tts/sessions?x=1`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    const { session_id: id, ws_url: wsUrl } = await response.json<CreateSessionResponse>();
    expect(wsUrl).toBe(`${expected}/v1/tts/stream/${id}`);
  });

  it.each([
    ["an empty text", { text: "" }, "text"],
    ["a blank text", { text: " \n\t " }, "text"],
    ["a text over the limit", { text: "a".repeat(5_001) }, "text"],
    ["no text", { text: undefined }, "text"],
    ["a text that is a number", { text: 7 }, "text"],
    ["an unknown provider", { provider: "nobody" }, "provider"],
    ["an unknown voice", { voice: "eve" }, "voice"],
    ["a voice that is no text", { voice: {} }, "voice"],
    ["a language its voice does not speak", { language: "de" }, "language"],
    ["what is no language", { language: "english!" }, "language"],
    ["an unknown format", { target_format: "ogg" }, "target_format"],
    ["a rate below all", { sample_rate_hz: 7_999 }, "sample_rate_hz"],
    ["a rate above all", { sample_rate_hz: 48_001 }, "sample_rate_hz"],
    ["a rate MP3 does not have", { target_format: "mp3", sample_rate_hz: 22_051 }, "sample_rate_hz"],
    ["half a rate", { sample_rate_hz: 16_000.5 }, "sample_rate_hz"],
  ])("refuses %s, and names the field", async (_, more, field) => {
    const response = await post({ ...request, ...more });
    expect(response.status).toBe(400);
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ type: "about:blank", status: 400, reason: "invalid_request", field });
    expect(problem.detail).toMatch(new RegExp(`^${field}: `));
  });

  it.each(["", "{", "null", "[]", '"text"', "{'a':1}"])("refuses the body %j", async (body) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    expect((await problemOf(response)).reason).toBe("invalid_request");
  });

  it("answers with the scheme that the client used with the proxy in front", async () => {
    const schemeFor = async (forwarded: Record<string, string>) => {
      const response = await post(request, forwarded);
      return (await response.json<{ ws_url: string }>()).ws_url.split("://")[0];
    };
    expect(await schemeFor({})).toBe("ws");
    expect(await schemeFor({ "x-forwarded-proto": "https" })).toBe("wss");
    expect(await schemeFor({ "x-forwarded-proto": "HTTPS, http" })).toBe("wss");
    expect(await schemeFor({ "x-forwarded-proto": "http, https" })).toBe("ws");
    for (const wrong of ["", "wss", "javascript"]) {
      expect(await schemeFor({ "x-forwarded-proto": wrong })).toBe("ws");
    }
  });

  it("takes JSON by any of its names, and nothing else", async () => {
    for (const type of ["application/json; charset=utf-8", "application/vnd.x+json", "APPLICATION/JSON"]) {
      expect((await post(request, { "content-type": type })).status).toBe(201);
    }
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
      const response = await post(request, { "content-type": type });
      expect(response.status).toBe(415);
      expect((await problemOf(response)).reason).toBe("unsupported_media_type");
    }
  });

  it("refuses a body no text could need, with and without its length", async () => {
    const body = JSON.stringify({ ...request, text: "a".repeat(100_000) });
    const response = await post(body, { "content-length": String(body.length) });
    expect(response.status).toBe(413);
    expect((await problemOf(response)).reason).toBe("payload_too_large");
    const streamed = await ask("/v1/tts/sessions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: new Blob([body]).stream(),
    });
    expect(streamed.status).toBe(413);
  });

  it("takes a text at the limit though every character is escaped", async () => {
    const escaped = "\\u00e9".repeat(5_000);
    expect((await post(JSON.stringify(request).replace("Hello there, world.", escaped))).status).toBe(201);
  });

  it("takes unknown fields, and null for what is optional", async () => {
    const response = await post({ ...request, speed: 2, language: null, sample_rate_hz: null });
    expect(response.status).toBe(201);
  });

  it("takes a language in any spelling, with or without its region", async () => {
    for (const language of ["en", "en-us", "EN-US", "en_US"]) {
      expect((await post({ ...request, language })).status).toBe(201);
    }
  });

  it("starts nothing", async () => {
    const id = await create({ text: LONG_TEXT });
    const status = await (await ask(`/v1/tts/sessions/${id}`)).json();
    expect(status).toMatchObject({
      session_id: id,
      state: "created",
      provider: "mock_tone",
      target_format: "pcm16",
      sample_rate_hz: 16_000,
      counts: { characters: LONG_TEXT.length, utterances: 0, recorded_ms: 0, messages: 0, bytes: 0 },
      timings: { started_at: null, first_audio_ms: null, ended_at: null },
      final: null,
    });
    expect(JSON.stringify(status)).not.toContain("Jack");
  });
});

describe("a session that does not exist", () => {
  const ids = ["nonsense", "0".repeat(64), "f".repeat(63), "%00", "..%2f..", "x".repeat(3_000)];
  it.each(["GET", "DELETE"])("is 404 for %s, whatever its id looks like", async (method) => {
    for (const id of ids) {
      const response = await ask(`/v1/tts/sessions/${id}`, { method });
      expect(response.status).toBe(404);
      expect((await problemOf(response)).reason).toBe("unknown_session");
    }
  });
});

async function list(query: string): Promise<{ id: string }[]> {
  const response = await ask(`/v1/voices${query}`);
  return (await response.json<{ voices: { id: string }[] }>()).voices;
}

describe("the other addresses", () => {
  it("GET /healthz says that the gateway is alive", async () => {
    const response = await ask("/healthz");
    expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
  });

  it("GET /readyz names each upstream and what it lacks", async () => {
    const response = await ask("/readyz");
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      status: "degraded",
      upstreams: {
        transcoder: { status: "down", reason: "there is none: TRANSCODER_URL is not set" },
        mock_tone: { status: "ready", circuit: "closed" },
      },
    });
  });

  it("GET /v1/voices lists the voices, and filters them", async () => {
    const all = await list("");
    expect(all[0]).toEqual({
      id: "en-US-mock-1",
      name: expect.any(String),
      language: "en-US",
      languages: ["en-US"],
      provider: "mock_tone",
      sample_rate_hz: 16_000,
      supported_formats: ["pcm16", "mulaw", "alaw", "opus", "mp3", "wav", "flac", "aac"],
    });
    expect(await list("?provider=mock_tone")).toEqual(all);
    expect(await list("?provider=nobody")).toEqual([]);
    expect((await list("?language=de")).map(({ id }) => id)).toEqual(["de-DE-mock-1"]);
    expect((await list("?language=de-de&provider=mock_tone")).map(({ id }) => id)).toEqual(["de-DE-mock-1"]);
    expect(await list("?language=de-AT")).toEqual([]);
  });

  it("GET /v1/voices refuses what is no language", async () => {
    const response = await ask("/v1/voices?language=!");
    expect(response.status).toBe(400);
    expect(await problemOf(response)).toMatchObject({ field: "language" });
  });

  it("any other one is 404", async () => {
    for (const [method, path] of [
      ["GET", "/"],
      ["GET", "/v1/tts/sessions"],
      ["PUT", "/v1/tts/sessions/x"],
      ["GET", "/v1/tts/stream/"],
    ] as const) {
      const response = await ask(path, { method });
      expect(response.status).toBe(404);
      expect((await problemOf(response)).reason).toBe("not_found");
    }
  });

  it("the stream without an upgrade is 426", async () => {
    const response = await ask(`/v1/tts/stream/${await create()}`);
    expect(response.status).toBe(426);
    expect((await problemOf(response)).reason).toBe("upgrade_required");
  });
});
