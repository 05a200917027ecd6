import { expect, onTestFinished, test } from "vitest";
import { readWords } from "../fakes/word-audio.ts";
import { numberedText, startWordEngine } from "../fakes/word-engine.ts";
import { describeEngine } from "./conformance.ts";
import { speak } from "./speech.ts";

describeEngine("the engine whose words are numbers", {
  start: () => startWordEngine({ paced: 100 }),
  words: true,
  queues: false,
});

test("the engine whose words are numbers says each word's number where its event says", async () => {
  const engine = await startWordEngine();
  onTestFinished(() => engine.close());
  const text = numberedText(100, 950);
  const { pcm, sampleRate, words } = await speak(engine.url, { text, voice: "words" });
  expect(engine.texts).toEqual([text]);
  expect(readWords(pcm, sampleRate)).toEqual(Array.from({ length: 100 }, (_, i) => 950 + i));
  for (const { start, length, sample } of words) {
    const [heard] = readWords(pcm.subarray(sample, sample + sampleRate / 5), sampleRate);
    expect(`n${heard}`).toBe(text.slice(start, start + length));
  }
});
