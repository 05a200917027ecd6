/**
 * The framing of every stream between our own processes (engine → gateway → transcoder and back).
 *
 *     flags u8 │ length u32 big-endian │ payload
 *
 * Raw bytes are not enough: some hops turn a cut stream into a clean end of body, and raw bytes carry neither packet
 * borders nor timing. The layout is that of the Connect protocol's streaming messages.
 */
import { concat } from "./bytes.ts";

/** Largest payload one envelope may carry, in bytes. */
export const MAX_PAYLOAD_BYTES = 1024 * 1024;

const HEADER_BYTES = 5;
const SAMPLES_BYTES = 4;
const AUDIO = 0x00;
const EVENT = 0x01;
const END = 0x02;

/** The audio that follows has this rate; an encoder adds its delay (samples of silence a decoder will put first). */
export interface FormatEvent {
  type: "format";
  /** Hz. */
  sample_rate: number;
  /** Encoder delay, in samples at `sample_rate`; absent means none. */
  delay?: number;
  /** Samples in one of the encoder's packets, at `sample_rate`; only the stream's last may have fewer. */
  frame?: number;
}

/** A word is about to be heard; sent before the audio that holds it. */
export interface WordEvent {
  type: "word";
  /** Where the word stands in the request's text: offset and length in UTF-16 code units. */
  start: number;
  length: number;
  /** When it begins, in samples from the start of this request's audio. */
  sample: number;
}

export type StreamEvent = FormatEvent | WordEvent;

/** Why a stream ended early. */
export interface StreamError {
  reason: string;
  message: string;
  retryable: boolean;
}

export type Envelope =
  /** `samples`: media time covered by `data` (0 for a container's header). */
  | { type: "audio"; samples: number; data: Uint8Array }
  | { type: "event"; event: StreamEvent }
  | { type: "end"; error?: StreamError };

/** The stream broke the framing, or was cut off before its end envelope. */
export class EnvelopeError extends Error {
  override name = "EnvelopeError";
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

function frame(flags: number, payloadLength: number): Uint8Array<ArrayBuffer> {
  if (payloadLength > MAX_PAYLOAD_BYTES) {
    throw new RangeError(`an envelope carries at most ${MAX_PAYLOAD_BYTES} bytes, not ${payloadLength}`);
  }
  const bytes = new Uint8Array(HEADER_BYTES + payloadLength);
  bytes[0] = flags;
  new DataView(bytes.buffer).setUint32(1, payloadLength);
  return bytes;
}

function jsonFrame(flags: number, value: unknown): Uint8Array<ArrayBuffer> {
  const payload = encoder.encode(JSON.stringify(value));
  const bytes = frame(flags, payload.length);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** One audio envelope; `samples` is the media time that `data` covers. */
export function encodeAudio(samples: number, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = frame(AUDIO, SAMPLES_BYTES + data.length);
  new DataView(bytes.buffer).setUint32(HEADER_BYTES, samples);
  bytes.set(data, HEADER_BYTES + SAMPLES_BYTES);
  return bytes;
}

export function encodeEvent(event: StreamEvent): Uint8Array<ArrayBuffer> {
  return jsonFrame(EVENT, event);
}

/** The last envelope of a body: a clean end, or the error that ended it. */
export function encodeEnd(error?: StreamError): Uint8Array<ArrayBuffer> {
  return jsonFrame(END, error ? { error } : {});
}

function parseJson(payload: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(payload));
  } catch {
    throw new EnvelopeError("an envelope's JSON cannot be parsed");
  }
  if (typeof value !== "object" || value === null) throw new EnvelopeError("an envelope's JSON is not an object");
  return value as Record<string, unknown>;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function parseEvent(payload: Uint8Array): StreamEvent | undefined {
  const value = parseJson(payload);
  if (value.type === "format") {
    if (!isCount(value.sample_rate) || value.sample_rate === 0) {
      throw new EnvelopeError("a format event's sample_rate must be a positive whole number");
    }
    const delay = isCount(value.delay) ? { delay: value.delay } : {};
    const packet = isCount(value.frame) && value.frame > 0 ? { frame: value.frame } : {};
    return { type: "format", sample_rate: value.sample_rate, ...delay, ...packet };
  }
  if (value.type === "word") {
    const { start, length, sample } = value;
    if (!isCount(start) || !isCount(length) || !isCount(sample)) {
      throw new EnvelopeError("a word event's start, length and sample must be whole numbers");
    }
    return { type: "word", start, length, sample };
  }
  return undefined; // events may be added: an older reader passes over what it does not know
}

function parseEnd(payload: Uint8Array): Envelope {
  const { error } = parseJson(payload);
  if (error === undefined) return { type: "end" };
  const { reason, message, retryable } = (error ?? {}) as Record<string, unknown>;
  if (typeof reason !== "string") throw new EnvelopeError("an end envelope's error has no reason");
  return {
    type: "end",
    error: { reason, message: typeof message === "string" ? message : reason, retryable: retryable === true },
  };
}

function parseEnvelope(flags: number, payload: Uint8Array): Envelope | undefined {
  switch (flags) {
    case AUDIO: {
      if (payload.length < SAMPLES_BYTES) throw new EnvelopeError("an audio envelope is shorter than its sample count");
      const samples = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
      return { type: "audio", samples, data: payload.subarray(SAMPLES_BYTES) };
    }
    case EVENT: {
      const event = parseEvent(payload);
      return event && { type: "event", event };
    }
    case END:
      return parseEnd(payload);
    default:
      throw new EnvelopeError(`unknown envelope flags 0x${flags.toString(16).padStart(2, "0")}`);
  }
}

/** Takes a stream's bytes in pieces of any size and gives back whole envelopes. */
export class EnvelopeDecoder {
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** Bytes without which nothing more can be told. */
  #neededBytes = HEADER_BYTES;
  #ended = false;

  /**
   * The envelopes completed by `chunk`, in order. Their data are views into memory the decoder does not touch again.
   * @throws EnvelopeError on an unknown flag, an oversized payload, broken JSON or bytes after the end envelope.
   */
  *push(chunk: Uint8Array): Generator<Envelope> {
    if (this.#ended && chunk.length > 0) throw new EnvelopeError("bytes follow the end envelope");
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pendingBytes < this.#neededBytes) return;
    const bytes = concat(this.#pending);
    let at = 0;
    for (;;) {
      this.#neededBytes = HEADER_BYTES;
      if (bytes.length - at < HEADER_BYTES) break;
      const length = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(1);
      if (length > MAX_PAYLOAD_BYTES) throw new EnvelopeError(`an envelope of ${length} bytes is over the limit`);
      this.#neededBytes = HEADER_BYTES + length;
      if (bytes.length - at < this.#neededBytes) break;
      const end = at + this.#neededBytes;
      const envelope = parseEnvelope(bytes[at]!, bytes.subarray(at + HEADER_BYTES, end));
      at = end;
      if (envelope) yield envelope;
      if (envelope?.type !== "end") continue;
      this.#ended = true;
      if (at < bytes.length) throw new EnvelopeError("bytes follow the end envelope");
      break;
    }
    this.#pending = [bytes.subarray(at)];
    this.#pendingBytes = bytes.length - at;
  }

  /**
   * Says that the body is over.
   * @throws EnvelopeError if no end envelope came: the stream was cut off.
   */
  finish(): void {
    if (!this.#ended) throw new EnvelopeError("the stream was cut off before its end envelope");
  }
}

/**
 * The envelopes of a body, as they come.
 * @throws EnvelopeError as {@link EnvelopeDecoder}, also when the body ends without an end envelope.
 */
export async function* decodeEnvelopes(body: AsyncIterable<Uint8Array>): AsyncGenerator<Envelope, void> {
  const envelopes = new EnvelopeDecoder();
  for await (const chunk of body) yield* envelopes.push(chunk);
  envelopes.finish();
}
