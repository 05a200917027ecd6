/** What every engine must do (docs/engines.md), asked over HTTP. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import {
  info,
  post,
  readSpeech,
  speak,
  until,
  untilFirstAudio,
  untilIdle,
  untilReady,
  voices,
  type AnyRequest,
  type Info,
} from "./speech.ts";

export interface EngineUnderTest {
  /** Starts it, or finds it running. */
  start(): Promise<{ url: string; close(): Promise<void> }>;
  /** A voice id; otherwise the first that is listed. */
  voice?: string;
  /** A language the voice speaks; otherwise the one listed for it. */
  language?: string;
  /** A language the voice does not speak; otherwise Tongan, or Fijian for a voice that speaks Tongan. */
  otherLanguage?: string;
  /** A sentence in the voice's language. */
  text?: string;
  /** Long enough that its synthesis takes a while, at most max_chars. */
  longText?: string;
  /** Whether it says where its words are. */
  words?: boolean;
  /** Whether requests wait for others; an engine that speaks all at once has no queue to test. Absent: they do. */
  queues?: boolean;
  /** So many long requests at once that some must be refused; otherwise that is not tested. */
  burst?: number;
}

const SENTENCE = "The quick brown fox jumps over the lazy dog, and then it goes home. ";

function repeated(sentence: string, chars: number): string {
  return sentence.repeat(Math.floor(chars / sentence.length)).trim();
}

/** Defines the suite for one engine. */
export function describeEngine(name: string, engine: EngineUnderTest): void {
  describe(`${name} keeps the engine contract`, { timeout: 120_000 }, () => {
    let running: Awaited<ReturnType<EngineUnderTest["start"]>> | undefined;
    let url = "";
    let about: Info;
    let voice = "";
    let language = "";
    let text = "";
    let longText = "";

    beforeAll(async () => {
      running = await engine.start();
      url = running.url;
      await untilReady(url);
      about = await info(url);
      const listed = await voices(url);
      const chosen = engine.voice ? listed.find(({ id }) => id === engine.voice) : listed[0];
      if (!chosen) throw new Error(`there is no voice ${engine.voice ?? "at all"}`);
      voice = chosen.id;
      language = engine.language ?? chosen.language;
      text = engine.text ?? SENTENCE.trim();
      longText = engine.longText ?? repeated(SENTENCE, Math.min(about.max_chars, 3000));
    }, 120_000);

    afterAll(() => running?.close());

    /** A request that ends with its test. */
    async function open(body: AnyRequest): Promise<{ response: Response; leave: () => void }> {
      const client = new AbortController();
      const leave = () => client.abort();
      onTestFinished(leave);
      return { response: await post(url, body, client.signal), leave };
    }

    /** Sends long requests until `depth` of them wait for others; each has its headers by then. */
    async function fillQueue(depth: number) {
      await untilIdle(url);
      const clients: (() => void)[] = [];
      for (;;) {
        const { response, leave } = await open({ text: longText, voice });
        expect(response.status).toBe(200); // it queues before it refuses
        clients.push(leave);
        const now = await info(url);
        if (now.queued >= depth) return { clients, info: now };
        expect(clients.length).toBeLessThan(100);
      }
    }

    async function refusal(body: unknown) {
      const response = await post(url, body);
      const answer = (await response.json()) as { error: { reason: string; message: string; retryable: boolean } };
      expect(answer.error.message).toBeTypeOf("string");
      expect(answer.error.message).not.toBe("");
      expect(answer.error.retryable).toBe(response.status === 503);
      return { status: response.status, reason: answer.error.reason };
    }

    describe("its speech", () => {
      test("is one format event, then audio, then the end", async () => {
        const speech = await speak(url, { text, voice });
        const kinds = speech.kinds.filter((kind) => kind !== "word");
        expect(kinds[0]).toBe("format");
        expect(kinds.at(-1)).toBe("end");
        expect(new Set(kinds.slice(1, -1))).toEqual(new Set(["audio"]));
        expect(speech.error).toBeUndefined();
        expect(speech.sampleRate).toBe(about.sample_rate);
        expect(speech.pcm.length).toBeGreaterThan(about.sample_rate / 10);
      });

      test("does not change with unknown fields, the language, or a speed of 1", async () => {
        const plain = await speak(url, { text, voice });
        const response = await post(url, { text, voice, language, speed: 1, unheard_of: [1] });
        const same = await readSpeech(response);
        // Engines may draw random numbers for their timing.
        expect(same.pcm.length / plain.pcm.length).toBeGreaterThan(0.5);
        expect(same.pcm.length / plain.pcm.length).toBeLessThan(2);
      });

      test("is shorter at a higher speed", async () => {
        const [slow, fast] = await Promise.all([0.7, 1.8].map((speed) => speak(url, { text, voice, speed })));
        expect(fast!.pcm.length).toBeLessThan(slow!.pcm.length * 0.7);
      });

      test("takes every allowed speed, and as many characters as it says", async () => {
        for (const speed of [0.25, 4]) expect((await speak(url, { text, voice, speed })).error).toBeUndefined();
        const longest = longText.slice(0, about.max_chars).padEnd(about.max_chars, ".");
        const { response } = await open({ text: longest, voice });
        expect(response.status).toBe(200);
      });

      test.runIf(engine.words)("says where its words are before they are heard", async () => {
        const { words, pcm } = await speak(url, { text, voice });
        expect(words.length).toBeGreaterThan(1);
        let at = { start: 0, length: 0, sample: 0 };
        for (const word of words) {
          expect(word.start).toBeGreaterThanOrEqual(at.start + at.length);
          expect(word.start + word.length).toBeLessThanOrEqual(text.length);
          expect(word.length).toBeGreaterThan(0);
          expect(word.sample).toBeGreaterThanOrEqual(at.sample);
          expect(word.sample).toBeLessThan(pcm.length);
          expect(text.slice(word.start, word.start + word.length)).toMatch(/^\S+$/u);
          at = word;
        }
      });
    });

    describe("its stream", () => {
      test("brings the first audio while the rest is still being made", async () => {
        const { response } = await open({ text: longText, voice });
        await untilFirstAudio(response);
        expect((await info(url)).syntheses_active).toBeGreaterThan(0);
      });

      test.skipIf(engine.queues === false)("has its headers before its synthesis begins", async () => {
        // Every one has been answered, and not every one has begun.
        expect((await fillQueue(1)).info.queued).toBeGreaterThan(0);
      });

      test("keeps requests that come together apart", async () => {
        const texts = [text, `${text} ${text} ${text}`];
        const alone = await Promise.all(texts.map((each) => speak(url, { text: each, voice })));
        const together = await Promise.all([...texts, ...texts].map((each) => speak(url, { text: each, voice })));
        for (const [i, { pcm, error }] of together.entries()) {
          expect(error).toBeUndefined();
          expect(pcm.length / alone[i % 2]!.pcm.length).toBeGreaterThan(0.66);
          expect(pcm.length / alone[i % 2]!.pcm.length).toBeLessThan(1.5);
        }
      });
    });

    describe("when the client goes away", () => {
      test("it stops well before the whole is made", async () => {
        const began = performance.now();
        await speak(url, { text: longText, voice });
        const wholeMs = performance.now() - began;
        const rounds = 3;
        const cutAt = performance.now();
        for (let i = 0; i < rounds; i++) {
          const { response, leave } = await open({ text: longText, voice });
          await untilFirstAudio(response);
          leave();
          await untilIdle(url);
        }
        expect((performance.now() - cutAt) / rounds).toBeLessThan(wholeMs / 2);
      });

      test("before a word was heard, nothing is left behind", async () => {
        const leaving = Array.from({ length: 20 }, async (_, i) => {
          const client = new AbortController();
          setTimeout(() => client.abort(), i);
          await post(url, { text: longText, voice }, client.signal).then(readSpeech);
        });
        await Promise.allSettled(leaving);
        await untilIdle(url);
        expect((await speak(url, { text, voice })).error).toBeUndefined();
      });

      test.skipIf(engine.queues === false)("from the queue, its synthesis never begins", async () => {
        const { clients, info: filled } = await fillQueue(2);
        clients.pop()!();
        await until("the last has left the queue", async () => (await info(url)).queued < filled.queued);
        for (const leave of clients) leave();
        await untilIdle(url);
        const { syntheses_started: started } = await info(url);
        expect(started).toBeLessThan(filled.syntheses_started + filled.queued);
      });
    });

    describe("it refuses", () => {
      const invalid: [string, (request: AnyRequest) => AnyRequest][] = [
        ["no text", (request) => ({ ...request, text: undefined })],
        ["an empty text", (request) => ({ ...request, text: "" })],
        ["a blank text", (request) => ({ ...request, text: " \n\t " })],
        ["a text that is a number", (request) => ({ ...request, text: 5 })],
        ["no voice", (request) => ({ ...request, voice: undefined })],
        ["a voice that is a list", (request) => ({ ...request, voice: ["a"] })],
        ["a language that is a number", (request) => ({ ...request, language: 1 })],
        ["a speed below 0.25", (request) => ({ ...request, speed: 0.24 })],
        ["a speed above 4", (request) => ({ ...request, speed: 4.01 })],
        ["a speed that is a string", (request) => ({ ...request, speed: "1" })],
      ];
      test.each(invalid)("%s", async (_, change) => {
        expect(await refusal(change({ text, voice }))).toEqual({ status: 400, reason: "invalid_request" });
      });

      test.each(["", "{", "[]", '"text"', "null", "\u0000"])("a body that is %j", async (body) => {
        expect(await refusal(body)).toEqual({ status: 400, reason: "invalid_request" });
      });

      test("an unknown voice", async () => {
        for (const unknown of ["nobody", "", "../voice", "constructor"]) {
          expect(await refusal({ text, voice: unknown })).toEqual({ status: 404, reason: "unknown_voice" });
        }
      });

      test("a language the voice does not speak, and takes the wider and narrower of its own", async () => {
        const other = engine.otherLanguage ?? (language.startsWith("to") ? "fj" : "to");
        for (const wrong of [other, `${other}-x-more`, `${language}x`, "not a language"]) {
          expect(await refusal({ text, voice, language: wrong })).toEqual({
            status: 400,
            reason: "unsupported_language",
          });
        }
        const [base] = language.split("-");
        for (const right of [base, language, language.toUpperCase(), language.toLowerCase(), `${language}-x-more`]) {
          const { response } = await open({ text, voice, language: right });
          expect({ right, status: response.status }).toEqual({ right, status: 200 });
        }
      });

      test("a text that is too long", async () => {
        const tooLong = "a".repeat(about.max_chars + 1);
        expect(await refusal({ text: tooLong, voice })).toEqual({ status: 413, reason: "text_too_long" });
      });

      test("a huge body, without reading it", async () => {
        const huge = "a".repeat(4 * 1024 * 1024);
        expect(await refusal({ text: huge, voice })).toEqual({ status: 413, reason: "text_too_long" });
      });

      test("other paths and methods", async () => {
        expect((await fetch(new URL("/v1/unheard-of", url))).status).toBe(404);
        expect((await fetch(new URL("/v1/synthesize", url))).status).toBe(405);
      });

      test("without starting a synthesis", async () => {
        const { syntheses_started: started } = await info(url);
        await refusal({ text: "", voice });
        await refusal({ text, voice: "nobody" });
        expect((await info(url)).syntheses_started).toBe(started);
      });

      test.runIf(engine.burst)("what it has no room for, and only that", async () => {
        await untilIdle(url);
        const whole = await speak(url, { text: longText, voice });
        const answers = await Promise.all(
          Array.from({ length: engine.burst! }, async () => {
            const response = await post(url, { text: longText, voice });
            if (response.status === 200) return readSpeech(response);
            const { error } = (await response.json()) as { error: { reason: string; retryable: boolean } };
            const retryAfter = Number(response.headers.get("retry-after"));
            return { status: response.status, reason: error.reason, retryable: error.retryable, retryAfter };
          }),
        );
        const spoken = answers.filter((answer) => "pcm" in answer);
        const refused = answers.filter((answer) => "status" in answer);
        expect(spoken.length).toBeGreaterThan(0);
        expect(refused.length).toBeGreaterThan(0);
        for (const { pcm, error } of spoken) {
          expect(error).toBeUndefined();
          expect(pcm.length / whole.pcm.length).toBeGreaterThan(0.9);
          expect(pcm.length / whole.pcm.length).toBeLessThan(1.1);
        }
        for (const { retryAfter, ...answer } of refused) {
          expect(answer).toEqual({ status: 503, reason: "busy", retryable: true });
          expect(retryAfter).toBeGreaterThan(0);
        }
        expect((await speak(url, { text, voice })).error).toBeUndefined();
      });
    });

    describe("of itself it says", () => {
      test("that it is alive and ready", async () => {
        expect((await fetch(new URL("/healthz", url))).status).toBe(200);
        expect((await fetch(new URL("/readyz", url))).status).toBe(200);
      });

      test("what it is", async () => {
        expect(about).toMatchObject({
          engine: expect.stringMatching(/./),
          version: expect.stringMatching(/./),
          streaming: expect.stringMatching(/^(native|sentence)$/),
        });
        expect(about.sample_rate).toBeGreaterThanOrEqual(8000);
        expect(about.max_chars).toBeGreaterThanOrEqual(100);
        for (const count of [about.syntheses_started, about.syntheses_active, about.queued]) {
          expect(Number.isSafeInteger(count) && count >= 0).toBe(true);
        }
      });

      test("its voices, with unique ids and canonical languages", async () => {
        const listed = await voices(url);
        expect(listed.length).toBeGreaterThan(0);
        expect(new Set(listed.map(({ id }) => id)).size).toBe(listed.length);
        for (const { id, name: label, language: first, languages = [first] } of listed) {
          expect(id).toMatch(/^\S+$/);
          expect(label).toMatch(/\S/);
          expect(languages).toContain(first);
          expect(Intl.getCanonicalLocales([first, ...languages])).toEqual([...new Set([first, ...languages])]);
        }
      });

      test("how many syntheses it began, and that none is left", async () => {
        await untilIdle(url);
        const { syntheses_started: before } = await info(url);
        await speak(url, { text, voice });
        await untilIdle(url);
        expect((await info(url)).syntheses_started).toBe(before + 1);
      });
    });
  });
}
