/** A client of the engine contract, as the tests use it. */
import { createHash } from "node:crypto";
import { decodeEnvelopes, type StreamError, type WordEvent } from "../../protocol/envelope.ts";

export interface SynthesisRequest {
  text: string;
  voice: string;
  language?: string;
  speed?: number;
}

/** Anything, so that refusals can be tested: undefined fields are left out. */
export type AnyRequest = { [field in keyof SynthesisRequest]?: unknown } & Record<string, unknown>;

export interface Speech {
  sampleRate: number;
  pcm: Int16Array;
  words: WordEvent[];
  error: StreamError | undefined;
  /** The kinds of envelope in order: "format", "word", "audio", "end". */
  kinds: string[];
}

export interface Info {
  engine: string;
  version: string;
  sample_rate: number;
  max_chars: number;
  repeatable: boolean;
  streaming: string;
  syntheses_started: number;
  syntheses_active: number;
  queued: number;
}

export function post(url: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  return fetch(new URL("/v1/synthesize", url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...(signal && { signal }),
  });
}

async function getJson<T>(url: string, path: string): Promise<T> {
  const response = await fetch(new URL(path, url));
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return (await response.json()) as T;
}

export function info(url: string): Promise<Info> {
  return getJson(url, "/v1/info");
}

export async function voices(
  url: string,
): Promise<{ id: string; name: string; language: string; languages?: string[]; scripts?: string[] }[]> {
  const listed = await getJson<{ voices: Awaited<ReturnType<typeof voices>> }>(url, "/v1/voices");
  return listed.voices;
}

/**
 * Reads a whole answer, and holds it to what every stream must be.
 * @throws Error where it is not.
 */
export async function readSpeech(response: Response): Promise<Speech> {
  if (response.status !== 200) throw new Error(`answered ${response.status}: ${await response.text()}`);
  const speech: Speech = { sampleRate: 0, pcm: new Int16Array(0), words: [], error: undefined, kinds: [] };
  const pieces: Uint8Array[] = [];
  let samples = 0;
  for await (const envelope of decodeEnvelopes(response.body!)) {
    if (envelope.type === "event") {
      speech.kinds.push(envelope.event.type);
      if (envelope.event.type === "format") speech.sampleRate = envelope.event.sample_rate;
      else {
        if (envelope.event.sample < samples) throw new Error("a word came after the audio that holds it");
        speech.words.push(envelope.event);
      }
      continue;
    }
    speech.kinds.push(envelope.type);
    if (envelope.type === "end") {
      speech.error = envelope.error;
      continue;
    }
    if (envelope.data.length !== envelope.samples * 2) {
      throw new Error(`${envelope.samples} samples in ${envelope.data.length} bytes`);
    }
    samples += envelope.samples;
    pieces.push(envelope.data);
  }
  const bytes = new Uint8Array(samples * 2);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  speech.pcm = new Int16Array(bytes.buffer);
  return speech;
}

export async function speak(url: string, request: SynthesisRequest): Promise<Speech> {
  return readSpeech(await post(url, request));
}

/** What two readings of one request have in common when an engine repeats itself: every sample and every word event. */
export function identity({ sampleRate, pcm, words, error }: Speech) {
  const sha256 = createHash("sha256").update(pcm).digest("hex");
  return { sampleRate, samples: pcm.length, sha256, words, error };
}

/** Reads up to the first audio, and leaves the rest to the returned reader. */
export async function untilFirstAudio(response: Response): Promise<AsyncGenerator> {
  const envelopes = decodeEnvelopes(response.body!);
  for (;;) {
    const { value, done } = await envelopes.next();
    if (done) throw new Error("the stream ended before any audio");
    if (value.type === "audio") return envelopes;
  }
}

/** Resolves once `condition` holds. */
export async function until(what: string, condition: () => Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function untilIdle(url: string): Promise<void> {
  return until("no synthesis active or queued", async () => {
    const { syntheses_active: active, queued } = await info(url);
    return active === 0 && queued === 0;
  });
}

export function untilReady(url: string, withinMs = 60_000): Promise<void> {
  const ready = () =>
    fetch(new URL("/readyz", url)).then(
      (response) => response.ok,
      () => false,
    );
  return until("/readyz answers 200", ready, withinMs);
}

/** Root mean square of s16 samples: 0 is silence, 32768 the loudest. */
export function loudness(pcm: Int16Array): number {
  return Math.sqrt(pcm.reduce((sum, sample) => sum + sample * sample, 0) / pcm.length);
}
