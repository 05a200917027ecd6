/** A provider behind the engine contract (docs/engines.md): speech over HTTP, as envelopes. */
import { z } from "zod";
import { decodeEnvelopes, EnvelopeError, type StreamError } from "../../protocol/envelope.ts";
import { BYTES_PER_SAMPLE } from "../../protocol/formats.ts";
import { NO_CONTAINER } from "../upstreams/containers/kinds.ts";
import { GatewayError } from "../base/errors.ts";
import { canonicalTag } from "../base/language.ts";
import { log } from "../base/log.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import {
  Misconfiguration,
  ProviderError,
  RequestFault,
  type Catalog,
  type Provider,
  type SpeechPiece,
  type Utterance,
  type Voice,
} from "./provider.ts";

const infoSchema = z.object({
  sample_rate: z.number().int().positive(),
  max_chars: z.number().int().positive(),
});

const voicesSchema = z.object({
  voices: z.array(
    z.object({
      id: z.string(),
      name: z.string().optional(),
      language: z.string(),
      languages: z.array(z.string()).optional(),
    }),
  ),
});

const refusalSchema = z.object({
  error: z.object({ reason: z.string(), message: z.string().optional(), retryable: z.boolean().optional() }),
});

/** The statuses that ask for a key, a payment or a permission, or for a place to run: no request could be without fault. */
const MISCONFIGURED_STATUSES = new Set([401, 402, 403, 407, NO_CONTAINER]);

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

class StatusError extends Error {
  override name = "StatusError";
  readonly status: number;

  constructor(path: string, status: number) {
    super(`${path} answered ${status}`);
    this.status = status;
  }
}

async function askJson<T>(upstream: Upstream, path: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
  const response = await upstream.fetch(path, { signal });
  if (!response.ok) {
    await response.body?.cancel();
    if (response.status === NO_CONTAINER)
      throw new GatewayError("invalid_request", "provider: it has neither an address nor a container here", {
        field: "provider",
      });
    throw new StatusError(path, response.status);
  }
  return schema.parse(await response.json());
}

function toVoice({ id, name, language, languages }: z.output<typeof voicesSchema>["voices"][number]): Voice[] {
  const tags = [...new Set([language, ...(languages ?? [])].flatMap((tag) => canonicalTag(tag) ?? []))];
  const [own, ...others] = tags;
  return own === undefined ? [] : [{ id, name: name ?? id, languages: [own, ...others] }];
}

function failed({ reason, message, retryable }: StreamError, retryAfterMs?: number): ProviderError {
  if (BUSY_REASONS.has(reason)) return new ProviderError("when_free", reason, message, retryAfterMs);
  if (REQUEST_FAULTS.has(reason) || !retryable) return new RequestFault(reason, message);
  return new ProviderError("retry", reason, message);
}

/** Judges a refusal by its status; among 5xx, what the engine calls it decides. */
async function refusal(provider: string, response: Response): Promise<ProviderError> {
  const { status, headers } = response;
  if (MISCONFIGURED_STATUSES.has(status)) {
    await response.body?.cancel();
    logMisconfigured(provider, status);
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

/** Without the engine's message: it may repeat what we sent. */
function logMisconfigured(provider: string, status: number): void {
  log("provider_misconfigured", { provider, status });
}

export class EngineProvider implements Provider {
  readonly id: string;
  readonly #upstream: Upstream;

  constructor(id: string, upstream: Upstream) {
    this.id = id;
    this.#upstream = upstream;
  }

  async catalog(signal: AbortSignal): Promise<Catalog> {
    try {
      const [info, { voices }] = await Promise.all([
        askJson(this.#upstream, "/v1/info", infoSchema, signal),
        askJson(this.#upstream, "/v1/voices", voicesSchema, signal),
      ]);
      return { voices: voices.flatMap(toVoice), sampleRateHz: info.sample_rate, maxChars: info.max_chars };
    } catch (error) {
      if (error instanceof GatewayError) throw error;
      if (error instanceof StatusError && MISCONFIGURED_STATUSES.has(error.status)) {
        logMisconfigured(this.id, error.status);
        throw new GatewayError("misconfigured", `the gateway is not set up to use provider ${this.id}`);
      }
      log("catalog_failed", { provider: this.id, error: String(error) });
      throw new GatewayError("not_ready", `provider ${this.id} is not ready`, { retryAfterMs: 1000 });
    }
  }

  async *speak(utterance: Utterance, signal: AbortSignal): AsyncGenerator<SpeechPiece> {
    const left = new AbortController();
    const init = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(utterance),
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
    if (envelope.type === "event" && envelope.event.type === "format") hasFormat = true;
    if (envelope.type === "audio") {
      if (!hasFormat) throw new EnvelopeError("audio came before its format event");
      if (envelope.data.length !== envelope.samples * BYTES_PER_SAMPLE) {
        throw new EnvelopeError(`${envelope.data.length} bytes are not ${envelope.samples} samples`);
      }
    }
    yield envelope;
  }
}
