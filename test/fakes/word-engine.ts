/**
 * An engine whose audio carries its words' numbers (word-audio.ts), so that a test can read from what a client heard that
 * nothing was left out, said twice or cut. A real server of the engine contract; its one voice is "words".
 */
import { setTimeout as sleep } from "node:timers/promises";
import { encodeAudio, encodeEnd, encodeEvent } from "../../protocol/envelope.ts";
import {
  HttpError,
  invalid,
  readJson,
  sendJson,
  startEnvelopes,
  startService,
  writeBytes,
  type Exchange,
} from "../../service/http-service.ts";
import { wordAudio } from "./word-audio.ts";

export const WORD_ENGINE_RATE_HZ = 16_000;

const VOICE = { id: "words", name: "Words that are numbers", language: "en-US" };
const MAX_CHARS = 1000;

export interface WordEngineOptions {
  /** 0, or absent: any free one. */
  port?: number;
  /** Audio is made so many times as fast as it is heard; absent: as fast as it is taken. */
  paced?: number;
}

export interface WordEngine {
  url: string;
  /** The texts asked for, in order. */
  texts: string[];
  close(): Promise<void>;
}

/** Sentences of ten words: "n0 n1 ... n9. n10 ...", from the word `first`. */
export function numberedText(count: number, first = 0): string {
  const words = Array.from({ length: count }, (_, i) => `n${first + i}${i % 10 === 9 ? "." : ""}`);
  return words.join(" ");
}

function badField(message: string): HttpError {
  return new HttpError(400, invalid("invalid_request", message));
}

function admit({ text, voice, language, speed = 1 }: Record<string, unknown>): { text: string; speed: number } {
  if (typeof text !== "string" || text.trim() === "") throw badField("text must be a string that is not blank");
  if (text.length > MAX_CHARS)
    throw new HttpError(413, invalid("text_too_long", `text may have ${MAX_CHARS} characters`));
  if (typeof voice !== "string") throw badField("voice must be a string");
  if (typeof speed !== "number" || !(speed >= 0.25 && speed <= 4)) throw badField("speed must be from 0.25 to 4");
  if (language !== undefined && typeof language !== "string") throw badField("language must be a string");
  if (voice !== VOICE.id) throw new HttpError(404, invalid("unknown_voice", `the voice is ${VOICE.id}`));
  if (language !== undefined && !/^en(-us(-.*)?)?$/i.test(language)) {
    throw new HttpError(400, invalid("unsupported_language", "the voice speaks en-US"));
  }
  return { text, speed };
}

export async function startWordEngine({ port = 0, paced }: WordEngineOptions = {}): Promise<WordEngine> {
  const texts: string[] = [];
  let active = 0;

  async function speak(exchange: Exchange, text: string, speed: number): Promise<void> {
    const began = performance.now();
    let sample = 0;
    for (const { 0: word, index: start } of text.matchAll(/[\p{L}\p{N}]+/gu)) {
      const digits = /\d+/.exec(word)?.[0];
      const pcm = wordAudio(digits === undefined ? undefined : Number(digits), WORD_ENGINE_RATE_HZ, speed);
      await writeBytes(exchange, encodeEvent({ type: "word", start, length: word.length, sample }));
      await writeBytes(exchange, encodeAudio(pcm.length, new Uint8Array(pcm.buffer)));
      sample += pcm.length;
      const dueMs = paced === undefined ? 0 : began + ((sample / WORD_ENGINE_RATE_HZ) * 1000) / paced;
      const earlyMs = dueMs - performance.now();
      if (earlyMs > 0) await sleep(earlyMs, undefined, { signal: exchange.signal });
    }
  }

  async function synthesize(exchange: Exchange): Promise<void> {
    const { text, speed } = admit(await readJson(exchange.request, 64 * 1024));
    texts.push(text);
    active++;
    try {
      startEnvelopes(exchange.response);
      await writeBytes(exchange, encodeEvent({ type: "format", sample_rate: WORD_ENGINE_RATE_HZ }));
      await speak(exchange, text, speed);
      exchange.response.end(encodeEnd());
    } finally {
      active--;
    }
  }

  const service = await startService({
    name: "words",
    port,
    host: "127.0.0.1",
    routes: {
      "POST /v1/synthesize": synthesize,
      "GET /v1/voices": ({ response }) => sendJson(response, 200, { voices: [VOICE] }),
      "GET /v1/info": ({ response }) =>
        sendJson(response, 200, {
          engine: "words",
          version: "1",
          sample_rate: WORD_ENGINE_RATE_HZ,
          max_chars: MAX_CHARS,
          streaming: "native",
          repeatable: true,
          syntheses_started: texts.length,
          syntheses_active: active,
          queued: 0,
        }),
    },
  });
  return { url: service.url, texts, close: () => service.close(0) };
}
