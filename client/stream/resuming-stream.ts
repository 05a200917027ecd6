/** One session's audio, over as many connections as it takes. */
import { CLOSE, RESUMABLE_CLOSE_CODES } from "../../protocol/close-codes.ts";
import {
  BINARY_HEADER_BYTES,
  BINARY_SUBPROTOCOL,
  RESTARTING,
  type EndOfStreamMessage,
  type ServerMessage,
} from "../../protocol/messages.ts";
import { Connection, type ConnectionTimeouts } from "./connection.ts";
import { Queue } from "./queue.ts";
import { Retries } from "./retries.ts";
import type { AudioChunk, StreamOptions } from "./stream-options.ts";
import { TtsError } from "./tts-error.ts";

/** The silence is longer than the gateway asks an engine that hangs (3 times 10 s), and leaves some of its 60 s of grace. */
const TIMEOUTS: ConnectionTimeouts = { openMs: 10_000, silenceMs: 40_000 };

const RESUME_FOR_MS = 60_000;

/** How long a session's cancelling request may take, in ms: the gateway's own grace ends it soon after. */
const CANCEL_TIMEOUT_MS = 10_000;

type Message = AudioChunk | Exclude<ServerMessage, { type: "audio" }>;

function parseMessage(frame: ArrayBuffer | string): Message {
  if (typeof frame !== "string") {
    // A copy: callers that read the `buffer`, as decoders are given it, would find the seq in it.
    return { seq: new DataView(frame).getUint32(0), audio: new Uint8Array(frame.slice(BINARY_HEADER_BYTES)) };
  }
  const message = JSON.parse(frame) as ServerMessage;
  if (message.type !== "audio") return message;
  const audio = Uint8Array.from(atob(message.data), (char) => char.charCodeAt(0));
  return { seq: message.seq, audio, ptsMs: message.pts_ms };
}

/** Cancels a session to which there is no connection. */
async function cancelSession(wsUrl: string): Promise<void> {
  const url = wsUrl.replace(/^ws/, "http").replace("/v1/tts/stream/", "/v1/tts/sessions/");
  await fetch(url, { method: "DELETE", signal: AbortSignal.timeout(CANCEL_TIMEOUT_MS) });
}

/**
 * Waits, and no longer than `signal` allows.
 * @throws the signal's reason.
 */
async function pauseBeforeReconnect(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => resolve();
  const timer = setTimeout(wake, ms);
  signal.addEventListener("abort", wake);
  await promise;
  signal.removeEventListener("abort", wake);
  clearTimeout(timer);
  signal.throwIfAborted();
}

/** A connection that ended before the stream did. */
interface Loss {
  closeCode: number;
  retryAfterMs?: number | undefined;
}

/**
 * It connects, and connects again, whether or not its reader asks for more: a client that is away for longer than the
 * gateway's grace loses its session, and a reader may well play a minute of audio before it asks for the next. To one
 * that pauses for good, every connection that stalls so brings one more window of audio, until all of it is here.
 */
export class ResumingStream {
  /** What came and has not been read yet, without a hole; ends with the stream. */
  readonly chunks = new Queue<AudioChunk>();
  /**
   * How the stream ended.
   * @throws TtsError, and why it was left.
   */
  readonly end: Promise<EndOfStreamMessage>;
  readonly #wsUrl: string;
  readonly #options: StreamOptions;
  readonly #timeouts: ConnectionTimeouts;
  readonly #left = new AbortController();
  #connection: Connection | undefined;
  #isOver = false;
  /** Tells this stream's attempts to connect from those of others, so that a late one does not take over its successor. */
  readonly #name = Math.random().toString(36).slice(2);
  #attempts = 0;
  /** The last seq that came, and the last that was acknowledged. */
  #received: number;
  #consumed: number;

  constructor(wsUrl: string, options: StreamOptions, timeouts = TIMEOUTS) {
    this.#wsUrl = wsUrl;
    this.#options = options;
    this.#timeouts = timeouts;
    this.#received = this.#consumed = options.after ?? 0;
    this.end = this.#run();
    this.end.catch(() => {}); // its reader is told, when it comes to the end
  }

  /** Everything up to `seq` was consumed. */
  ack(seq: number): void {
    this.#consumed = seq;
    this.#connection?.send({ type: "ack", seq });
  }

  /** Lets go of the stream; a session that has not ended is cancelled. */
  leave(reason?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#left.abort(reason);
    if (!this.#connection?.send({ type: "cancel" })) cancelSession(this.#wsUrl).catch(() => {});
    this.#connection?.close();
  }

  async #run(): Promise<EndOfStreamMessage> {
    try {
      return await this.#receive();
    } catch (error) {
      if (!(error instanceof TtsError)) this.leave(error); // a gateway that says what it must not
      throw error;
    } finally {
      this.#isOver = true;
      this.chunks.end();
      this.#connection?.close();
    }
  }

  async #receive(): Promise<EndOfStreamMessage> {
    const { resumeForMs = RESUME_FOR_MS, onReconnect } = this.#options;
    const { signal } = this.#left;
    const retries = new Retries(resumeForMs, Math.random);
    for (;;) {
      const before = this.#received;
      const connection = this.#connect();
      const ended = await this.#listen(connection);
      signal.throwIfAborted();
      if ("type" in ended) return ended;
      const { closeCode, retryAfterMs = 0 } = ended;
      connection.close();
      // An engine may be slow, and its gateway silent for long: as long as connections last, there is hope.
      if (this.#received > before || connection.hasFallenSilent) retries.startOver();
      const waitMs = RESUMABLE_CLOSE_CODES.includes(closeCode) ? retries.lost(performance.now()) : undefined;
      if (waitMs === undefined) {
        throw new TtsError(closeCode, "connection_lost", `the connection was closed with ${closeCode}`);
      }
      onReconnect?.(this.#received, closeCode);
      await pauseBeforeReconnect(Math.max(waitMs, retryAfterMs), signal);
    }
  }

  #connect(): Connection {
    const url = new URL(this.#wsUrl);
    if (this.#received > 0) url.searchParams.set("after", String(this.#received));
    url.searchParams.set("client", this.#name);
    url.searchParams.set("attempt", String(++this.#attempts));
    if (this.#options.onNotice) url.searchParams.set("notices", "1");
    const protocols = this.#options.binary ? [BINARY_SUBPROTOCOL] : [];
    // From an ack on, also of nothing, the gateway bounds what it sends to a reader that takes its time.
    const greeting = { type: "ack", seq: this.#consumed } as const;
    return (this.#connection = new Connection(url, protocols, this.#timeouts, greeting));
  }

  /** @throws TtsError of a gateway that ends the stream with an error. */
  async #listen(connection: Connection): Promise<EndOfStreamMessage | Loss> {
    for await (const frame of connection.frames) {
      const message = parseMessage(frame);
      if ("audio" in message) {
        this.#take(message);
      } else if (message.type === "eos") {
        if (message.seq !== this.#received) throw new Error(`eos ${message.seq} came after audio ${this.#received}`);
        return message;
      } else if (message.type === "error") {
        const { code, reason, message: text, retry_after_ms: retryAfterMs } = message;
        if (reason === RESTARTING) return { closeCode: CLOSE.restart, retryAfterMs };
        throw new TtsError(code, reason, text, { retryAfterMs });
      } else if (message.type === "notice") {
        this.#options.onNotice?.(message);
      }
    }
    return connection;
  }

  #take(chunk: AudioChunk): void {
    if (chunk.seq <= this.#received) return;
    if (chunk.seq > this.#received + 1) throw new Error(`audio ${chunk.seq} came in place of ${this.#received + 1}`);
    this.#received = chunk.seq;
    this.chunks.push(chunk);
  }
}
