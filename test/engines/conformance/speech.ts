/** Engine contract: what it speaks, and that it says the same again. */
import { describe, expect, test } from "vitest";
import { identity, post, readSpeech, speak, untilFirstAudio, untilIdle } from "../speech.ts";
import type { Subject } from "./subject.ts";

export function describeSpeech(subject: Subject): void {
  describe("its speech", () => {
    test("is one format event, then audio, then the end", async () => {
      const { url, text, voice, about } = subject;
      const speech = await speak(url, { text, voice });
      const kinds = speech.kinds.filter((kind) => kind !== "word");
      expect(kinds[0], "the first envelope").toBe("format");
      expect(kinds.at(-1), "the last envelope").toBe("end");
      expect(new Set(kinds.slice(1, -1)), "what lies between them").toEqual(new Set(["audio"]));
      expect(speech.error, "the error of the end").toBeUndefined();
      expect(speech.sampleRate, "the format event's sample_rate, as /v1/info has it").toBe(about.sample_rate);
      expect(speech.pcm.length, "samples of a sentence").toBeGreaterThan(about.sample_rate / 10);
    });

    test("does not change with unknown fields, the language, or a speed of 1", async () => {
      const { url, text, voice, language, about } = subject;
      const plain = await speak(url, { text, voice });
      const same = await readSpeech(await post(url, { text, voice, language, speed: 1, unheard_of: [1] }));
      const ratio = same.pcm.length / plain.pcm.length;
      if (about.repeatable) expect(identity(same), "the same request, with more fields").toEqual(identity(plain));
      expect(ratio, "its length by the length of the plain request").toBeGreaterThan(0.5);
      expect(ratio, "its length by the length of the plain request").toBeLessThan(2);
    });

    test("is shorter at a higher speed", async () => {
      const { url, text, voice } = subject;
      const [slow, fast] = await Promise.all([0.7, 1.8].map((speed) => speak(url, { text, voice, speed })));
      const ratio = fast!.pcm.length / slow!.pcm.length;
      expect(ratio, "the length at speed 1.8 by the length at 0.7").toBeLessThan(0.7);
    });

    test("takes every allowed speed, and as many characters as it says", async () => {
      const { url, text, voice, longText, about } = subject;
      for (const speed of [0.25, 4]) {
        expect((await speak(url, { text, voice, speed })).error, `the error at speed ${speed}`).toBeUndefined();
      }
      const longest = longText.slice(0, about.max_chars).padEnd(about.max_chars, ".");
      const { response } = await subject.open({ text: longest, voice });
      expect(response.status, `the status of a text of max_chars, ${about.max_chars}`).toBe(200);
    });

    test.runIf(subject.engine.words)("says where its words are before they are heard", async () => {
      const { url, text, voice } = subject;
      const { words, pcm } = await speak(url, { text, voice });
      expect(words.length, "word events of a sentence").toBeGreaterThan(1);
      let before = { start: 0, length: 0, sample: 0 };
      for (const word of words) {
        const name = `of ${JSON.stringify(word)}`;
        expect(word.start, `start ${name}, by the end of the word before`).toBeGreaterThanOrEqual(
          before.start + before.length,
        );
        expect(word.start + word.length, `end ${name}, by the text's`).toBeLessThanOrEqual(text.length);
        expect(word.sample, `sample ${name}, by that of the word before`).toBeGreaterThanOrEqual(before.sample);
        expect(word.sample, `sample ${name}, by the end of the audio`).toBeLessThan(pcm.length);
        expect(text.slice(word.start, word.start + word.length), `text ${name}`).toMatch(/^\S+$/u);
        before = word;
      }
    });
  });

  describe("said again, a request", () => {
    /** What the engine says of itself decides, and is known once it runs. */
    const repeats = (name: string, body: () => Promise<void>) =>
      // oxlint-disable-next-line vitest/valid-title, vitest/expect-expect -- its callers have both
      test(name, async ({ skip }) => {
        skip(!subject.about.repeatable, '/v1/info says "repeatable": false: the engine need not repeat itself');
        await body();
      });

    /** Asks for another text and leaves at its first audio. */
    async function breakOff(): Promise<void> {
      const { response, leave } = await subject.open({ text: subject.longText, voice: subject.voice });
      await untilFirstAudio(response);
      leave();
    }

    repeats("has the same samples and word events", async () => {
      const { url, text, voice } = subject;
      const first = identity(await speak(url, { text, voice }));
      for (let i = 2; i <= 4; i++) expect(identity(await speak(url, { text, voice })), `reading ${i}`).toEqual(first);
    });

    repeats("has them after other requests, and after some that were broken off", async () => {
      const { url, text, voice } = subject;
      const first = identity(await speak(url, { text, voice }));
      for (const other of [`A word before. ${text}`, text.slice(0, 12)]) {
        await speak(url, { text: other, voice, speed: 1.3 });
        expect(identity(await speak(url, { text, voice })), `after ${JSON.stringify(other)}`).toEqual(first);
        await breakOff();
        expect(identity(await speak(url, { text, voice })), "after one that was broken off").toEqual(first);
      }
      await untilIdle(url);
    });

    repeats("has them beside other requests", async () => {
      const { url, text, voice } = subject;
      const asked = [text, `${text} ${text}`].flatMap((each) =>
        [1, 1.4].map((speed) => ({ text: each, voice, speed })),
      );
      const alone = [];
      for (const request of asked) alone.push(identity(await speak(url, request)));
      for (let round = 0; round < 3; round++) {
        const together = await Promise.all(asked.map((request) => speak(url, request)));
        expect(
          together.map((speech) => identity(speech)),
          "together, by alone",
        ).toEqual(alone);
      }
    });
  });
}
