/** The gateway's side of the transcoder contract: PCM envelopes go out, encoded packets come back, at the same time. */
import { decodeEnvelopes } from "../../protocol/envelope.ts";
import { BYTES_PER_SAMPLE, encodedRate, type AudioFormat } from "../../protocol/formats.ts";
import { GatewayError } from "../base/errors.ts";
import { log } from "../base/log.ts";
import { sleep } from "../base/sleep.ts";
import type { Upstream } from "./upstream.ts";

/** Between two attempts to reach a transcoder that is not there, in ms. */
const RETRY_MS = 250;

/** How far its output may be behind its input, in ms: more than any encoder holds back. */
const LAG_MS = 1_000;

/** Encoded audio that cannot be cut any further: a codec's packet, a container's page, 20 ms of samples. */
export interface Packet {
  /** Media time it covers, in samples; 0 for a container's header. */
  samples: number;
  data: Uint8Array;
}

export interface TranscodeTarget {
  format: AudioFormat;
  sampleRateHz: number;
  /** Of the source's audio, in Hz. */
  inputRateHz: number;
}

export interface TranscoderLimits {
  /** How long to wait for a transcoder that is not there. */
  waitMs: number;
  /** How long one that has audio to encode may give nothing back. */
  stallMs: number;
}

/** Aborts when the transcoder owes an answer for too long; time in which nobody waits for it does not count. */
class Patience {
  readonly #limitMs: number;
  readonly #controller = new AbortController();
  #owedMs = 0;
  #isWaiting = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Another attempt hands everything over anew. */
  begin(): void {
    this.#owedMs = 0;
  }

  /** So much audio was handed over; at its end, no bound on what is owed. */
  handed(ms: number): void {
    this.#owedMs += ms;
    this.#look();
  }

  returned(ms: number): void {
    this.#owedMs -= ms;
    this.rest();
  }

  wait(): void {
    this.#isWaiting = true;
    this.#look();
  }

  rest(): void {
    this.#isWaiting = false;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    if (!this.#isWaiting || this.#owedMs <= LAG_MS) return;
    this.#timer ??= setTimeout(() => this.#controller.abort(new Error("it does not answer")), this.#limitMs);
  }
}

function unavailable(): GatewayError {
  return new GatewayError("transcoder_unavailable", "the transcoder cannot be reached", { retryAfterMs: 2000 });
}

/** A stream that takes from its source only what the network takes from it. */
function bodyOf(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        // A source fails only when its stream was given up, and the request with it: an error here would be nobody's.
        const { done, value } = await iterator.next().catch(() => ({ done: true, value: undefined }));
        if (done || !value) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Tells `patience` of what is read. */
async function* watched(source: AsyncIterable<Uint8Array>, inputRateHz: number, patience: Patience) {
  patience.begin();
  for await (const bytes of source) {
    patience.handed((bytes.length / BYTES_PER_SAMPLE / inputRateHz) * 1000);
    yield bytes;
  }
  patience.handed(Number.POSITIVE_INFINITY);
}

/** Asks until the transcoder answers, for at most `waitMs`; every attempt reads the source from its start. */
async function open(
  upstream: Upstream,
  path: string,
  source: () => AsyncIterable<Uint8Array>,
  waitMs: number,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const attempt = new AbortController();
    const tooLate = setTimeout(() => attempt.abort(), Math.max(deadline - Date.now(), RETRY_MS));
    const either = AbortSignal.any([signal, attempt.signal]);
    try {
      const response = await upstream.fetch(path, { method: "POST", body: bodyOf(source()), signal: either });
      if (response.ok && response.body) return response.body;
      attempt.abort(); // or what is left of the body would go on beside the next attempt
      if (response.status < 500) throw new GatewayError("transcoder_failed", "the transcoder refused the stream");
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof GatewayError) throw error;
    } finally {
      clearTimeout(tooLate);
    }
    if (Date.now() + RETRY_MS > deadline) throw unavailable();
    await sleep(RETRY_MS, signal);
  }
}

/** @throws GatewayError `transcoder_unavailable` if none answered in time, `transcoder_failed` later. */
export async function* transcode(
  upstream: Upstream | undefined,
  { format, sampleRateHz, inputRateHz }: TranscodeTarget,
  source: () => AsyncIterable<Uint8Array>,
  { waitMs, stallMs }: TranscoderLimits,
  signal: AbortSignal,
): AsyncGenerator<Packet> {
  if (!upstream) throw unavailable();
  const patience = new Patience(stallMs);
  const either = AbortSignal.any([signal, patience.signal]);
  const input = () => watched(source(), inputRateHz, patience);
  const msPerSample = 1000 / encodedRate(format, sampleRateHz);
  const query = new URLSearchParams({ format, sample_rate: String(sampleRateHz) });
  const body = await open(upstream, `/v1/transcode?${query.toString()}`, input, waitMs, either);
  try {
    patience.wait();
    for await (const envelope of decodeEnvelopes(body)) {
      patience.returned(envelope.type === "audio" ? envelope.samples * msPerSample : 0);
      if (envelope.type === "audio") yield envelope;
      patience.wait();
      if (envelope.type !== "end") continue;
      if (envelope.error) throw new Error(`${envelope.error.reason}: ${envelope.error.message}`);
      return;
    }
  } catch (error) {
    signal.throwIfAborted();
    log("transcode_failed", { format, error: String(error) });
    throw new GatewayError("transcoder_failed", "the transcoder failed");
  } finally {
    patience.rest();
  }
}
