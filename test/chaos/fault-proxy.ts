/**
 * Stands between the gateway and one of its real upstreams, and breaks what passes through: one fault a request, as told.
 * Streams both ways, so it suits the transcoder's exchanges as well as the engine's.
 */
import { once } from "node:events";
import { createServer, request as ask, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

export const FAULTS = [
  /** The connection is reset before there is an answer. */
  "reset_before_headers",
  /** An answer that is not the upstream's own, with a page in place of its JSON. */
  "status_500",
  "status_503",
  /** The connection is reset in the middle of the body. */
  "cut",
  /** The body ends as if it were whole, in the middle of an envelope. */
  "truncated",
  /** The body ends as if it were whole, between two envelopes: only its end envelope is missing. */
  "no_end",
  /** Between two envelopes come bytes that are none. */
  "garbage",
  /** Nothing comes any more, and the connection stays. */
  "stall",
  /** Nothing comes for a moment, shorter than any timeout. */
  "pause",
  /** The body comes in small pieces, slowly. */
  "drip",
  /** What the gateway sends ends as if it were whole, in its middle. */
  "input_ends",
] as const;

export type FaultKind = (typeof FAULTS)[number];

export interface Fault {
  kind: FaultKind;
  /** How far the body gets before it; a body that is shorter passes whole. */
  atByte: number;
  /** Set when it has struck. */
  hasStruck?: boolean;
}

/** What a request runs into; its body is there only where it is JSON. */
export type FaultOf = (url: URL, json: string) => Fault | undefined;

/** Bytes that are no envelope: what a proxy on the way might say. */
const GARBAGE = "<html>the upstream is not well</html>";

const PAUSE_MS = 400;

/** About one and a half times as fast as it is spoken, for s16le at 22,050 Hz. */
const DRIP = { bytes: 660, ms: 10 } as const;

export class FaultProxy {
  readonly url: string;
  active = 0;
  faultOf: FaultOf = () => undefined;
  /** Where the real one is. */
  upstreamUrl = "";
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    server.on("request", (request, response) => void this.#exchange(request, response));
  }

  static async start(): Promise<FaultProxy> {
    const server = createServer({ requestTimeout: 0 });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new FaultProxy(server);
  }

  /** From now on connections are refused, and those there are are gone. */
  async refuse(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async listenAgain(): Promise<void> {
    this.#server.listen(Number(new URL(this.url).port), "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** Whatever is under way is reset. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #exchange(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.active++;
    response.once("close", () => this.active--);
    request.on("error", () => {});
    const isJson = request.headers["content-type"] === "application/json";
    const body = isJson ? await buffer(request).catch(() => undefined) : undefined;
    const fault = this.faultOf(new URL(request.url!, this.url), body?.toString() ?? "");
    if (fault?.kind === "reset_before_headers") {
      fault.hasStruck = true;
      return void request.socket.resetAndDestroy();
    }
    if (fault?.kind === "status_500" || fault?.kind === "status_503") {
      fault.hasStruck = true;
      response.writeHead(fault.kind === "status_500" ? 500 : 503, { "content-type": "text/html", connection: "close" });
      return void response.end(GARBAGE);
    }
    const { method, headers, url: path } = request;
    const outgoing = ask(new URL(path!, this.upstreamUrl), { method, headers, agent: false });
    response.once("close", () => outgoing.destroy());
    outgoing.on("error", () => response.destroy());
    if (body) outgoing.end(body);
    else if (fault?.kind === "input_ends") void passInput(request, outgoing, fault);
    else request.pipe(outgoing);
    const [answer] = (await once(outgoing, "response").catch(() => [])) as [IncomingMessage?];
    if (!answer) return;
    answer.on("error", () => response.destroy());
    response.writeHead(answer.statusCode!, answer.headers).flushHeaders();
    if (!fault || fault.kind === "input_ends") return void answer.pipe(response);
    await passBroken(answer, response, fault).catch(() => response.destroy());
  }
}

/** Passes the body on as far as the fault lets it. */
async function passBroken(answer: IncomingMessage, response: ServerResponse, fault: Fault): Promise<void> {
  const { kind, atByte } = fault;
  if (kind === "drip") fault.hasStruck = true;
  const borders = new Borders();
  let passed = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    borders.push(chunk);
    const at = fault.hasStruck ? undefined : strikesAt(kind, atByte, borders);
    if (at === undefined || at > passed + chunk.length) {
      await pass(response, chunk, kind === "drip");
      passed += chunk.length;
      continue;
    }
    fault.hasStruck = true;
    await pass(response, chunk.subarray(0, at - passed), false);
    if (kind === "pause") {
      await sleep(PAUSE_MS);
      await pass(response, chunk.subarray(at - passed), false);
      passed += chunk.length;
      continue;
    }
    if (kind === "stall") return void (await once(response, "close"));
    if (kind === "garbage") response.write(GARBAGE);
    if (kind === "cut" || kind === "garbage") {
      await sleep(5); // so that what was written gets there before the reset
      return void response.socket?.resetAndDestroy();
    }
    return void response.end();
  }
  response.end();
}

async function pass(response: ServerResponse, bytes: Buffer, isSlow: boolean): Promise<void> {
  const step = isSlow ? DRIP.bytes : bytes.length;
  for (let at = 0; at < bytes.length && !response.destroyed; at += step) {
    if (isSlow) await sleep(DRIP.ms);
    if (!response.write(bytes.subarray(at, at + step))) {
      await Promise.race([once(response, "drain"), once(response, "close")]);
    }
  }
}

/** Ends what the upstream hears after `atByte` bytes, as if that were all. */
async function passInput(request: IncomingMessage, outgoing: NodeJS.WritableStream, fault: Fault): Promise<void> {
  let left = fault.atByte;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      outgoing.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left > 0) continue;
      fault.hasStruck = true;
      break;
    }
  } catch {
    // the gateway gave up
  }
  outgoing.end();
  request.resume();
}

/** Where the envelopes of a body end. */
class Borders {
  readonly ends: number[] = [0];
  bytes = 0;
  #header: number[] = [];
  #payloadLeft = 0;

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#payloadLeft > 0) {
        const step = Math.min(this.#payloadLeft, chunk.length - at);
        this.#payloadLeft -= step;
        this.bytes += step;
        at += step;
      } else {
        this.#header.push(chunk[at++]!);
        this.bytes++;
        if (this.#header.length < 5) continue;
        this.#payloadLeft = new DataView(Uint8Array.from(this.#header).buffer).getUint32(1);
        this.#header = [];
      }
      if (this.#payloadLeft === 0 && this.#header.length === 0) this.ends.push(this.bytes);
    }
  }
}

/** Where the fault strikes, if the body has come that far. */
function strikesAt(kind: FaultKind, atByte: number, { ends, bytes }: Borders): number | undefined {
  if (kind === "garbage" || kind === "no_end") return ends.find((end) => end >= atByte && end < bytes);
  if (kind === "truncated") {
    const start = ends.findLast((end) => end <= atByte && end + 3 <= bytes);
    return start !== undefined && bytes > atByte ? Math.max(atByte, start + 3) : undefined;
  }
  return bytes > atByte ? atByte : undefined;
}
