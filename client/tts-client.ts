/**
 * The gateway's client for browsers and Node (22 or newer): no dependencies, nothing but `fetch` and `WebSocket`.
 *
 * @example
 * const client = new TtsClient("http://localhost:8787");
 * for await (const { audio } of client.speak({ provider: "espeak", voice: "en-us", text: "Hello!" })) play(audio);
 */
import type { CreateSessionRequest, CreateSessionResponse, EndOfStreamMessage } from "../protocol/messages.ts";
import { ResumingStream, type AudioChunk, type StreamOptions } from "./resuming-stream.ts";
import { TtsError } from "./tts-error.ts";

export { TtsError, type AudioChunk, type StreamOptions };

export interface Voice {
  id: string;
  name: string;
  /** BCP 47. */
  language: string;
  provider: string;
  sample_rate_hz: number;
  supported_formats: string[];
}

async function checked(response: Response): Promise<Response> {
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as { reason?: string; detail?: string };
  const retryAfter = response.headers.get("retry-after");
  const retryAfterMs = retryAfter === null ? undefined : Number(retryAfter) * 1000;
  const message = problem.detail ?? `the gateway answered ${response.status}`;
  throw new TtsError(response.status, problem.reason ?? "http_error", message, retryAfterMs);
}

export class TtsClient {
  readonly #baseUrl: string;

  /** @param baseUrl the gateway's address, such as http://localhost:8787; empty: where the page came from. */
  constructor(baseUrl: string) {
    this.#baseUrl = baseUrl.replace(/\/+$/, "");
  }

  /** @throws TtsError */
  async voices(filter: { provider?: string; language?: string } = {}): Promise<Voice[]> {
    const response = await this.#fetch(`/v1/voices?${new URLSearchParams(filter).toString()}`);
    return ((await response.json()) as { voices: Voice[] }).voices;
  }

  /** @throws TtsError */
  async createSession(request: CreateSessionRequest, signal?: AbortSignal): Promise<CreateSessionResponse> {
    const response = await this.#fetch("/v1/tts/sessions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
      ...(signal && { signal }),
    });
    return (await response.json()) as CreateSessionResponse;
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
   * @returns the sums of the whole stream.
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
