/** A provider behind the engine contract (docs/engines.md): speech over HTTP, as envelopes. */
import { z } from "zod";
import { decodeEnvelopes, EnvelopeError, type StreamError } from "../../protocol/envelope.ts";
import { BYTES_PER_SAMPLE, RATE_RANGE_HZ } from "../../protocol/formats.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import { askCatalog } from "./engine-catalog.ts";
import { isMisconfigured, logMisconfigured } from "./misconfiguration.ts";
import {
  Misconfiguration,
  ProviderError,
  RequestFault,
  type Catalog,
  type Provider,
  type SpeechPiece,
  type Utterance,
} from "./provider.ts";

const refusalSchema = z.object({
  error: z.object({ reason: z.string(), message: z.string().optional(), retryable: z.boolean().optional() }),
});

/** What an engine says while it has no time; the same request may well succeed later. */
const BUSY_REASONS = new Set(["busy", "not_ready"]);

/** What it says of a request that is itself to blame, where no status says so; in the words of docs/engines.md. */
const REQUEST_FAULTS = new Set([
  "invalid_request",
  "unsupported_language",
  "unknown_voice",
  "text_too_long",
  "nothing_to_speak",
]);

function failed({ reason, message, retryable }: StreamError, retryAfterMs?: number): ProviderError {
  if (BUSY_REASONS.has(reason)) return new ProviderError("when_free", reason, message, retryAfterMs);
  if (REQUEST_FAULTS.has(reason) || !retryable) return new RequestFault(reason, message);
  return new ProviderError("retry", reason, message);
}

/** Judges a refusal by its status; among 5xx, what the engine calls it decides. */
async function refusal(provider: string, response: Response): Promise<ProviderError> {
  const { status, headers } = response;
  if (isMisconfigured(status)) {
    await response.body?.cancel();
    logMisconfigured(provider, { status });
    return new Misconfiguration(`the engine answered ${status}`);
  }
  const body = refusalSchema.safeParse(await response.json().catch(() => undefined));
  const error = body.data?.error;
  const {
    reason = `http_${status}`,
    message = `the engine answered ${status}`,
    retryable = status >= 500,
  } = error ?? {};
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : undefined;
  if (status === 429) return new ProviderError("when_free", "busy", message, retryAfterMs);
  if (status >= 400 && status < 500) return new RequestFault(reason, message);
  return failed({ reason, message, retryable }, retryAfterMs);
}

export class EngineProvider implements Provider {
  readonly id: string;
  readonly circuitName: string;
  readonly #upstream: Upstream;
  readonly #firstVoice: string | undefined;

  /** @param firstVoice the id of the voice that its catalog begins with, if the engine has it. */
  constructor(id: string, upstream: Upstream, firstVoice?: string) {
    this.id = id;
    this.#firstVoice = firstVoice;
    this.circuitName = upstream.region ? `${id}:${upstream.region}` : id;
    this.#upstream = upstream;
  }

  async catalog(signal: AbortSignal): Promise<Catalog> {
    const catalog = await askCatalog(this.id, this.#upstream, signal);
    const first = catalog.voices.filter(({ id }) => id === this.#firstVoice);
    return { ...catalog, voices: [...first, ...catalog.voices.filter((voice) => !first.includes(voice))] };
  }

  async *speak({ text, voice, language }: Utterance, signal: AbortSignal): AsyncGenerator<SpeechPiece> {
    const left = new AbortController();
    const init = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ text, voice, language }),
      // A reader that leaves tells nobody: through a container's host, a cancelled body does not reach the engine.
      signal: AbortSignal.any([signal, left.signal]),
    };
    try {
      const response = await this.#upstream.fetch("/v1/synthesize", init);
      if (!response.ok || !response.body) throw await refusal(this.id, response);
      yield* speech(response.body);
    } catch (error) {
      if (error instanceof ProviderError) throw error;
      signal.throwIfAborted();
      const reason = error instanceof EnvelopeError ? "broken_stream" : "unreachable";
      throw new ProviderError("retry", reason, `${this.id}: ${String(error)}`);
    } finally {
      left.abort();
    }
  }
}

/** Checks what the engine contract promises, so that everything behind it can rely on it. */
async function* speech(body: ReadableStream<Uint8Array>): AsyncGenerator<SpeechPiece> {
  let hasFormat = false;
  for await (const envelope of decodeEnvelopes(body)) {
    if (envelope.type === "end") {
      if (envelope.error) throw failed(envelope.error);
      return;
    }
    if (envelope.type === "event" && envelope.event.type === "format") {
      const { sample_rate: rateHz } = envelope.event;
      if (rateHz < RATE_RANGE_HZ.min || rateHz > RATE_RANGE_HZ.max)
        throw new ProviderError("never", "wrong_rate", `its speech has ${rateHz} Hz`);
      hasFormat = true;
    }
    if (envelope.type === "audio") {
      if (!hasFormat) throw new EnvelopeError("audio came before its format event");
      if (envelope.data.length !== envelope.samples * BYTES_PER_SAMPLE) {
        throw new EnvelopeError(`${envelope.data.length} bytes are not ${envelope.samples} samples`);
      }
    }
    yield envelope;
  }
}
