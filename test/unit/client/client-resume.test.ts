import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ResumingStream } from "../../../client/stream/resuming-stream.ts";
import { TtsClient, TtsError } from "../../../client/index.ts";
import {
  audio,
  connectionsTo,
  eos,
  fakeGateway,
  serveInPortions,
  text,
  wholeStream,
  type FakeGateway,
} from "./fake-gateway.ts";
import { fakeServer, json } from "../fake-server.ts";

const CANCEL = '{"type":"cancel"}';
const DELETE = "DELETE /v1/tts/sessions/id";
const error = (code: number, reason: string, retryAfterMs?: number) =>
  JSON.stringify({ type: "error", code, reason, message: reason, retry_after_ms: retryAfterMs });

let gateway: FakeGateway;

beforeEach(async () => {
  gateway = await fakeGateway();
});

afterEach(() => gateway.stop());

const expected = (last: number) => Array.from({ length: last }, (_, i) => `audio ${i + 1}`);

describe("a connection that is lost", () => {
  it.each([1001, 1012, 1013])("is resumed after close code %d, and the reader notices nothing", async (code) => {
    serveInPortions(gateway, 5, 2, (socket) => socket.close(code));
    const { chunks, end } = await wholeStream(gateway.wsUrl);
    expect(text(chunks)).toEqual(expected(5));
    expect(end).toEqual(JSON.parse(eos(5)));
    expect(connectionsTo(gateway)).toEqual([
      "/v1/tts/stream/id?attempt=1",
      "/v1/tts/stream/id?after=2&attempt=2",
      "/v1/tts/stream/id?after=4&attempt=3",
      "/v1/tts/stream/id?after=5&attempt=4",
    ]);
    expect(gateway.heard).not.toContain(CANCEL);
    expect(gateway.heard).not.toContain(DELETE);
  });

  it("is resumed as a further attempt of the same client, which another stream's attempts are not", async () => {
    serveInPortions(gateway, 3, 2, (socket) => socket.close(1012));
    await wholeStream(gateway.wsUrl);
    await wholeStream(gateway.wsUrl, { after: 2 });
    const [first, second, third, other] = gateway.clients;
    expect(first).toMatch(/^\w{8,}$/);
    expect([second, third]).toEqual([first, first]);
    expect(other).toMatch(/^\w{8,}$/);
    expect(other).not.toBe(first);
    expect(connectionsTo(gateway)[3]).toBe("/v1/tts/stream/id?after=2&attempt=1");
  });

  it("is resumed when it just ended, with what had come before", async () => {
    serveInPortions(gateway, 3, 1, (socket) => setTimeout(() => socket.terminate(), 20));
    const lost: [number, number][] = [];
    const onReconnect = (...args: [number, number]) => lost.push(args);
    expect(text((await wholeStream(gateway.wsUrl, { onReconnect })).chunks)).toEqual(expected(3));
    expect(lost).toEqual([
      [1, 1006],
      [2, 1006],
      [3, 1006],
    ]);
  });

  it.each([1000, 1008, 1011, 4001])("is not resumed after close code %d", async (code) => {
    serveInPortions(gateway, 5, 2, (socket) => socket.close(code));
    await expect(wholeStream(gateway.wsUrl)).rejects.toMatchObject({ reason: "connection_lost", code });
    expect(connectionsTo(gateway)).toHaveLength(1);
    expect(gateway.heard).not.toContain(DELETE);
  });

  it("is not resumed after an error, whatever its close code", async () => {
    gateway.serve = (socket) => {
      socket.send(error(503, "busy", 7));
      socket.close(1013);
    };
    await expect(wholeStream(gateway.wsUrl)).rejects.toMatchObject({ reason: "busy", code: 503, retryAfterMs: 7 });
    expect(connectionsTo(gateway)).toHaveLength(1);
  });

  it("is resumed after the error that the session's object restarts, not before it says", async () => {
    let restartedAt = 0;
    gateway.serve = (socket, { nth }) => {
      if (nth === 2) {
        expect(performance.now() - restartedAt).toBeGreaterThan(390);
        socket.send(audio(1));
        return socket.send(eos(1));
      }
      restartedAt = performance.now();
      socket.send(error(503, "restarting", 400));
      socket.close(1012);
    };
    expect(text((await wholeStream(gateway.wsUrl)).chunks)).toEqual(["audio 1"]);
  });

  it("is resumed after what came in order; what comes twice is heard once", async () => {
    gateway.serve = (socket, { nth }) => {
      for (const seq of nth === 1 ? [1, 2, 2, 1] : [1, 2, 3]) socket.send(audio(seq));
      if (nth === 1) socket.close(1012);
      else socket.send(eos(3));
    };
    expect(text((await wholeStream(gateway.wsUrl)).chunks)).toEqual(expected(3));
    expect(connectionsTo(gateway)[1]).toContain("?after=2");
  });

  it("is resumed with the same subprotocol", async () => {
    gateway.serve = (socket, { after }) => {
      expect(socket.protocol).toBe("tts.v1.binary");
      socket.send(Buffer.from([0, 0, 0, after + 1, 65 + after]));
      if (after === 0) return socket.close(1001);
      socket.send(eos(2));
    };
    expect(text((await wholeStream(gateway.wsUrl, { binary: true })).chunks)).toEqual(["A", "B"]);
  });

  it("is resumed while the reader is busy, and the new one hears at once what was consumed", async () => {
    serveInPortions(gateway, 6, 3, (socket) => setTimeout(() => socket.close(1013), 20));
    const stream = new TtsClient("http://unused").stream(gateway.wsUrl);
    await stream.next();
    await stream.next();
    await vi.waitFor(() => expect(connectionsTo(gateway).at(-1)).toContain("?after=6"), { timeout: 5_000 });
    await vi.waitFor(() => expect(gateway.heard.at(-1)).toBe('{"type":"ack","seq":1}'));
    for (const seq of [3, 4, 5, 6]) expect((await stream.next()).value).toMatchObject({ seq });
    expect(await stream.next()).toMatchObject({ done: true, value: JSON.parse(eos(6)) });
  });

  it("that never opened is given up after its time, and tried again", async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => {
      sockets.add(socket);
      socket.resume().on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => {
      silent.listen(0, "127.0.0.1", resolve);
    });
    const wsUrl = `ws://127.0.0.1:${(silent.address() as AddressInfo).port}/v1/tts/stream/id`;
    let lost = 0;
    const onReconnect = () => lost++;
    const stream = new ResumingStream(wsUrl, { resumeForMs: 300, onReconnect }, { openMs: 50, silenceMs: 10_000 });
    await expect(stream.end).rejects.toMatchObject({ reason: "connection_lost", code: 1006 });
    expect(lost).toBeGreaterThan(0);
    await vi.waitFor(() => expect(sockets.size).toBe(0));
    silent.close();
  });

  it("that fell silent is given up after its time; as long as others open there is hope", async () => {
    gateway.serve = (socket, { nth }) => {
      if (nth === 4) socket.send(eos(0));
    };
    const stream = new ResumingStream(gateway.wsUrl, { resumeForMs: 100 }, { openMs: 1_000, silenceMs: 150 });
    expect(await stream.end).toEqual(JSON.parse(eos(0)));
    stream.leave();
    await vi.waitFor(() => expect(gateway.open).toBe(0));
  });
});

describe("giving up", () => {
  it("comes when connections are cut at once for too long, with the last close code", async () => {
    serveInPortions(gateway, 2, 0, (socket) => socket.close(1012));
    const startedAt = performance.now();
    const failure = await wholeStream(gateway.wsUrl, { resumeForMs: 600 }).catch((reason: unknown) => reason);
    expect(failure).toBeInstanceOf(TtsError);
    expect(failure).toMatchObject({ reason: "connection_lost", code: 1012 });
    expect(performance.now() - startedAt).toBeGreaterThan(600);
    expect(connectionsTo(gateway).length).toBeGreaterThan(2);
    expect(connectionsTo(gateway).length).toBeLessThan(7);
  });

  it("comes after the audio that had come before", async () => {
    gateway.serve = (socket) => {
      socket.send(audio(1));
      socket.close(1013);
    };
    const stream = new TtsClient("http://unused").stream(gateway.wsUrl, { resumeForMs: 0 });
    expect((await stream.next()).value).toMatchObject({ seq: 1 });
    await expect(stream.next()).rejects.toMatchObject({ reason: "connection_lost", code: 1013 });
    expect(connectionsTo(gateway)).toHaveLength(1);
  });

  it("comes when nobody answers, and when no upgrade is granted", async () => {
    await using refusing = await fakeServer(json({}, 503));
    for (const base of ["ws://127.0.0.1:9", refusing.url.replace("http", "ws")]) {
      const stream = wholeStream(`${base}/v1/tts/stream/id`, { resumeForMs: 200 });
      await expect(stream).rejects.toMatchObject({ reason: "connection_lost", code: 1006 });
    }
    expect(refusing.asked.length).toBeGreaterThan(1);
  });
});
