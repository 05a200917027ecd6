/** A gateway's side of the stream, every connection of which a test serves itself; and the client's, to the end. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer, type WebSocket as ServerSocket } from "ws";
import { TtsClient, type AudioChunk, type StreamOptions } from "../../../client/index.ts";

export const audio = (seq: number) =>
  JSON.stringify({ type: "audio", seq, data: btoa(`audio ${seq}`), pts_ms: seq * 10 });

export const eos = (seq: number) => JSON.stringify({ type: "eos", seq, duration_ms: 100, bytes: 70 });

export interface FakeGateway {
  wsUrl: string;
  /** What clients asked for and said, in order: "/path" of a connection without its `client`, messages, "METHOD /path". */
  heard: string[];
  /** The `client` of each connection. */
  clients: (string | null)[];
  /** How it serves a connection: `after` is what was asked for, `nth` counts from 1. */
  serve: (socket: ServerSocket, connection: { after: number; nth: number }) => void;
  /** Connections that are open. */
  readonly open: number;
  stop(): Promise<void>;
}

export async function fakeGateway(): Promise<FakeGateway> {
  const http = createServer((request, response) => {
    gateway.heard.push(`${request.method} ${request.url}`);
    response.writeHead(204).end();
  });
  const sockets = new WebSocketServer({ server: http });
  let nth = 0;
  sockets.on("connection", (socket, request) => {
    const url = new URL(request.url!, "ws://gateway");
    gateway.clients.push(url.searchParams.get("client"));
    url.searchParams.delete("client");
    gateway.heard.push(url.pathname + url.search);
    socket.on("message", (data: Buffer) => gateway.heard.push(data.toString()));
    const after = Number(url.searchParams.get("after"));
    gateway.serve(socket, { after, nth: ++nth });
  });
  await new Promise<void>((resolve) => {
    http.listen(0, "127.0.0.1", resolve);
  });
  const gateway: FakeGateway = {
    wsUrl: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/v1/tts/stream/id`,
    heard: [],
    clients: [],
    serve: () => {},
    get open() {
      return sockets.clients.size;
    },
    async stop() {
      for (const socket of sockets.clients) socket.terminate();
      http.closeAllConnections();
      await new Promise((resolve) => {
        http.close(resolve);
      });
    },
  };
  return gateway;
}

/** The whole stream: its chunks, and what it returns. */
export async function wholeStream(wsUrl: string, options: StreamOptions = {}) {
  const chunks: AudioChunk[] = [];
  const stream = new TtsClient("http://unused").stream(wsUrl, options);
  for (;;) {
    const { done, value } = await stream.next();
    if (done) return { chunks, end: value };
    chunks.push(value);
  }
}

export const text = (chunks: AudioChunk[]) => chunks.map((chunk) => new TextDecoder().decode(chunk.audio));

/** The paths of the connections it was asked for. */
export const connectionsTo = (gateway: FakeGateway) => gateway.heard.filter((one) => one.startsWith("/"));

/** Serves a stream of `last` messages, `portion` of them on each connection, which then ends as `cut` says. */
export function serveInPortions(
  gateway: FakeGateway,
  last: number,
  portion: number,
  cut: (socket: Parameters<FakeGateway["serve"]>[0]) => void,
): void {
  gateway.serve = (socket, { after }) => {
    const to = Math.min(after + portion, last);
    for (let seq = after + 1; seq <= to; seq++) socket.send(audio(seq));
    if (after === last) socket.send(eos(last));
    cut(socket);
  };
}
