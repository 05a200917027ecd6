/** A small real HTTP server whose every answer a test decides, and which knows whether its callers are still there. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Upstream } from "../../worker/upstreams/upstream.ts";
import { concat } from "./bytes.ts";

export type Answer = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export interface FakeServer extends Upstream, AsyncDisposable {
  url: string;
  /** "METHOD /path" of every request. */
  readonly asked: string[];
  /** Requests whose caller went away before the answer was complete. */
  readonly abandoned: number;
}

export async function fakeServer(answer: Answer): Promise<FakeServer> {
  const asked: string[] = [];
  let abandoned = 0;
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.on("close", () => {
      if (!response.writableFinished) abandoned++;
    });
    void answer(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    asked,
    get abandoned() {
      return abandoned;
    },
    // Node's fetch wants to be told that a body goes out while the answer comes in; workerd's needs no telling.
    fetch: (path, init) => fetch(url + path, { ...init, ...(init?.body && { duplex: "half" }) }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

export async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  return concat(chunks);
}

export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Answer {
  return (_, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
  };
}

/** These bytes, then the end of the body. */
export function stream(...pieces: Uint8Array[]): Answer {
  return (_, response) => {
    response.writeHead(200);
    for (const piece of pieces) response.write(piece);
    response.end();
  };
}

/** These bytes, and then nothing: neither more nor an end. */
export function stall(...pieces: Uint8Array[]): Answer {
  return (_, response) => {
    response.writeHead(200);
    response.flushHeaders();
    for (const piece of pieces) response.write(piece);
  };
}

/** These bytes, and then the connection breaks. */
export function breakOff(...pieces: Uint8Array[]): Answer {
  return (_, response) => {
    response.writeHead(200);
    for (const piece of pieces) response.write(piece);
    setTimeout(() => response.destroy(), 20);
  };
}
