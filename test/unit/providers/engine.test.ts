import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { encodeAudio, encodeEnd, encodeEvent } from "../../../protocol/envelope.ts";
import { EngineProvider } from "../../../worker/providers/engine.ts";
import { Misconfiguration, RequestFault } from "../../../worker/providers/provider.ts";
import { upstreamAt } from "../../../worker/upstreams/upstream.ts";
import { collect, concat } from "../bytes.ts";
import { bodyOf, breakOff, fakeServer, json, stall, stream, type Answer } from "../fake-server.ts";

const never = new AbortController().signal;
const utterance = { text: "Hello", voice: "v", language: "en" };
const format = encodeEvent({ type: "format", sample_rate: 22_050 });
const audio = encodeAudio(2, Uint8Array.of(1, 2, 3, 4));

beforeEach(() => void vi.spyOn(console, "log").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

const logged = () => vi.mocked(console.log).mock.calls.flat().join();

/** How one utterance goes with an engine that answers so. */
async function spoken(answer: Answer, signal = never) {
  await using server = await fakeServer(answer);
  return await collect(new EngineProvider("fake", server).speak(utterance, signal));
}

async function waitFor(isTrue: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(isTrue()).toBe(true), 2_000);
}

describe("an engine's speech", () => {
  it("comes as it was made: format, words, audio", async () => {
    const word = { type: "word", start: 0, length: 5, sample: 0 } as const;
    expect(await spoken(stream(format, encodeEvent(word), audio, audio, encodeEnd()))).toEqual([
      { type: "event", event: { type: "format", sample_rate: 22_050 } },
      { type: "event", event: word },
      { type: "audio", samples: 2, data: Uint8Array.of(1, 2, 3, 4) },
      { type: "audio", samples: 2, data: Uint8Array.of(1, 2, 3, 4) },
    ]);
  });

  it("is asked for with text, voice and language as JSON", async () => {
    let asked: unknown;
    await spoken(async (request, response) => {
      asked = JSON.parse(new TextDecoder().decode(await bodyOf(request)));
      expect(request.headers["content-type"]).toBe("application/json");
      await stream(format, encodeEnd())(request, response);
    });
    expect(asked).toEqual(utterance);
  });

  it("is heard before it is complete", async () => {
    await using server = await fakeServer(stall(format, audio));
    const pieces = new EngineProvider("fake", server).speak(utterance, never);
    await pieces.next();
    expect((await pieces.next()).value).toMatchObject({ type: "audio" });
    await pieces.return(undefined);
    await waitFor(() => server.abandoned === 1);
  });

  it("stops upstream when it is aborted, before the first byte and in the middle", async () => {
    for (const answer of [stall(), stall(format, audio), () => {}]) {
      await using server = await fakeServer(answer);
      const controller = new AbortController();
      setTimeout(() => controller.abort(new Error("enough")), 50);
      await expect(collect(new EngineProvider("fake", server).speak(utterance, controller.signal))).rejects.toThrow(
        "enough",
      );
      await waitFor(() => server.abandoned === 1);
    }
  });
});

const html: Answer = (_, response) => void response.writeHead(502).end("<html>upstream secret</html>");

describe("an engine's circuit", () => {
  const fetchNothing = async () => new Response();

  it("is the same for all regions when it has one address", () => {
    expect(new EngineProvider("fake", { fetch: fetchNothing }).circuitName).toBe("fake");
    expect(new EngineProvider("fake", upstreamAt("http://engine.example")).circuitName).toBe("fake");
  });

  it("is one of each region where it runs", () => {
    const names = (["weur", "apac"] as const).map(
      (region) => new EngineProvider("fake", { fetch: fetchNothing, region }).circuitName,
    );
    expect(names).toEqual(["fake:weur", "fake:apac"]);
  });
});

describe("an engine that refuses", () => {
  it.each([
    [503, { reason: "busy", message: "m", retryable: true }, { "retry-after": "3" }, "when_free", 3_000],
    [503, { reason: "not_ready", message: "m" }, {}, "when_free", undefined],
    [503, { reason: "busy" }, { "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT" }, "when_free", undefined],
    [500, { reason: "internal" }, {}, "retry", undefined],
  ])("with %i %j is taken at its word", async (status, error, headers: Record<string, string>, again, retryAfterMs) => {
    await expect(spoken(json({ error }, status, headers))).rejects.toMatchObject({
      name: "ProviderError",
      again,
      reason: error.reason,
      retryAfterMs,
    });
  });

  it.each([
    [404, { reason: "unknown_voice", message: "m", retryable: false }, "unknown_voice"],
    [413, { reason: "text_too_long" }, "text_too_long"],
    [422, { reason: "of_its_own", retryable: true }, "of_its_own"],
    [409, { reason: "busy" }, "busy"],
    [400, "text", "http_400"],
    [500, { reason: "internal", retryable: false }, "internal"],
  ])("with %i %j blames the request, which is not asked again", async (status, error, reason) => {
    const failure: unknown = await spoken(json({ error }, status)).catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(RequestFault);
    expect(failure).toMatchObject({ again: "never", reason });
  });

  it.each([{ error: { reason: "rate_limited", retryable: false } }, { error: { reason: "unknown_voice" } }, {}])(
    "with 429 %j is busy, for as long as it says",
    async (body) => {
      const failure = spoken(json(body, 429, { "retry-after": "3" }));
      await expect(failure).rejects.toMatchObject({ again: "when_free", reason: "busy", retryAfterMs: 3_000 });
    },
  );

  it.each([401, 402, 403, 407, 501])("with %i blames the gateway's setup, and the log names it", async (status) => {
    const refusal = { error: { reason: "busy", message: "your key is abc", retryable: true } };
    const answering = { fetch: async () => Response.json(refusal, { status, headers: { "retry-after": "3" } }) };
    const failure: unknown = await collect(new EngineProvider("fake", answering).speak(utterance, never)).catch(
      (thrown: unknown) => thrown,
    );
    expect(failure).toBeInstanceOf(Misconfiguration);
    expect(failure).toMatchObject({ again: "never", reason: "misconfigured" });
    expect(logged()).toContain(`"event":"provider_misconfigured","provider":"fake","status":${status}`);
    expect(logged() + String(failure)).not.toContain("abc");
  });

  it("without a word is judged by its status", async () => {
    await expect(spoken(html)).rejects.toMatchObject({ again: "retry", reason: "http_502" });
    const message = await spoken(html).catch((error: unknown) => String(error));
    expect(message).not.toContain("secret");
  });
});

function fails(reason: string, retryable: boolean) {
  return spoken(stream(format, audio, encodeEnd({ reason, message: "m", retryable })));
}

describe("an engine that fails in the middle", () => {
  it("says so in its end, with what it calls it", async () => {
    await expect(fails("crashed", true)).rejects.toMatchObject({ again: "retry", reason: "crashed" });
    await expect(fails("out_of_luck", false)).rejects.toMatchObject({ again: "never", name: "RequestFault" });
    await expect(fails("nothing_to_speak", false)).rejects.toBeInstanceOf(RequestFault);
    await expect(fails("busy", true)).rejects.toMatchObject({ again: "when_free" });
  });

  it.each([
    ["is cut without an end", stream(format, audio)],
    ["is cut inside an envelope", stream(format, audio.subarray(0, 7))],
    ["sends nothing at all", stream()],
    ["sends half a sample", stream(format, encodeAudio(1, Uint8Array.of(1, 2, 3)), encodeEnd())],
    ["counts other samples than it sends", stream(format, encodeAudio(3, Uint8Array.of(1, 2, 3, 4)), encodeEnd())],
    ["sends audio before its format", stream(audio, encodeEnd())],
    ["sends what is no envelope", stream(new TextEncoder().encode("RIFF....WAVEfmt "))],
  ])("%s: that can be tried again", async (_, answer) => {
    await expect(spoken(answer)).rejects.toMatchObject({ again: "retry", reason: "broken_stream" });
  });

  it.each([1, 7_999, 48_001, 4_000_000_000])("speaks at %i Hz: that is no rate of a stream", async (rateHz) => {
    const strange = stream(encodeEvent({ type: "format", sample_rate: rateHz }), audio, encodeEnd());
    await expect(spoken(strange)).rejects.toMatchObject({ again: "never", reason: "wrong_rate" });
  });

  it("breaks the connection: that can be tried again", async () => {
    await expect(spoken(breakOff(format, audio))).rejects.toMatchObject({ again: "retry", name: "ProviderError" });
  });

  it("is left alone: a stream that turned out broken is not read on", async () => {
    await using server = await fakeServer(stall(concat([format, encodeAudio(1, Uint8Array.of(1))])));
    await expect(collect(new EngineProvider("fake", server).speak(utterance, never))).rejects.toMatchObject({
      reason: "broken_stream",
    });
    await waitFor(() => server.abandoned === 1);
  });

  it("is not there: that can be tried again", async () => {
    const nobody = new EngineProvider("fake", upstreamAt("http://127.0.0.1:1"));
    await expect(collect(nobody.speak(utterance, never))).rejects.toMatchObject({
      again: "retry",
      reason: "unreachable",
    });
  });
});
