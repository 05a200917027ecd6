import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ResumingStream } from "../../../client/resuming-stream.ts";
import { Retries } from "../../../client/retries.ts";
import { TtsClient, TtsError } from "../../../client/tts-client.ts";
import { seeded } from "../../support/random.ts";
import { audio, eos, fakeGateway, text, wholeStream, type FakeGateway } from "./fake-gateway.ts";
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

const connections = () => gateway.heard.filter((one) => one.startsWith("/"));

/** Serves a stream of `last` messages, `portion` of them on each connection, which then ends as `cut` says. */
function serveInPortions(last: number, portion: number, cut: (socket: Parameters<FakeGateway["serve"]>[0]) => void) {
  gateway.serve = (socket, { after }) => {
    const to = Math.min(after + portion, last);
    for (let seq = after + 1; seq <= to; seq++) socket.send(audio(seq));
    if (after === last) socket.send(eos(last));
    cut(socket);
  };
}

const expected = (last: number) => Array.from({ length: last }, (_, i) => `audio ${i + 1}`);

describe("a connection that is lost", () => {
  it.each([1001, 1012, 1013])("is resumed after close code %d, and the reader notices nothing", async (code) => {
    serveInPortions(5, 2, (socket) => socket.close(code));
    const { chunks, end } = await wholeStream(gateway.wsUrl);
    expect(text(chunks)).toEqual(expected(5));
    expect(end).toEqual(JSON.parse(eos(5)));
    expect(connections()).toEqual([
      "/v1/tts/stream/id",
      "/v1/tts/stream/id?after=2",
      "/v1/tts/stream/id?after=4",
      "/v1/tts/stream/id?after=5",
    ]);
    expect(gateway.heard).not.toContain(CANCEL);
    expect(gateway.heard).not.toContain(DELETE);
  });

  it("is resumed when it just ended, with what had come before", async () => {
    serveInPortions(3, 1, (socket) => setTimeout(() => socket.terminate(), 20));
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
    serveInPortions(5, 2, (socket) => socket.close(code));
    await expect(wholeStream(gateway.wsUrl)).rejects.toMatchObject({ reason: "connection_lost", code });
    expect(connections()).toHaveLength(1);
    expect(gateway.heard).not.toContain(DELETE);
  });

  it("is not resumed after an error, whatever its close code", async () => {
    gateway.serve = (socket) => {
      socket.send(error(503, "busy", 7));
      socket.close(1013);
    };
    await expect(wholeStream(gateway.wsUrl)).rejects.toMatchObject({ reason: "busy", code: 503, retryAfterMs: 7 });
    expect(connections()).toHaveLength(1);
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
    expect(connections()[1]).toContain("?after=2");
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
    serveInPortions(6, 3, (socket) => setTimeout(() => socket.close(1013), 20));
    const stream = new TtsClient("http://unused").stream(gateway.wsUrl);
    await stream.next();
    await stream.next();
    await vi.waitFor(() => expect(connections().at(-1)).toContain("?after=6"), { timeout: 5_000 });
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
    serveInPortions(2, 0, (socket) => socket.close(1012));
    const startedAt = performance.now();
    const failure = await wholeStream(gateway.wsUrl, { resumeForMs: 600 }).catch((reason: unknown) => reason);
    expect(failure).toBeInstanceOf(TtsError);
    expect(failure).toMatchObject({ reason: "connection_lost", code: 1012 });
    expect(performance.now() - startedAt).toBeGreaterThan(600);
    expect(connections().length).toBeGreaterThan(2);
    expect(connections().length).toBeLessThan(7);
  });

  it("comes after the audio that had come before", async () => {
    gateway.serve = (socket) => {
      socket.send(audio(1));
      socket.close(1013);
    };
    const stream = new TtsClient("http://unused").stream(gateway.wsUrl, { resumeForMs: 0 });
    expect((await stream.next()).value).toMatchObject({ seq: 1 });
    await expect(stream.next()).rejects.toMatchObject({ reason: "connection_lost", code: 1013 });
    expect(connections()).toHaveLength(1);
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

describe("a stream without a connection is cancelled over HTTP and ends at once", () => {
  const abortedStream = async (wsUrl: string, whenAborted: (abort: () => void) => () => void) => {
    const controller = new AbortController();
    let abortedAt = 0;
    const abort = () => {
      abortedAt = performance.now();
      controller.abort(new Error("enough"));
    };
    const onReconnect = whenAborted(abort);
    await expect(wholeStream(wsUrl, { signal: controller.signal, onReconnect })).rejects.toThrow("enough");
    expect(performance.now() - abortedAt).toBeLessThan(90); // the shortest wait is 100 ms
  };

  it("when it is aborted while it waits for the next attempt", async () => {
    serveInPortions(5, 1, (socket) => socket.close(1012));
    await abortedStream(gateway.wsUrl, (abort) => () => setTimeout(abort, 10));
    await vi.waitFor(() => expect(gateway.heard).toContain(DELETE));
    const { length } = connections();
    await new Promise((resolve) => {
      setTimeout(resolve, 400);
    });
    expect(connections()).toHaveLength(length);
  });

  it("when it is aborted as it is told that its connection was lost", async () => {
    serveInPortions(5, 1, (socket) => socket.close(1012));
    await abortedStream(gateway.wsUrl, (abort) => abort);
    await vi.waitFor(() => expect(gateway.heard).toContain(DELETE));
    expect(connections()).toHaveLength(1);
  });

  it("when it is aborted while it connects", async () => {
    const open = new Set<unknown>();
    const asked: string[] = [];
    await using slow = await fakeServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      if (request.method === "DELETE") return void response.writeHead(204).end();
      open.add(request.socket);
      request.socket.on("close", () => open.delete(request.socket));
    });
    await abortedStream(`${slow.url.replace("http", "ws")}/v1/tts/stream/id?token=t`, (abort) => {
      setTimeout(abort, 100);
      return () => {};
    });
    await vi.waitFor(() => expect(asked).toContain("DELETE /v1/tts/sessions/id?token=t"));
    await vi.waitFor(() => expect(open.size).toBe(0));
  });

  it("when its reader leaves", async () => {
    gateway.serve = (socket, { nth }) => {
      if (nth === 1) socket.send(audio(1));
      socket.close(1012);
    };
    for await (const { seq } of new TtsClient("http://unused").stream(gateway.wsUrl)) {
      expect(seq).toBe(1);
      await vi.waitFor(() => expect(connections().length).toBeGreaterThan(2));
      await vi.waitFor(() => expect(gateway.open).toBe(0));
      break;
    }
    await vi.waitFor(() => expect(gateway.heard).toContain(DELETE));
  });
});

it("a stream that is aborted gives out nothing more, not even what had come", async () => {
  serveInPortions(3, 3, () => {});
  const controller = new AbortController();
  const stream = new TtsClient("http://unused").stream(gateway.wsUrl, { signal: controller.signal });
  await stream.next();
  controller.abort(new Error("enough"));
  await expect(stream.next()).rejects.toThrow("enough");
  await vi.waitFor(() => expect(gateway.heard).toContain(CANCEL));
});

describe("the waits between attempts", () => {
  const waits = (retries: Retries, count: number) => Array.from({ length: count }, () => retries.lost(0));

  it("double from 200 ms to 5 s, half of each at random", () => {
    expect(waits(new Retries(1, () => 0), 7)).toEqual([100, 200, 400, 800, 1_600, 2_500, 2_500]);
    expect(waits(new Retries(1, () => 1), 7)).toEqual([200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    const random = waits(new Retries(1, seeded(1)), 100).slice(5) as number[];
    expect(Math.min(...random)).toBeGreaterThanOrEqual(2_500);
    expect(Math.max(...random)).toBeLessThanOrEqual(5_000);
    expect(new Set(random).size).toBe(95);
  });

  it("begin anew after progress", () => {
    const retries = new Retries(10, () => 0);
    expect([retries.lost(0), retries.lost(9), retries.lost(10)]).toEqual([100, 200, undefined]);
    retries.startOver();
    expect([retries.lost(15), retries.lost(24), retries.lost(25)]).toEqual([100, 200, undefined]);
  });

  it("fill the gateway's grace with a bounded number of attempts", () => {
    for (const [random, attempts] of [
      [0, 28],
      [1, 16],
    ] as const) {
      const retries = new Retries(60_000, () => random);
      let now = 0;
      let count = 0;
      for (let wait = retries.lost(now); wait !== undefined; wait = retries.lost((now += wait))) count++;
      expect(count).toBe(attempts);
    }
  });

  it("are none if there is no time", () => {
    expect(new Retries(0, Math.random).lost(5)).toBeUndefined();
  });
});
