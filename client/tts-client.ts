/**
 * The gateway's client for browsers and Node (22 or newer): no dependencies, nothing but `fetch` and `WebSocket`.
 *
 * @example
 * const client = new TtsClient("http://localhost:8787");
 * for await (const { audio } of client.speak({ provider: "espeak", voice: "en-us", text: "Hello!" })) play(audio);
 */
import {
  BINARY_HEADER_BYTES,
  BINARY_SUBPROTOCOL,
  type ClientMessage,
  type CreateSessionRequest,
  type CreateSessionResponse,
  type EndOfStreamMessage,
  type ServerMessage,
} from "../protocol/messages.ts";

/** What the gateway answered instead of speech, or `connection_lost`. */
export class TtsError extends Error {
  override name = "TtsError";
  /** As an HTTP status; of a lost connection, the WebSocket's close code. */
  readonly code: number;
  /** The gateway's word for it, as docs/protocol.md lists them. */
  readonly reason: string;
  /** When to ask again, where that can help. */
  readonly retryAfterMs: number | undefined;

  constructor(code: number, reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface AudioChunk {
  /** 1, 2, 3, ... */
  seq: number;
  audio: Uint8Array;
  /** When its first sample is heard, in ms from the stream's start; a binary stream does not say. */
  ptsMs?: number;
}

export interface Voice {
  id: string;
  name: string;
  /** BCP 47. */
  language: string;
  provider: string;
  sample_rate_hz: number;
  supported_formats: string[];
}

export interface StreamOptions {
  /** Ends the stream; the session is cancelled, so that nothing goes on speaking to nobody. */
  signal?: AbortSignal;
  /** The last seq that is there already. */
  after?: number;
  /** Audio comes as binary frames: a quarter fewer bytes, but without `ptsMs`. */
  binary?: boolean;
}

async function checked(response: Response): Promise<Response> {
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as { reason?: string; detail?: string };
  const retryAfter = response.headers.get("retry-after");
  const retryAfterMs = retryAfter === null ? undefined : Number(retryAfter) * 1000;
  const message = problem.detail ?? `the gateway answered ${response.status}`;
  throw new TtsError(response.status, problem.reason ?? "http_error", message, retryAfterMs);
}

type Frame = AudioChunk | Exclude<ServerMessage, { type: "audio" }>;

function parseFrame(data: ArrayBuffer | string): Frame {
  if (typeof data !== "string") {
    return { seq: new DataView(data).getUint32(0), audio: new Uint8Array(data, BINARY_HEADER_BYTES) };
  }
  const message = JSON.parse(data) as ServerMessage;
  if (message.type !== "audio") return message;
  const audio = Uint8Array.from(atob(message.data), (char) => char.charCodeAt(0));
  return { seq: message.seq, audio, ptsMs: message.pts_ms };
}

/** A socket's messages, one after the other; ends with the socket. */
class Inbox {
  readonly #socket: WebSocket;
  readonly #waiting: (ArrayBuffer | string)[] = [];
  #wake = Promise.withResolvers<void>();
  #close: CloseEvent | undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => {
      this.#waiting.push(data as ArrayBuffer | string);
      this.#wake.resolve();
    });
    socket.addEventListener("close", (event) => {
      this.#close = event;
      this.#wake.resolve();
    });
  }

  /** The next message, or how the socket was closed. */
  async next(): Promise<ArrayBuffer | string | CloseEvent> {
    for (;;) {
      const data = this.#waiting.shift();
      if (data !== undefined) return data;
      if (this.#close) return this.#close;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers<void>();
    }
  }

  send(message: ClientMessage): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Cancels the session and lets go of it, as soon as there is a connection to say so. */
  cancel(): void {
    const leave = () => {
      this.send({ type: "cancel" });
      this.#socket.close();
    };
    if (this.#socket.readyState === WebSocket.CONNECTING) this.#socket.addEventListener("open", leave);
    else leave();
  }
}

export class TtsClient {
  readonly #baseUrl: string;

  /** @param baseUrl the gateway's address, such as http://localhost:8787 */
  constructor(baseUrl: string) {
    this.#baseUrl = baseUrl.replace(/\/+$/, "");
  }

  /** @throws TtsError */
  async voices(filter: { provider?: string; language?: string } = {}): Promise<Voice[]> {
    const response = await checked(await fetch(`${this.#baseUrl}/v1/voices?${new URLSearchParams(filter).toString()}`));
    return ((await response.json()) as { voices: Voice[] }).voices;
  }

  /** @throws TtsError */
  async createSession(request: CreateSessionRequest, signal?: AbortSignal): Promise<CreateSessionResponse> {
    const response = await fetch(`${this.#baseUrl}/v1/tts/sessions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
      ...(signal && { signal }),
    });
    return (await (await checked(response)).json()) as CreateSessionResponse;
  }

  /**
   * The audio of a session as it is made. Every chunk is acknowledged when the next one is asked for, so that the
   * gateway sends no faster than it is consumed. Leaving the loop early cancels the session.
   * @returns the sums of the whole stream.
   * @throws TtsError, and the signal's reason.
   */
  async *stream(wsUrl: string, options: StreamOptions = {}): AsyncGenerator<AudioChunk, EndOfStreamMessage> {
    const { signal, after = 0, binary = false } = options;
    signal?.throwIfAborted();
    const url = new URL(wsUrl);
    if (after > 0) url.searchParams.set("after", String(after));
    const socket = new WebSocket(url, binary ? [BINARY_SUBPROTOCOL] : []);
    const inbox = new Inbox(socket);
    const aborted = Promise.withResolvers<never>();
    aborted.promise.catch(() => {});
    const stop = () => aborted.reject(signal?.reason);
    signal?.addEventListener("abort", stop);
    let expected = after + 1;
    let isOver = false;
    try {
      for (;;) {
        const received = await Promise.race([inbox.next(), aborted.promise]);
        if (typeof received === "object" && "code" in received) {
          isOver = true;
          throw new TtsError(received.code, "connection_lost", `the connection was closed with ${received.code}`);
        }
        const message = parseFrame(received);
        if ("audio" in message) {
          if (message.seq !== expected) throw new Error(`audio ${message.seq} came in place of ${expected}`);
          expected++;
          yield message;
          inbox.send({ type: "ack", seq: message.seq });
          continue;
        }
        if (message.type === "eos" || message.type === "error") isOver = true;
        if (message.type === "eos") return message;
        if (message.type === "error") {
          throw new TtsError(message.code, message.reason, message.message, message.retry_after_ms);
        }
      }
    } finally {
      signal?.removeEventListener("abort", stop);
      if (isOver) socket.close();
      else inbox.cancel();
    }
  }

  /**
   * Speaks a text: {@link createSession} and {@link stream} in one.
   * @throws TtsError, and the signal's reason.
   */
  async *speak(
    request: CreateSessionRequest,
    options: Omit<StreamOptions, "after"> = {},
  ): AsyncGenerator<AudioChunk, EndOfStreamMessage> {
    const session = await this.createSession(request, options.signal);
    return yield* this.stream(session.ws_url, options);
  }
}
