/** One request of the transcoder contract (docs/transcoder.md): PCM goes out, encoded packets come back, at the same time. */
import { decodeEnvelopes, encodeAudio, encodeEnd, encodeEvent, type FormatEvent } from "../../protocol/envelope.ts";
import { BYTES_PER_SAMPLE, type AudioFormat, type ResumePoint } from "../../protocol/formats.ts";
import { lastToc } from "../../protocol/opus-mode.ts";
import { GatewayError } from "../base/errors.ts";
import { log, logBug } from "../base/log.ts";
import { sleep } from "../base/sleep.ts";
import { Watchdog } from "../base/watchdog.ts";
import type { PcmBuffer } from "./pcm-buffer.ts";
import type { Upstream } from "./upstream.ts";

/** Between two attempts to reach a transcoder that is not there, in ms. */
const RETRY_MS = 250;

/** Encoded audio that cannot be cut any further: a codec's packet, a container's page, 20 ms of samples. */
export interface Packet {
  type: "audio";
  /** Media time it covers, in samples; 0 for a container's header. */
  samples: number;
  data: Uint8Array;
}

/** What comes back: the encoder's format, then its packets. */
export type Encoded = Packet | { type: "event"; event: FormatEvent };

export interface TranscodeTarget {
  format: AudioFormat;
  /** As the client asked for it, in Hz. */
  sampleRateHz: number;
}

/** Where an encoder goes on. */
export interface EncoderStart extends ResumePoint {
  /** The packet, or page, that ends at `outputSample`; undefined at the start of a stream. */
  lastPacket: Uint8Array | undefined;
}

export interface TranscoderLimits {
  /** How long to wait for a transcoder that is not there. */
  waitMs: number;
  /** How long one that owes audio may give nothing back. */
  stallMs: number;
}

function unavailable(): GatewayError {
  return new GatewayError("transcoder_unavailable", "the transcoder cannot be reached", { retryAfterMs: 2000 });
}

/** A body that takes from its source only what the network takes from it. */
function bodyOf(source: AsyncIterator<Uint8Array>, signal: AbortSignal): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await source.next().catch((error: unknown) => {
          if (!signal.aborted) logBug(error); // else the stream was given up, and the request with it
          return { done: true, value: undefined };
        });
        if (done || !value) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await source.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

async function* envelopes(pcm: PcmBuffer, from: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  yield encodeEvent({ type: "format", sample_rate: pcm.rateHz });
  for await (const bytes of pcm.read(from, signal)) yield encodeAudio(bytes.length / BYTES_PER_SAMPLE, bytes);
  yield encodeEnd();
}

/** Asks until the transcoder answers, for at most `waitMs`; every attempt reads the PCM from the same sample on. */
async function open(
  upstream: Upstream,
  path: string,
  body: (signal: AbortSignal) => AsyncIterator<Uint8Array>,
  waitMs: number,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const attempt = new AbortController();
    const tooLate = setTimeout(() => attempt.abort(), Math.max(deadline - Date.now(), RETRY_MS));
    const either = AbortSignal.any([signal, attempt.signal]);
    try {
      const response = await upstream.fetch(path, {
        method: "POST",
        body: bodyOf(body(either), either),
        signal: either,
      });
      if (response.ok && response.body) return response.body;
      attempt.abort(); // or what is left of the body would go on beside the next attempt
      if (response.status < 500) throw new GatewayError("transcoder_failed", "the transcoder refused the stream");
    } catch (error) {
      attempt.abort(); // its reader of the PCM would wait beside the next one's
      signal.throwIfAborted();
      if (error instanceof GatewayError) throw error;
    } finally {
      clearTimeout(tooLate);
    }
    if (Date.now() + RETRY_MS > deadline) throw unavailable();
    await sleep(RETRY_MS, signal);
  }
}

/**
 * What an encoder makes of `pcm`, from `outputSample` on.
 * @throws GatewayError `transcoder_unavailable` if none answered in time, `transcoder_failed` later; the signal's reason.
 */
export async function* transcode(
  upstream: Upstream | undefined,
  { format, sampleRateHz }: TranscodeTarget,
  pcm: PcmBuffer,
  { inputSample, outputSample, lastPacket }: EncoderStart,
  { waitMs, stallMs }: TranscoderLimits,
  signal: AbortSignal,
): AsyncGenerator<Encoded> {
  if (!upstream) throw unavailable();
  const query = new URLSearchParams({
    format,
    sample_rate: String(sampleRateHz),
    input_sample: String(inputSample),
    output_sample: String(outputSample),
    ...(format === "opus" && inputSample > 0 && lastPacket && { last_toc: String(lastToc(lastPacket)) }),
  });
  const path = `/v1/transcode?${query.toString()}`;
  const left = new AbortController(); // the source stops with its reader, whatever the network does
  const watchdog = new Watchdog(() => pcm.isOwed);
  const either = AbortSignal.any([signal, watchdog.signal, left.signal]);
  try {
    const body = await open(upstream, path, (attempt) => envelopes(pcm, inputSample, attempt), waitMs, either);
    const expectAnswer = () => watchdog.expect(stallMs, () => new Error("it does not answer"));
    expectAnswer();
    for await (const envelope of decodeEnvelopes(body)) {
      watchdog.rest(); // what it gave may lie here for as long as its reader has no room
      if (envelope.type === "audio") yield envelope;
      else if (envelope.type === "end") {
        if (envelope.error) throw new Error(`${envelope.error.reason}: ${envelope.error.message}`);
        return;
      } else if (envelope.event.type === "format") yield { type: "event", event: envelope.event };
      expectAnswer();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof GatewayError) throw error;
    log("transcode_failed", { format, error: String(error) });
    throw new GatewayError("transcoder_failed", "the transcoder failed");
  } finally {
    watchdog.stop();
    left.abort();
  }
}
