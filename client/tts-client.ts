import type { Problem } from "../protocol/errors.ts";
import type {
  CreateSessionRequest,
  CreateSessionResponse,
  EndOfStreamMessage,
  SessionStatus,
  Voice,
  VoicesResponse,
} from "../protocol/messages.ts";
import { ResumingStream } from "./stream/resuming-stream.ts";
import type { AudioChunk, StreamOptions } from "./stream/stream-options.ts";
import { TtsError } from "./stream/tts-error.ts";

async function checked(response: Response): Promise<Response> {
  if (response.ok) return response;
  const { reason, detail, field } = (await response.json().catch(() => ({}))) as Partial<Problem>;
  const retryAfter = response.headers.get("retry-after");
  const retryAfterMs = retryAfter === null ? undefined : Number(retryAfter) * 1000;
  const message = detail ?? `the gateway answered ${response.status}`;
  throw new TtsError(response.status, reason ?? "http_error", message, { field, retryAfterMs });
}

/**
 * A gateway's client, for browsers and Node (22 or newer).
 *
 * @example
 * const client = new TtsClient("http://localhost:8787");
 * const speech = client.speak({ provider: "espeak", voice: "en-us", text: "Hello!", target_format: "mp3" });
 * for await (const { seq, audio } of speech) console.log(seq, audio.length);
 */
export class TtsClient {
  readonly #baseUrl: string;

  /**
   * @param baseUrl the gateway's address, such as http://localhost:8787; empty, or a path: where the page came from.
   * @throws TypeError if it is none of them.
   */
  constructor(baseUrl: string) {
    if (!/^(https?:\/\/|\/|$)/i.test(baseUrl)) {
      throw new TypeError(`${JSON.stringify(baseUrl)} is no gateway's address, such as http://localhost:8787`);
    }
    this.#baseUrl = baseUrl.replace(/\/+$/, "");
  }

  /**
   * The voices that can be asked for, each provider's default voice first; a provider that is down has none.
   * @param filter only those of a provider, or that speak a language: `en` finds `en-US` too.
   * @throws TtsError
   */
  async voices(filter: { provider?: string; language?: string } = {}): Promise<Voice[]> {
    const response = await this.#fetch(`/v1/voices?${new URLSearchParams(filter).toString()}`);
    return ((await response.json()) as VoicesResponse).voices;
  }

  /**
   * Asks for speech, which begins when `stream` connects to the `ws_url` of the answer.
   * @throws TtsError, and the signal's reason.
   */
  async createSession(request: CreateSessionRequest, signal?: AbortSignal): Promise<CreateSessionResponse> {
    const response = await this.#fetch("/v1/tts/sessions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
      ...(signal && { signal }),
    });
    return (await response.json()) as CreateSessionResponse;
  }

  /**
   * How a session stands, and what it took; known for 15 minutes after its end.
   * @throws TtsError
   */
  async sessionStatus(sessionId: string): Promise<SessionStatus> {
    const response = await this.#fetch(`/v1/tts/sessions/${encodeURIComponent(sessionId)}`);
    return (await response.json()) as SessionStatus;
  }

  /**
   * Cancels a session; one that has ended stays as it ended.
   * @throws TtsError
   */
  async cancelSession(sessionId: string): Promise<void> {
    await this.#fetch(`/v1/tts/sessions/${encodeURIComponent(sessionId)}`, { method: "DELETE" });
  }

  async #fetch(path: string, init?: RequestInit): Promise<Response> {
    let response;
    try {
      response = await fetch(this.#baseUrl + path, init);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // the signal's reason
      throw new TtsError(0, "unreachable", `no gateway answers at ${this.#baseUrl}`);
    }
    return checked(response);
  }

  /**
   * The audio of a session as it is made, each chunk once and in order: over a connection that is lost it goes on as soon
   * as there is another. Every chunk is acknowledged when the next one is asked for, so that the gateway sends no faster
   * than it is consumed. Leaving the loop early cancels the session.
   * @param wsUrl the `ws_url` of `createSession`'s answer.
   * @returns the sums of the whole stream; a `for await` loop drops them.
   * @throws TtsError, and the signal's reason. After `connection_lost` the session may still be there: `after` goes on.
   */
  async *stream(wsUrl: string, options: StreamOptions = {}): AsyncGenerator<AudioChunk, EndOfStreamMessage> {
    const { signal } = options;
    signal?.throwIfAborted();
    const stream = new ResumingStream(wsUrl, options);
    const leave = () => stream.leave(signal?.reason);
    signal?.addEventListener("abort", leave);
    try {
      for await (const chunk of stream.chunks) {
        signal?.throwIfAborted();
        yield chunk;
        stream.ack(chunk.seq);
      }
      return await stream.end;
    } finally {
      signal?.removeEventListener("abort", leave);
      stream.leave();
    }
  }

  /**
   * Speaks a text: `createSession` and `stream` in one.
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
