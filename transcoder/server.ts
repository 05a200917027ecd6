import { setImmediate } from "node:timers/promises";
import { getFFmpegInfo } from "node-av/lib";
import {
  decodeEnvelopes,
  encodeAudio,
  encodeEnd,
  encodeEvent,
  EnvelopeError,
  type Envelope,
} from "../protocol/envelope.ts";
import { BYTES_PER_SAMPLE } from "../protocol/formats.ts";
import {
  HttpError,
  invalid,
  sendJson,
  startEnvelopes,
  startService,
  writeBytes,
  type Exchange,
  type Service,
  type ServiceOptions,
} from "../service/http-service.ts";
import type { Encoded } from "./codec.ts";
import { DEFAULT_LIMITS, type Limits } from "./config.ts";
import { IdleError, readWithin } from "./idle.ts";
import { parseSettings } from "./query.ts";
import { countOpenEncoders, ResumeError, StreamEncoder, type EncoderSettings } from "./stream-encoder.ts";

/** Rates of input that can be meant, in Hz. */
const INPUT_RATE_HZ = { min: 1_000, max: 384_000 };

/** A long input is encoded for this long, then what there is leaves and other streams have their turn, in ms. */
const TURN_MS = 10;

/** ... or until this much is ready, in bytes. */
const TURN_BYTES = 64 * 1024;

/** What one process is doing. */
export interface Activity {
  active_streams: number;
  open_encoders: number;
}

export interface TranscoderOptions extends Partial<Limits> {
  /** 0: any free port. */
  port: number;
  host: string;
  /** Answers /v1/info for more than this process. */
  totals?: () => Activity;
  /** Called when {@link activity} changes. */
  onActivity?: (activity: Activity) => void;
}

/** The transcoder as a service of this process. */
export function startTranscoder(options: TranscoderOptions): Promise<Service> {
  return startService(transcoderService(options));
}

export function transcoderService(options: TranscoderOptions): ServiceOptions {
  const limits = { ...DEFAULT_LIMITS, ...options };
  const ffmpeg = getFFmpegInfo().version.split("-")[0];
  let activeStreams = 0;
  const activity = (): Activity => ({ active_streams: activeStreams, open_encoders: countOpenEncoders() });

  async function transcodeCounted(exchange: Exchange): Promise<void> {
    activeStreams++;
    try {
      await transcode(exchange, limits, () => options.onActivity?.(activity()));
    } finally {
      activeStreams--;
      options.onActivity?.(activity());
    }
  }

  return {
    name: "transcoder",
    port: options.port,
    host: options.host,
    routes: {
      "POST /v1/transcode": transcodeCounted,
      "GET /v1/info": ({ response }) =>
        sendJson(response, 200, { service: "transcoder", ffmpeg, ...(options.totals ?? activity)() }),
    },
  };
}

async function transcode(exchange: Exchange, limits: Limits, opened: () => void): Promise<void> {
  const { request, response, url, log } = exchange;
  const settings = parseSettings(url.searchParams);
  log.format = settings.format;
  log.sample_rate = settings.sampleRateHz;
  if (settings.resume?.outputSample) log.output_sample = settings.resume.outputSample;
  using encoder = openEncoder(settings);
  opened();
  startEnvelopes(response);
  const output = new Output(exchange, limits.outputStalledMs, encoder.sampleRateHz);
  try {
    await output.start(encoder);
    const input = new Input(encoder, log);
    for await (const envelope of decodeEnvelopes(readWithin(request, limits.inputIdleMs))) {
      await output.write(input.take(envelope));
    }
  } catch (error) {
    throw asStreamError(error);
  }
  response.end(encodeEnd());
}

function openEncoder(settings: EncoderSettings): StreamEncoder {
  try {
    return new StreamEncoder(settings);
  } catch (error) {
    throw error instanceof ResumeError ? new HttpError(400, invalid("invalid_request", error.message)) : error;
  }
}

/** What the end envelope says of a stream that failed: the headers are gone, so the status is not sent. */
function asStreamError(error: unknown): unknown {
  if (error instanceof EnvelopeError || error instanceof ResumeError)
    return new HttpError(400, invalid("invalid_input", error.message));
  if (error instanceof IdleError) {
    return new HttpError(408, { reason: "input_idle", message: error.message, retryable: true });
  }
  return error;
}

/** Gives a request's envelopes to the encoder. */
class Input {
  readonly #encoder: StreamEncoder;
  readonly #log: Record<string, unknown>;
  #hasFormat = false;
  #samples = 0;

  constructor(encoder: StreamEncoder, log: Record<string, unknown>) {
    this.#encoder = encoder;
    this.#log = log;
  }

  /** @throws EnvelopeError or ResumeError for input that makes no sense, HttpError with an upstream's own error. */
  *take(envelope: Envelope): Generator<Encoded> {
    switch (envelope.type) {
      case "event":
        if (envelope.event.type === "format") yield* this.#format(envelope.event.sample_rate);
        return;
      case "audio":
        yield* this.#audio(envelope.samples, envelope.data);
        return;
      case "end":
        if (envelope.error) throw new HttpError(502, envelope.error);
        yield* this.#encoder.finish();
    }
  }

  *#format(sampleRateHz: number): Generator<Encoded> {
    const { min, max } = INPUT_RATE_HZ;
    if (sampleRateHz < min || sampleRateHz > max) {
      throw new EnvelopeError(`a format event's sample_rate must be from ${min} to ${max}, not ${sampleRateHz}`);
    }
    this.#hasFormat = true;
    yield* this.#encoder.setInputRate(sampleRateHz);
  }

  *#audio(samples: number, pcm: Uint8Array): Generator<Encoded> {
    if (!this.#hasFormat) throw new EnvelopeError("audio came before a format event");
    if (pcm.length % BYTES_PER_SAMPLE !== 0) {
      throw new EnvelopeError(`an audio envelope's ${pcm.length} bytes are not whole 16-bit samples`);
    }
    if (samples !== pcm.length / BYTES_PER_SAMPLE) {
      throw new EnvelopeError(`an audio envelope of ${pcm.length} bytes says it has ${samples} samples`);
    }
    this.#samples += samples;
    this.#log.input_samples = this.#samples;
    yield* this.#encoder.push(pcm);
  }
}

/** Writes what the encoder yields, no faster than it is read. */
class Output {
  readonly #exchange: Exchange;
  readonly #stalledMs: number;
  readonly #sampleRateHz: number;
  #samples = 0;
  #bytes = 0;

  constructor(exchange: Exchange, stalledMs: number, sampleRateHz: number) {
    this.#exchange = exchange;
    this.#stalledMs = stalledMs;
    this.#sampleRateHz = sampleRateHz;
  }

  async start({ sampleRateHz, delaySamples, frameSamples, header }: StreamEncoder): Promise<void> {
    const format = { type: "format", sample_rate: sampleRateHz, delay: delaySamples, frame: frameSamples } as const;
    await this.#send([encodeEvent(format)]);
    if (header.length > 0) await this.write([{ samples: 0, data: header }]);
  }

  async write(pieces: Iterable<Encoded>): Promise<void> {
    let ready: Uint8Array[] = [];
    let readyBytes = 0;
    let turnStarted = performance.now();
    for (const { samples, data } of pieces) {
      ready.push(encodeAudio(samples, data));
      readyBytes += data.length;
      this.#samples += samples;
      this.#bytes += data.length;
      if (readyBytes < TURN_BYTES && performance.now() - turnStarted < TURN_MS) continue;
      await this.#send(ready);
      await setImmediate();
      ready = [];
      readyBytes = 0;
      turnStarted = performance.now();
    }
    if (ready.length > 0) await this.#send(ready);
    const { log } = this.#exchange;
    log.output_bytes = this.#bytes;
    log.media_ms = Math.round((this.#samples * 1000) / this.#sampleRateHz);
  }

  async #send(envelopes: readonly Uint8Array[]): Promise<void> {
    const { response, log } = this.#exchange;
    const stalled = setTimeout(() => {
      log.error = "output_stalled";
      response.destroy();
    }, this.#stalledMs);
    try {
      await writeBytes(this.#exchange, Buffer.concat(envelopes));
    } finally {
      clearTimeout(stalled);
    }
  }
}
