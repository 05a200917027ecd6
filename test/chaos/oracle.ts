/**
 * Knows what each stream should have been. A stream is complete, or it ends with one error that docs/protocol.md lists;
 * and whatever was heard of it is what every other listener hears.
 */
import type { AudioFormat } from "../../protocol/formats.ts";
import { expectComplete, play, sha256, speak, type SessionRequest, type Stream } from "../support/session.ts";
import type { Heard } from "./listen.ts";

/** Trouble of upstreams, as docs/protocol.md lists it. */
const DOCUMENTED = new Set([
  "busy",
  "circuit_open",
  "not_ready",
  "provider_failed",
  "provider_timeout",
  "transcoder_failed",
  "transcoder_unavailable",
]);

/** Two syntheses of one text by eSpeak differ by up to 1.3% in length; a sentence more or less is far more. */
const ESPEAK_TOLERANCE = 0.03;

/** An encoder may add as much to a stream's length, in ms. */
const ENCODER_MS = 150;

/** How far media time may jump where a stream goes on after a loss, in ms. */
export const JOIN_MS = 20;

export interface Request extends SessionRequest {
  target_format: AudioFormat;
  sample_rate_hz: number;
}

export interface Reference {
  sha256: string;
  audio: Buffer[];
  durationMs: number;
  bytes: number;
}

/** What uninterrupted sessions brought, heard by a plain client and each asked for only once. */
export class References {
  readonly #url: string;
  readonly #known = new Map<string, Promise<Reference>>();

  /** @param url of a gateway to which nothing happens meanwhile. */
  constructor(url: string) {
    this.#url = url;
  }

  of(request: Request): Promise<Reference> {
    const key = JSON.stringify(request);
    let reference = this.#known.get(key);
    if (!reference) this.#known.set(key, (reference = this.#listen(request)));
    return reference;
  }

  async #listen(request: Request): Promise<Reference> {
    const stream = await speak(this.#url, request);
    const { duration_ms: durationMs, bytes } = expectComplete(stream);
    return { sha256: sha256(stream.bytes), audio: stream.audio.map(({ data }) => data), durationMs, bytes };
  }
}

function need(isTrue: boolean, problem: () => string): asserts isTrue {
  if (!isTrue) throw new Error(problem());
}

export function hashOf(heard: Heard): string {
  return sha256(Buffer.concat(heard.audio.map(({ audio }) => audio)));
}

/** What holds for every stream: no hole, nothing twice, one end that is documented. */
export function expectOneEnd({ audio, eos, error }: Heard): void {
  const wrong = audio.findIndex(({ seq }, i) => seq !== i + 1);
  need(wrong < 0, () => `message ${wrong + 1} has seq ${audio[wrong]!.seq}`);
  if (error)
    return need(DOCUMENTED.has(error.reason), () => `ended with ${error.code} ${error.reason}: ${error.message}`);
  need(eos !== undefined, () => "ended without eos and error");
  need(eos.seq === audio.length, () => `eos.seq ${eos.seq} after ${audio.length} messages`);
  need(audio.length > 0, () => "was silent");
}

/** The stream is the reference to the byte; one that ended with an error, as far as it got. */
export function expectSameBytes(heard: Heard, reference: Reference): void {
  expectOneEnd(heard);
  const different = heard.audio.findIndex(({ audio }, i) => !reference.audio[i]?.equals(audio));
  need(different < 0, () => `message ${different + 1} is not that of an uninterrupted session`);
  if (heard.error) return;
  need(hashOf(heard) === reference.sha256, () => `${heard.audio.length} messages, not ${reference.audio.length}`);
  const { duration_ms: durationMs, bytes } = heard.eos!;
  need(durationMs === reference.durationMs, () => `eos.duration_ms ${durationMs}, not ${reference.durationMs}`);
  need(bytes === reference.bytes, () => `eos.bytes ${bytes}, not ${reference.bytes}`);
}

/** The stream is as long as the same text in an uninterrupted session: nothing was spoken twice or left out. */
export async function expectSameLength({ eos }: Heard, request: Request, references: References): Promise<void> {
  if (!eos) return;
  const { durationMs } = await references.of({ ...request, target_format: "pcm16", sample_rate_hz: 16_000 });
  const difference = Math.abs(eos.duration_ms - durationMs);
  const tolerance = durationMs * ESPEAK_TOLERANCE + ENCODER_MS;
  need(difference < tolerance, () => `lasts ${eos.duration_ms} ms, uninterrupted ${durationMs} ms`);
}

/** Plays the session once more. Its end must be the same as the first listener's. */
export async function secondListener(wsUrl: string, heard: Heard): Promise<Stream> {
  const again = await play(wsUrl);
  const { eos, error } = heard;
  if (eos) expectComplete(again);
  need(again.finals.length === 1, () => `a second listener got ${again.finals.length} ends`);
  const { type, reason } = again.final!;
  const isSame = eos ? type === "eos" : reason === error!.reason;
  need(
    isSame,
    () => `ended with ${eos ? "eos" : error!.reason}, for a second listener with ${JSON.stringify(again.final)}`,
  );
  const count = heard.audio.length;
  need(again.audio.length === count, () => `${count} messages, for a second listener ${again.audio.length}`);
  return again;
}

/** Messages that a second listener got otherwise: the first and the last of them. */
export interface Difference {
  first: number;
  last: number;
}

/** Media time must go on where it was, message by message. */
export function differenceTo(again: Stream, heard: Heard): Difference | undefined {
  const seqs = heard.audio.filter(({ audio }, i) => !again.audio[i]!.data.equals(audio)).map(({ seq }) => seq);
  for (const [i, { seq, ptsMs }] of heard.audio.entries()) {
    const other = again.audio[i]!.ptsMs;
    if (ptsMs === undefined || other === undefined) continue;
    need(
      Math.abs(ptsMs - other) <= JOIN_MS,
      () => `message ${seq} is at ${ptsMs} ms, for a second listener at ${other}`,
    );
  }
  return seqs.length === 0 ? undefined : { first: seqs[0]!, last: seqs.at(-1)! };
}
