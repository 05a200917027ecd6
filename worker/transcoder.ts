/** The gateway's side of the transcoder contract: PCM envelopes go out, encoded packets come back, at the same time. */
import { decodeEnvelopes } from "../protocol/envelope.ts";
import type { AudioFormat } from "../protocol/formats.ts";
import { GatewayError } from "./errors.ts";
import { log } from "./log.ts";
import type { Packet } from "./session/messages.ts";
import { sleep } from "./sleep.ts";
import type { Upstream } from "./upstream.ts";

/** Between two attempts to reach a transcoder that is not there, in ms. */
const RETRY_MS = 250;

export interface TranscodeTarget {
  format: AudioFormat;
  sampleRateHz: number;
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
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
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
    try {
      const response = await upstream.fetch(path, { method: "POST", body: bodyOf(source()), signal });
      if (response.ok && response.body) return response.body;
      await response.body?.cancel();
      if (response.status < 500) throw new GatewayError("transcoder_failed", "the transcoder refused the stream");
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof GatewayError) throw error;
    }
    if (Date.now() + RETRY_MS > deadline) throw unavailable();
    await sleep(RETRY_MS, signal);
  }
}

/** @throws GatewayError `transcoder_unavailable` if none answered in time, `transcoder_failed` later. */
export async function* transcode(
  upstream: Upstream | undefined,
  { format, sampleRateHz }: TranscodeTarget,
  source: () => AsyncIterable<Uint8Array>,
  waitMs: number,
  signal: AbortSignal,
): AsyncGenerator<Packet> {
  if (!upstream) throw unavailable();
  const query = new URLSearchParams({ format, sample_rate: String(sampleRateHz) });
  const body = await open(upstream, `/v1/transcode?${query.toString()}`, source, waitMs, signal);
  try {
    for await (const envelope of decodeEnvelopes(body)) {
      if (envelope.type === "audio") yield envelope;
      if (envelope.type !== "end") continue;
      if (envelope.error) throw new Error(`${envelope.error.reason}: ${envelope.error.message}`);
      return;
    }
  } catch (error) {
    signal.throwIfAborted();
    log("transcode_failed", { format, error: String(error) });
    throw new GatewayError("transcoder_failed", "the transcoder failed");
  }
}
