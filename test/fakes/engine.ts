/** A small speech engine with a fault switch: a real server of the engine contract that breaks it on demand. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeAudio, encodeEnd, encodeEvent } from "../../protocol/envelope.ts";

export const FAKE_RATE_HZ = 16_000;

/** Audio of every character, in samples. */
const SAMPLES_PER_CHAR = FAKE_RATE_HZ / 20;

export type Fault =
  | "none"
  | "refuse_401"
  | "refuse_404"
  | "fail_500"
  | "not_this_text"
  | "busy"
  | "stall_before_headers"
  | "stall_before_audio"
  | "stall_after_audio"
  | "half_a_sample"
  | "wrong_rate"
  | "no_format"
  | "cut_before_audio"
  | "cut_after_audio"
  | "clean_end_of_body"
  | "garbage"
  | "error_after_audio";

export interface FakeEngine {
  url: string;
  /** What the next requests run into: one each, then none any more. */
  faults: Fault[];
  /** What every request runs into that has no fault of its own. */
  always: Fault;
  /** Texts asked for, in order. */
  texts: string[];
  /** Requests being answered, and those whose client went away. */
  active: number;
  aborted: number;
  /** When the last of those went away, by performance.now(). */
  abortedAt: number;
  stop(): Promise<void>;
}

/** Samples that tell the text's characters apart, so that a listener can see what was spoken twice or not at all. */
function audioOf(text: string): Int16Array {
  const codes = Array.from(text, (char) => char.codePointAt(0)!);
  return Int16Array.from({ length: codes.length * SAMPLES_PER_CHAR }, (_, i) => {
    const code = codes[Math.floor(i / SAMPLES_PER_CHAR)]!;
    return Math.round(4000 * Math.sin((2 * Math.PI * (300 + code) * i) / FAKE_RATE_HZ));
  });
}

function sendJson(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

async function speak(text: string, fault: Fault, response: ServerResponse, gone: AbortSignal): Promise<void> {
  const stall = () => sleep(600_000, undefined, { signal: gone }).catch(() => {});
  const refuse = (status: number, reason: string, headers = {}) =>
    sendJson(response, status, { error: { reason, message: "as told", retryable: status >= 500 } }, headers);
  if (fault === "refuse_401") return refuse(401, "no_key");
  if (fault === "refuse_404") return refuse(404, "unknown_voice");
  if (fault === "fail_500") return refuse(500, "synthesis_failed");
  if (fault === "busy") return refuse(503, "busy", { "retry-after": "0" });
  if (fault === "stall_before_headers") return stall();
  response.writeHead(200, { "content-type": "application/octet-stream" }).flushHeaders();
  if (fault === "stall_before_audio") return stall();
  if (fault === "not_this_text") {
    return void response.end(encodeEnd({ reason: "out_of_vocabulary", message: "as told", retryable: false }));
  }
  if (fault === "cut_before_audio") return void response.destroy();
  if (fault === "garbage") return void response.end("<html>no envelopes here, but quite a lot of text</html>");
  const rate = fault === "wrong_rate" ? FAKE_RATE_HZ * 2 : FAKE_RATE_HZ;
  if (fault !== "no_format") response.write(encodeEvent({ type: "format", sample_rate: rate }));
  const pcm = audioOf(text);
  const audio = new Uint8Array(pcm.buffer);
  const half = (audio.length >> 2) << 1;
  response.write(encodeAudio(half / 2, audio.subarray(0, half)));
  if (fault === "half_a_sample") response.write(encodeAudio(1, new Uint8Array(3)));
  if (fault === "stall_after_audio") return stall();
  if (fault === "cut_after_audio") return void setTimeout(() => response.destroy(), 50);
  if (fault === "clean_end_of_body") return void response.end();
  if (fault === "error_after_audio") {
    return void response.end(encodeEnd({ reason: "out_of_memory", message: "secret internals", retryable: true }));
  }
  response.write(encodeAudio((audio.length - half) / 2, audio.subarray(half)));
  response.end(encodeEnd());
}

export async function startFakeEngine(port = 0): Promise<FakeEngine> {
  const engine = { faults: [], always: "none", texts: [], active: 0, aborted: 0 } as unknown as FakeEngine;

  async function synthesize(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { text } = (await json(request)) as { text: string };
    engine.texts.push(text);
    engine.active++;
    const gone = new AbortController();
    response.once("close", () => {
      engine.active--;
      if (response.writableFinished) return;
      engine.aborted++;
      engine.abortedAt = performance.now();
      gone.abort();
    });
    await speak(text, engine.faults.shift() ?? engine.always, response, gone.signal);
  }

  const server = createServer((request, response) => {
    if (request.url === "/v1/synthesize") return void synthesize(request, response);
    if (request.url === "/v1/info") return sendJson(response, 200, { sample_rate: FAKE_RATE_HZ, max_chars: 1000 });
    if (request.url === "/v1/voices") {
      return sendJson(response, 200, { voices: [{ id: "fake", name: "Fake", language: "en-US" }] });
    }
    sendJson(response, 200, { status: "ok" });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  engine.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  engine.stop = async () => {
    server.closeAllConnections();
    server.close();
  };
  return engine;
}
