/** Engine contract: what an engine does not take, and how it says so. */
import { describe, expect, test } from "vitest";
import { info, post, readSpeech, speak, untilIdle, type AnyRequest } from "../speech.ts";
import type { Subject } from "./subject.ts";

const INVALID: [string, (request: AnyRequest) => AnyRequest][] = [
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

export function describeRefusals(subject: Subject): void {
  describe("it refuses", () => {
    test.each(INVALID)("%s", async (_, change) => {
      const { text, voice } = subject;
      expect(await subject.refusal(change({ text, voice }))).toEqual({ status: 400, reason: "invalid_request" });
    });

    test.each(["", "{", "[]", '"text"', "null", "\u0000"])("a body that is %j", async (body) => {
      expect(await subject.refusal(body)).toEqual({ status: 400, reason: "invalid_request" });
    });

    test("an unknown voice", async () => {
      for (const unknown of ["nobody", "", "../voice", "constructor"]) {
        const refusal = await subject.refusal({ text: subject.text, voice: unknown });
        expect(refusal, `the voice ${JSON.stringify(unknown)}`).toEqual({ status: 404, reason: "unknown_voice" });
      }
    });

    test("a language the voice does not speak, and takes the wider and narrower of its own", async () => {
      const { text, voice, language } = subject;
      const other = subject.engine.otherLanguage ?? (language.startsWith("to") ? "fj" : "to");
      for (const wrong of [other, `${other}-x-more`, `${language}x`, "not a language"]) {
        expect(await subject.refusal({ text, voice, language: wrong }), `the language ${wrong}`).toEqual({
          status: 400,
          reason: "unsupported_language",
        });
      }
      const [base] = language.split("-");
      for (const right of [base, language, language.toUpperCase(), language.toLowerCase(), `${language}-x-more`]) {
        const { response } = await subject.open({ text, voice, language: right });
        expect(response.status, `the status of the language ${right}`).toBe(200);
      }
    });

    test("a text that is too long", async () => {
      const { voice, about } = subject;
      const tooLong = "a".repeat(about.max_chars + 1);
      expect(await subject.refusal({ text: tooLong, voice })).toEqual({ status: 413, reason: "text_too_long" });
    });

    test("a huge body, so that its sender hears of it and the connection can go on", async () => {
      const huge = "a".repeat(4 * 1024 * 1024);
      const refusal = await subject.refusal({ text: huge, voice: subject.voice });
      expect(refusal).toEqual({ status: 413, reason: "text_too_long" });
    });

    test("other paths and methods", async () => {
      const { url } = subject;
      expect((await fetch(new URL("/v1/unheard-of", url))).status, "the status of an unknown path").toBe(404);
      expect((await fetch(new URL("/v1/synthesize", url))).status, "the status of GET /v1/synthesize").toBe(405);
    });

    test("without starting a synthesis", async () => {
      const { url, text } = subject;
      const { syntheses_started: started } = await info(url);
      await subject.refusal({ text: "", voice: subject.voice });
      await subject.refusal({ text, voice: "nobody" });
      expect((await info(url)).syntheses_started, "syntheses_started after two refusals").toBe(started);
    });

    test.runIf(subject.engine.burst)("what it has no room for, and only that", async () => {
      const { url, text, longText, voice } = subject;
      await untilIdle(url);
      const whole = await speak(url, { text: longText, voice });
      const answers = await Promise.all(
        Array.from({ length: subject.engine.burst! }, async () => {
          const response = await post(url, { text: longText, voice });
          if (response.status === 200) return readSpeech(response);
          const { error } = (await response.json()) as { error: { reason: string; retryable: boolean } };
          const retryAfter = Number(response.headers.get("retry-after"));
          return { status: response.status, reason: error.reason, retryable: error.retryable, retryAfter };
        }),
      );
      const spoken = answers.filter((answer) => "pcm" in answer);
      const refused = answers.filter((answer) => "status" in answer);
      expect(spoken.length, "requests of the burst that were spoken").toBeGreaterThan(0);
      expect(refused.length, "requests of the burst that were refused").toBeGreaterThan(0);
      for (const { pcm, error } of spoken) {
        expect(error, "the error of one that was taken").toBeUndefined();
        const ratio = pcm.length / whole.pcm.length;
        expect(ratio, "the length of one that was taken, by its length alone").toBeGreaterThan(0.9);
        expect(ratio, "the length of one that was taken, by its length alone").toBeLessThan(1.1);
      }
      for (const { retryAfter, ...answer } of refused) {
        expect(answer).toEqual({ status: 503, reason: "busy", retryable: true });
        expect(retryAfter, "Retry-After of a busy engine, in seconds").toBeGreaterThan(0);
      }
      expect((await speak(url, { text, voice })).error, "the error of the next request").toBeUndefined();
    });
  });
}
