import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TtsClient } from "../../../client/index.ts";
import { fakeServer } from "../fake-server.ts";
import { audio, connectionsTo, fakeGateway, serveInPortions, wholeStream, type FakeGateway } from "./fake-gateway.ts";

const CANCEL = '{"type":"cancel"}';
const DELETE = "DELETE /v1/tts/sessions/id";

let gateway: FakeGateway;

beforeEach(async () => {
  gateway = await fakeGateway();
});

afterEach(() => gateway.stop());

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
    serveInPortions(gateway, 5, 1, (socket) => socket.close(1012));
    await abortedStream(gateway.wsUrl, (abort) => () => setTimeout(abort, 10));
    await vi.waitFor(() => expect(gateway.heard).toContain(DELETE));
    const { length } = connectionsTo(gateway);
    await new Promise((resolve) => {
      setTimeout(resolve, 400);
    });
    expect(connectionsTo(gateway)).toHaveLength(length);
  });

  it("when it is aborted as it is told that its connection was lost", async () => {
    serveInPortions(gateway, 5, 1, (socket) => socket.close(1012));
    await abortedStream(gateway.wsUrl, (abort) => abort);
    await vi.waitFor(() => expect(gateway.heard).toContain(DELETE));
    expect(connectionsTo(gateway)).toHaveLength(1);
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
      await vi.waitFor(() => expect(connectionsTo(gateway).length).toBeGreaterThan(2));
      await vi.waitFor(() => expect(gateway.open).toBe(0));
      break;
    }
    await vi.waitFor(() => expect(gateway.heard).toContain(DELETE));
  });
});

it("a stream that is aborted gives out nothing more, not even what had come", async () => {
  serveInPortions(gateway, 3, 3, () => {});
  const controller = new AbortController();
  const stream = new TtsClient("http://unused").stream(gateway.wsUrl, { signal: controller.signal });
  await stream.next();
  controller.abort(new Error("enough"));
  await expect(stream.next()).rejects.toThrow("enough");
  await vi.waitFor(() => expect(gateway.heard).toContain(CANCEL));
});
