import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WebSocketServer, type WebSocket as ServerSocket } from "ws";
import { TtsClient, TtsError, type AudioChunk, type StreamOptions } from "../../client/tts-client.ts";
import { fakeServer, json } from "./fake-server.ts";

const audio = (seq: number) => JSON.stringify({ type: "audio", seq, data: btoa(`audio ${seq}`), pts_ms: seq * 10 });
const eos = (seq: number) => ({ type: "eos", seq, duration_ms: 100, bytes: 70 });

let sockets: WebSocketServer;
let http: ReturnType<typeof createServer>;
let wsUrl: string;
/** What clients asked for and said, in order. */
let heard: string[];
/** How the gateway serves a connection. */
let serve: (socket: ServerSocket) => void;

beforeEach(async () => {
  heard = [];
  http = createServer();
  sockets = new WebSocketServer({ server: http });
  sockets.on("connection", (socket, request) => {
    heard.push(request.url!);
    socket.on("message", (data: Buffer) => heard.push(data.toString()));
    serve(socket);
  });
  await new Promise<void>((resolve) => {
    http.listen(0, "127.0.0.1", resolve);
  });
  wsUrl = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/v1/tts/stream/id`;
});

afterEach(async () => {
  for (const socket of sockets.clients) socket.terminate();
  await new Promise((resolve) => {
    http.close(resolve);
  });
});

/** The whole stream: its chunks, and what it returns. */
async function heardStream(options: StreamOptions = {}) {
  const chunks: AudioChunk[] = [];
  const stream = new TtsClient("http://unused").stream(wsUrl, options);
  for (;;) {
    const { done, value } = await stream.next();
    if (done) return { chunks, end: value };
    chunks.push(value);
  }
}

const text = (chunks: AudioChunk[]) => chunks.map((chunk) => new TextDecoder().decode(chunk.audio));

describe("the client's stream", () => {
  it("yields the audio in order, acknowledges what was consumed, and returns the sums", async () => {
    serve = (socket) => {
      for (const seq of [1, 2, 3]) socket.send(audio(seq));
      socket.send(JSON.stringify(eos(3)));
    };
    const { chunks, end } = await heardStream();
    expect(text(chunks)).toEqual(["audio 1", "audio 2", "audio 3"]);
    expect(chunks.map(({ ptsMs }) => ptsMs)).toEqual([10, 20, 30]);
    expect(end).toEqual(eos(3));
    expect(heard[0]).toBe("/v1/tts/stream/id");
    await vi.waitFor(() => expect(heard.filter((one) => one.includes("ack"))).toHaveLength(3));
    expect(heard.join()).not.toContain("cancel");
  });

  it("acknowledges nothing that was not asked for behind it", async () => {
    serve = (socket) => {
      for (const seq of [1, 2, 3]) socket.send(audio(seq));
    };
    const stream = new TtsClient("http://unused").stream(wsUrl);
    await stream.next();
    await stream.next();
    await vi.waitFor(() => expect(heard).toHaveLength(2));
    expect(heard[1]).toBe('{"type":"ack","seq":1}');
    await stream.return(undefined as never);
  });

  it("takes binary frames, if asked to", async () => {
    serve = (socket) => {
      expect(socket.protocol).toBe("tts.v1.binary");
      socket.send(Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.from("one")]));
      socket.send(JSON.stringify(eos(1)));
    };
    const { chunks } = await heardStream({ binary: true });
    expect(text(chunks)).toEqual(["one"]);
  });

  it("resumes after what is there already", async () => {
    serve = (socket) => {
      socket.send(audio(8));
      socket.send(JSON.stringify(eos(8)));
    };
    const { chunks } = await heardStream({ after: 7 });
    expect(heard[0]).toBe("/v1/tts/stream/id?after=7");
    expect(chunks.map(({ seq }) => seq)).toEqual([8]);
  });

  it("takes no hole in the numbers", async () => {
    serve = (socket) => {
      socket.send(audio(1));
      socket.send(audio(3));
    };
    await expect(heardStream()).rejects.toThrow("audio 3 came in place of 2");
    await vi.waitFor(() => expect(heard).toContain('{"type":"cancel"}'));
  });

  it("throws what the gateway says in place of speech", async () => {
    serve = (socket) =>
      socket.send(JSON.stringify({ type: "error", code: 503, reason: "busy", message: "later", retry_after_ms: 7 }));
    const failure = await heardStream().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TtsError);
    expect(failure).toMatchObject({ code: 503, reason: "busy", message: "later", retryAfterMs: 7 });
  });

  it("throws a lost connection with its close code", async () => {
    serve = (socket) => {
      socket.send(audio(1));
      socket.close(1013, "stalled");
    };
    await expect(heardStream()).rejects.toMatchObject({ reason: "connection_lost", code: 1013 });
  });

  it("cancels the session when its reader leaves early", async () => {
    serve = (socket) => socket.send(audio(1));
    for await (const chunk of new TtsClient("http://unused").stream(wsUrl)) if (chunk.seq === 1) break;
    await vi.waitFor(() => expect(heard).toContain('{"type":"cancel"}'));
    await vi.waitFor(() => expect(sockets.clients.size).toBe(0));
  });

  it("cancels the session when it is aborted", async () => {
    serve = (socket) => socket.send(audio(1));
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(heardStream({ signal: controller.signal })).rejects.toThrow("enough");
    await vi.waitFor(() => expect(heard).toContain('{"type":"cancel"}'));
    await vi.waitFor(() => expect(sockets.clients.size).toBe(0));
  });

  it("does not begin when it was aborted before", async () => {
    serve = () => {};
    await expect(heardStream({ signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
    expect(heard).toEqual([]);
  });
});

describe("the client's requests", () => {
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

  it("throw an answer that is no problem document too", async () => {
    await using server = await fakeServer((_, response) => void response.writeHead(502).end("<html>"));
    await expect(new TtsClient(server.url).voices()).rejects.toMatchObject({ code: 502, reason: "http_error" });
  });

  it("ask for voices by provider and language", async () => {
    await using server = await fakeServer(json({ voices: [{ id: "a" }] }));
    expect(await new TtsClient(server.url).voices({ provider: "p", language: "en" })).toEqual([{ id: "a" }]);
    expect(server.asked).toEqual(["GET /v1/voices?provider=p&language=en"]);
  });
});
