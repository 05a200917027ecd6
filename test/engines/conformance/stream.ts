/** Engine contract: audio as it is made, requests side by side, and clients that go away. */
import { describe, expect, test } from "vitest";
import { info, post, readSpeech, speak, until, untilFirstAudio, untilIdle } from "../speech.ts";
import type { Subject } from "./subject.ts";

export function describeStream(subject: Subject): void {
  const hasQueue = subject.engine.queues !== false;

  describe("its stream", () => {
    test("brings the first audio while the rest is still being made", async () => {
      const { url, longText, voice } = subject;
      const { response } = await subject.open({ text: longText, voice });
      await untilFirstAudio(response);
      expect((await info(url)).syntheses_active, "syntheses_active at the first audio").toBeGreaterThan(0);
    });

    test.runIf(hasQueue)("has its headers before its synthesis begins", async () => {
      // Every one has been answered, and not every one has begun.
      expect((await subject.fillQueue(1)).info.queued, "answered requests that wait").toBeGreaterThan(0);
    });

    test("keeps requests that come together apart", async () => {
      const { url, text, voice } = subject;
      const texts = [text, `${text} ${text} ${text}`];
      const alone = await Promise.all(texts.map((each) => speak(url, { text: each, voice })));
      const together = await Promise.all([...texts, ...texts].map((each) => speak(url, { text: each, voice })));
      for (const [i, { pcm, error }] of together.entries()) {
        expect(error, `the error of request ${i}`).toBeUndefined();
        const ratio = pcm.length / alone[i % 2]!.pcm.length;
        expect(ratio, `the length of request ${i} by its length alone`).toBeGreaterThan(0.66);
        expect(ratio, `the length of request ${i} by its length alone`).toBeLessThan(1.5);
      }
    });
  });

  describe("when the client goes away", () => {
    test("it stops well before the whole is made", async () => {
      const { url, longText, voice } = subject;
      const began = performance.now();
      await speak(url, { text: longText, voice });
      const wholeMs = performance.now() - began;
      const rounds = 3;
      const cutAt = performance.now();
      for (let i = 0; i < rounds; i++) {
        const { response, leave } = await subject.open({ text: longText, voice });
        await untilFirstAudio(response);
        leave();
        await untilIdle(url);
      }
      const leftMs = (performance.now() - cutAt) / rounds;
      const times = `${leftMs.toFixed()} ms for one left at its first audio, ${wholeMs.toFixed()} ms for all of it`;
      // Without TCP_NODELAY a small piece waits for the reader's delayed acknowledgement, 40 ms.
      expect(leftMs / wholeMs, `${times} (is TCP_NODELAY set?); their ratio`).toBeLessThan(0.5);
    });

    test("before a word was heard, nothing is left behind", async () => {
      const { url, text, longText, voice } = subject;
      const leaving = Array.from({ length: 20 }, async (_, i) => {
        const client = new AbortController();
        setTimeout(() => client.abort(), i);
        await post(url, { text: longText, voice }, client.signal).then(readSpeech);
      });
      await Promise.allSettled(leaving);
      await untilIdle(url);
      expect((await speak(url, { text, voice })).error, "the error of the next request").toBeUndefined();
    });

    test.runIf(hasQueue)("from the queue, its synthesis never begins", async () => {
      const { url } = subject;
      const { clients, info: filled } = await subject.fillQueue(2);
      clients.pop()!();
      await until("the last has left the queue", async () => (await info(url)).queued < filled.queued);
      for (const leave of clients) leave();
      await untilIdle(url);
      const { syntheses_started: started } = await info(url);
      expect(started, "syntheses_started, by what it had been had all begun").toBeLessThan(
        filled.syntheses_started + filled.queued,
      );
    });
  });
}
