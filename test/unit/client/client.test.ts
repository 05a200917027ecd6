import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TtsClient, TtsError, type StreamOptions } from "../../../client/index.ts";
import { audio, eos, fakeGateway, text, wholeStream, type FakeGateway } from "./fake-gateway.ts";
import { fakeServer, json } from "../fake-server.ts";

let gateway: FakeGateway;

beforeEach(async () => {
  gateway = await fakeGateway();
});

afterEach(() => gateway.stop());

const heardStream = (options?: StreamOptions) => wholeStream(gateway.wsUrl, options);

describe("the client's stream", () => {
  it("yields the audio in order, acknowledges what was consumed, and returns the sums", async () => {
    gateway.serve = (socket) => {
      for (const seq of [1, 2, 3]) socket.send(audio(seq));
      socket.on("message", (ack: Buffer) => {
        if (ack.includes("3")) socket.send(eos(3));
      });
    };
    const { chunks, end } = await heardStream();
    expect(text(chunks)).toEqual(["audio 1", "audio 2", "audio 3"]);
    expect(chunks.map(({ ptsMs }) => ptsMs)).toEqual([10, 20, 30]);
    expect(end).toEqual(JSON.parse(eos(3)));
    expect(gateway.heard[0]).toBe("/v1/tts/stream/id?attempt=1");
    expect(gateway.heard.slice(1)).toEqual([0, 1, 2, 3].map((seq) => `{"type":"ack","seq":${seq}}`));
  });

  it.each([0, 7])("begins with an ack, of %d: more than a window it is never sent unread", async (after) => {
    gateway.serve = (socket) => socket.on("message", () => socket.close(1000));
    await expect(heardStream({ after })).rejects.toMatchObject({ reason: "connection_lost", code: 1000 });
    expect(gateway.heard[1]).toBe(`{"type":"ack","seq":${after}}`);
  });

  it("acknowledges nothing that was not asked for behind it", async () => {
    gateway.serve = (socket) => {
      for (const seq of [1, 2, 3]) socket.send(audio(seq));
    };
    const stream = new TtsClient("http://unused").stream(gateway.wsUrl);
    await stream.next();
    await stream.next();
    await vi.waitFor(() => expect(gateway.heard).toHaveLength(3));
    expect(gateway.heard[2]).toBe('{"type":"ack","seq":1}');
    await stream.return(undefined as never);
  });

  it.each([eos(3), '{"type":"error","code":502,"reason":"provider_failed","message":"no more"}'])(
    "has no connection any more when its end has come, however much is still to be read: %s",
    async (final) => {
      gateway.serve = (socket) => {
        for (const seq of [1, 2, 3]) socket.send(audio(seq));
        socket.send(final);
      };
      const stream = new TtsClient("http://unused").stream(gateway.wsUrl);
      await stream.next();
      await vi.waitFor(() => expect(gateway.open).toBe(0));
      for (const seq of [2, 3]) expect((await stream.next()).value).toMatchObject({ seq });
      await stream.next().catch(() => {});
      expect(gateway.heard.slice(1)).toEqual(['{"type":"ack","seq":0}']);
    },
  );

  it("takes binary frames, if asked to", async () => {
    gateway.serve = (socket) => {
      expect(socket.protocol).toBe("tts.v1.binary");
      socket.send(Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.from("one")]));
      socket.send(eos(1));
    };
    const { chunks } = await heardStream({ binary: true });
    expect(text(chunks)).toEqual(["one"]);
    expect(chunks[0]!.audio.buffer.byteLength, "a decoder may be given the buffer").toBe(3);
  });

  it("resumes after what is there already", async () => {
    gateway.serve = (socket) => {
      socket.send(audio(8));
      socket.send(eos(8));
    };
    const { chunks } = await heardStream({ after: 7 });
    expect(gateway.heard[0]).toBe("/v1/tts/stream/id?after=7&attempt=1");
    expect(chunks.map(({ seq }) => seq)).toEqual([8]);
  });

  it("takes no hole in the numbers", async () => {
    gateway.serve = (socket) => {
      socket.send(audio(1));
      socket.send(audio(3));
    };
    await expect(heardStream()).rejects.toThrow("audio 3 came in place of 2");
    await vi.waitFor(() => expect(gateway.heard).toContain('{"type":"cancel"}'));
  });

  it.each([1, 3])("takes no end of a stream of %d messages after the second", async (last) => {
    gateway.serve = (socket) => {
      for (const seq of [1, 2]) socket.send(audio(seq));
      socket.send(eos(last));
    };
    await expect(heardStream()).rejects.toThrow(`eos ${last} came after audio 2`);
    await vi.waitFor(() => expect(gateway.heard).toContain('{"type":"cancel"}'));
  });

  it("throws what the gateway says in place of speech", async () => {
    gateway.serve = (socket) =>
      socket.send(JSON.stringify({ type: "error", code: 503, reason: "busy", message: "later", retry_after_ms: 7 }));
    const failure = await heardStream().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TtsError);
    expect(failure).toMatchObject({ code: 503, reason: "busy", message: "later", retryAfterMs: 7 });
  });

  it("passes over messages of a type it does not know", async () => {
    gateway.serve = (socket) => {
      socket.send('{"type":"word","start":0}');
      socket.send(audio(1));
      socket.send(eos(1));
    };
    expect(text((await heardStream()).chunks)).toEqual(["audio 1"]);
  });

  it("tells of notices, and asks the gateway for them only then", async () => {
    const notice = { type: "notice", reason: "provider_failed", provider: "q", voice: "w" };
    gateway.serve = (socket) => {
      socket.send(JSON.stringify(notice));
      socket.send(audio(1));
      socket.send(eos(1));
    };
    const onNotice = vi.fn<(notice: unknown) => void>();
    expect(text((await heardStream({ onNotice })).chunks)).toEqual(["audio 1"]);
    expect(onNotice.mock.calls).toEqual([[notice]]);
    expect(gateway.heard[0]).toBe("/v1/tts/stream/id?attempt=1&notices=1");
  });

  it("cancels the session when its reader leaves early", async () => {
    gateway.serve = (socket) => socket.send(audio(1));
    for await (const chunk of new TtsClient("http://unused").stream(gateway.wsUrl)) if (chunk.seq === 1) break;
    await vi.waitFor(() => expect(gateway.heard).toContain('{"type":"cancel"}'));
    await vi.waitFor(() => expect(gateway.open).toBe(0));
  });

  it("cancels the session when it is aborted", async () => {
    gateway.serve = (socket) => socket.send(audio(1));
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(heardStream({ signal: controller.signal })).rejects.toThrow("enough");
    await vi.waitFor(() => expect(gateway.heard).toContain('{"type":"cancel"}'));
    await vi.waitFor(() => expect(gateway.open).toBe(0));
  });

  it("does not begin when it was aborted before", async () => {
    await expect(heardStream({ signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
    expect(gateway.heard).toEqual([]);
  });
});

describe("the client's requests", () => {
  it("throw that nobody answers", async () => {
    const nobody = new TtsClient("http://127.0.0.1:1");
    const refused = { code: 0, reason: "unreachable", message: "no gateway answers at http://127.0.0.1:1" };
    await expect(nobody.voices()).rejects.toMatchObject(refused);
    await expect(nobody.createSession({ provider: "p", voice: "v", text: "t" })).rejects.toMatchObject(refused);
  });

  it("throw the gateway's problem", async () => {
    const problem = { status: 503, reason: "not_ready", detail: "wait" };
    await using server = await fakeServer(json(problem, 503, { "retry-after": "2" }));
    const client = new TtsClient(`${server.url}/`);
    const request = client.createSession({ provider: "p", voice: "v", text: "t" });
    await expect(request).rejects.toMatchObject({
      code: 503,
      reason: "not_ready",
      message: "wait",
      retryAfterMs: 2_000,
    });
    expect(server.asked).toEqual(["POST /v1/tts/sessions"]);
  });

  it("throw the field that is wrong", async () => {
    const problem = { status: 400, reason: "invalid_request", detail: 'voice: there is no "x"', field: "voice" };
    await using server = await fakeServer(json(problem, 400));
    const request = new TtsClient(server.url).createSession({ provider: "p", voice: "x", text: "t" });
    await expect(request).rejects.toMatchObject({ field: "voice", retryAfterMs: undefined });
  });

  it("throw an answer that is no problem document too", async () => {
    await using server = await fakeServer((_, response) => void response.writeHead(502).end("<html>"));
    await expect(new TtsClient(server.url).voices()).rejects.toMatchObject({ code: 502, reason: "http_error" });
  });

  it("ask for voices by provider and language", async () => {
    await using server = await fakeServer(json({ voices: [{ id: "a" }] }));
    expect(await new TtsClient(server.url).voices({ provider: "p", language: "en" })).toEqual([{ id: "a" }]);
    expect(server.asked).toEqual(["GET /v1/voices?provider=p&language=en"]);
  });

  it("ask how a session stands, and cancel it", async () => {
    await using server = await fakeServer(json({ state: "created" }));
    const client = new TtsClient(server.url);
    expect(await client.sessionStatus("a/b")).toEqual({ state: "created" });
    await client.cancelSession("a/b");
    expect(server.asked).toEqual(["GET /v1/tts/sessions/a%2Fb", "DELETE /v1/tts/sessions/a%2Fb"]);
  });

  it.each(["localhost:8787", "ws://localhost:8787", "example.com"])("go to no address such as %s", (address) => {
    expect(() => new TtsClient(address)).toThrow(`"${address}" is no gateway's address, such as http://localhost:8787`);
  });
});
