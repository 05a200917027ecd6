/**
 * Knows what each stream should have been. A stream is complete, or it ends with one error that docs/protocol.md lists.
 * All providers repeat themselves to the sample, so whatever was heard is measured against an uninterrupted session.
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

/** Where another encoder goes on in the middle, these are still the same file to the byte. */
const WITHOUT_MEMORY: ReadonlySet<AudioFormat> = new Set(["pcm16", "wav", "mulaw", "alaw", "flac"]);

/** What a loss of workerd may take: a row of the log that was not full yet, and what was sent before it was written. */
const UNWRITTEN_BYTES = 96 * 1024;

export interface Request extends SessionRequest {
  target_format: AudioFormat;
  sample_rate_hz: number;
}

export interface Reference {
  sha256: string;
  audio: Buffer[];
  /** When each message's audio begins, in ms. */
  startsMs: number[];
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
    const audio = stream.audio.map(({ data }) => data);
    const startsMs = stream.audio.map(({ ptsMs }) => ptsMs!);
    return { sha256: sha256(stream.bytes), audio, startsMs, durationMs, bytes };
  }
}

function need(isTrue: boolean, problem: () => string): asserts isTrue {
  if (!isTrue) throw new Error(problem());
}

export function bytesOf(heard: Heard): Buffer {
  return Buffer.concat(heard.audio.map(({ audio }) => audio));
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

/**
 * Of a stream that ended with an error so many messages are not compared: at an end the encoder gives out what it has
 * held back, padded with silence, and the last message is as short as the audio that was left.
 */
const LAST_OF_BROKEN = 2;

/** The stream is the reference to the byte; one that ended with an error, as far as it got. */
export function expectSameBytes(heard: Heard, reference: Reference): void {
  expectOneEnd(heard);
  expectSameStart(heard, reference, Infinity);
  if (heard.error) return;
  const { length } = heard.audio;
  need(sha256(bytesOf(heard)) === reference.sha256, () => `${length} messages, not ${reference.audio.length}`);
  const { duration_ms: durationMs, bytes } = heard.eos!;
  need(durationMs === reference.durationMs, () => `eos.duration_ms ${durationMs}, not ${reference.durationMs}`);
  need(bytes === reference.bytes, () => `eos.bytes ${bytes}, not ${reference.bytes}`);
}

function expectSameStart(heard: Heard, reference: Reference, messages: number): void {
  const whole = heard.error ? Math.max(0, heard.audio.length - LAST_OF_BROKEN) : heard.audio.length;
  const compared = heard.audio.slice(0, Math.min(messages, whole));
  const different = compared.findIndex(({ audio }, i) => !reference.audio[i]?.equals(audio));
  need(different < 0, () => `message ${different + 1} is not that of an uninterrupted session`);
}

/**
 * The stream is the reference, but another encoder may have gone on in its middle: each message covers the same media
 * time, and where the format's packets do not lean on each other it has the same bytes.
 * @param before how many messages were heard before anything happened: they have the same bytes in every format.
 */
export function expectSameMedia(heard: Heard, request: Request, reference: Reference, before = 0): void {
  if (WITHOUT_MEMORY.has(request.target_format)) return expectSameBytes(heard, reference);
  expectOneEnd(heard);
  expectSameStart(heard, reference, before);
  const { eos, audio } = heard;
  for (const { seq, ptsMs } of audio) {
    const expected = reference.startsMs[seq - 1];
    need(
      expected !== undefined && (ptsMs === undefined || ptsMs === expected),
      () => `message ${seq} is at ${ptsMs} ms, uninterrupted at ${expected}`,
    );
  }
  if (!eos) return;
  need(audio.length === reference.audio.length, () => `${audio.length} messages, not ${reference.audio.length}`);
  const { durationMs } = reference;
  need(eos.duration_ms === durationMs, () => `eos.duration_ms ${eos.duration_ms}, not ${durationMs}`);
}

/** Plays the session once more. Its end must be the same as the first listener's, and each message's media time. */
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
  for (const [i, { seq, ptsMs }] of heard.audio.entries()) {
    const other = again.audio[i]!.ptsMs;
    const isThere = ptsMs === undefined || ptsMs === other;
    need(isThere, () => `message ${seq} is at ${ptsMs} ms, for a second listener at ${other}`);
  }
  return again;
}

/** Seqs of the messages that a second listener got otherwise. */
export function differing(again: Stream, heard: Heard): number[] {
  return heard.audio.filter(({ audio }, i) => !again.audio[i]!.data.equals(audio)).map(({ seq }) => seq);
}

export function expectSameForSecondListener(again: Stream, heard: Heard): void {
  const seqs = differing(again, heard);
  need(seqs.length === 0, () => `a second listener heard messages ${seqs.join(", ")} otherwise`);
}

/**
 * A second listener may get other bytes for what was sent and not yet written when workerd was lost, for nothing else.
 * @returns how much audio that was, in ms.
 */
export function expectOnlyUnwrittenDiffers(again: Stream, heard: Heard): number {
  const seqs = differing(again, heard);
  if (seqs.length === 0) return 0;
  const [first, last] = [seqs[0]!, seqs.at(-1)!];
  const lostAfter = heard.lostAfter.at(-1) ?? 0;
  need(last <= lostAfter, () => `lost after message ${lostAfter}, but ${first} to ${last} differ`);
  const bytes = heard.audio.slice(first - 1, last).reduce((sum, { audio }) => sum + audio.length, 0);
  need(bytes <= UNWRITTEN_BYTES, () => `messages ${first} to ${last}, ${bytes} bytes, were sent and not written`);
  return (again.audio[last]?.ptsMs ?? again.final!.duration_ms) - again.audio[first - 1]!.ptsMs!;
}
