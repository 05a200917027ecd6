/** What no client of ours sends, said to our Node services over bare sockets. */
import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startEspeak } from "../../engines/espeak/server.ts";
import { startService, type Service } from "../../service/http-service.ts";
import { startTranscoder } from "../../transcoder/server.ts";
import { untilReady } from "./speech.ts";

/** The status line of the answer to a request, or "" for a connection closed without one. */
async function statusLine(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  socket.end(`${request}\r\nHost: service\r\nConnection: close\r\n\r\n`);
  return (await text(socket)).split("\r\n")[0]!;
}

const services: [string, () => Promise<Service>][] = [
  ["the eSpeak engine", () => startEspeak({ port: 0, host: "127.0.0.1", threads: 1, queueLimit: 8 })],
  ["the transcoder", () => startTranscoder({ port: 0, host: "127.0.0.1" })],
];

describe.each(services)("%s", (_, start) => {
  let service: Service;
  beforeAll(async () => {
    service = await start();
    await untilReady(service.url);
  });
  afterAll(() => service.close(0));

  test.each([
    ["GET //", "404 Not Found"],
    ["GET ///", "404 Not Found"],
    ["GET //healthz", "404 Not Found"],
    ["GET //name/healthz", "404 Not Found"],
    ["GET /\\", "404 Not Found"],
    ["GET /%", "404 Not Found"],
    ["GET /%00", "404 Not Found"],
    ["GET /:99999", "404 Not Found"],
    ["GET ?", "400 Bad Request"],
    ["GET http://[", "400 Bad Request"],
    ["GET http://", "400 Bad Request"],
    ["GET http://a:99999/healthz", "400 Bad Request"],
    ["GET *", "400 Bad Request"],
    ["OPTIONS *", "400 Bad Request"],
    ["OPTIONS /v1/info", "405 Method Not Allowed"],
    ["GET http://elsewhere/healthz", "200 OK"],
    ["GET http://elsewhere/nowhere", "404 Not Found"],
    ["GET /healthz?//[", "200 OK"],
    ["CONNECT elsewhere:443", ""],
    ["nonsense", "400 Bad Request"],
  ])("answers %s with %s, and lives", async (request, status) => {
    const answer = await statusLine(service.url, `${request} HTTP/1.1`);
    expect(answer).toBe(status && `HTTP/1.1 ${status}`);
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
  });

  test("answers a very long path, refuses one beyond Node's 16 KiB, and lives", async () => {
    expect(await statusLine(service.url, `GET /${"a".repeat(8_000)} HTTP/1.1`)).toBe("HTTP/1.1 404 Not Found");
    // It may close before all of the path has come, so that its answer is lost on the way.
    const answer = await statusLine(service.url, `GET /${"a".repeat(80_000)} HTTP/1.1`).catch(() => "");
    expect(["HTTP/1.1 431 Request Header Fields Too Large", ""]).toContain(answer);
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
  });
});

test("a service outlives whatever its handlers throw", async () => {
  const service = await startService({
    name: "broken",
    port: 0,
    host: "127.0.0.1",
    notReady: () => {
      throw new Error("its readiness is broken");
    },
    routes: {
      "GET /throws": () => {
        throw new Error("its handler is broken");
      },
      "GET /unspeakable": ({ log, response }) => {
        log.count = 1n; // no JSON says it
        response.write("so far");
      },
    },
  });
  onTestFinished(() => service.close(0));
  expect(await statusLine(service.url, "GET /throws HTTP/1.1")).toBe("HTTP/1.1 500 Internal Server Error");
  expect(await statusLine(service.url, "GET /readyz HTTP/1.1")).toBe("");
  expect(await statusLine(service.url, "GET /unspeakable HTTP/1.1")).toBe("HTTP/1.1 200 OK");
  expect(await statusLine(service.url, "GET /healthz HTTP/1.1")).toBe("HTTP/1.1 200 OK");
});
