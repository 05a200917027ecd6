import type { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startEspeak } from "../../engines/espeak/server.ts";
import { describeEngine } from "./conformance.ts";
import { runEspeak, spawnEspeak } from "./espeak-process.ts";
import {
  identity,
  info,
  loudness,
  post,
  readSpeech,
  speak,
  until,
  untilFirstAudio,
  untilIdle,
  untilReady,
} from "./speech.ts";

const LOCAL = { port: 0, host: "127.0.0.1", threads: 1, queueLimit: 8 };
const LONG = "The quick brown fox jumps over the lazy dog, and then it goes home. ".repeat(44);

/** Over 4 MiB of audio: a thread that speaks it waits for its reader. */
const ENDLESS = "好".repeat(3000);

describeEngine("eSpeak", {
  start: () => startEspeak(LOCAL),
  voice: "en-us",
  language: "en-US",
  words: true,
  burst: 24,
});

/** An engine of this test's own. */
async function started(options: Partial<Parameters<typeof startEspeak>[0]> = {}): Promise<string> {
  const engine = await startEspeak({ ...LOCAL, ...options });
  onTestFinished(() => engine.close(0));
  await untilReady(engine.url);
  return engine.url;
}

describe("eSpeak", () => {
  let url = "";
  let engine: Awaited<ReturnType<typeof startEspeak>> | undefined;

  beforeAll(async () => {
    engine = await startEspeak({ ...LOCAL, threads: 2 });
    url = engine.url;
    await untilReady(url);
  });

  afterAll(() => engine?.close());

  async function wordsOf(voice: string, text: string): Promise<string[]> {
    const { words } = await speak(url, { text, voice });
    return words.map(({ start, length }) => text.slice(start, start + length));
  }

  test.each([
    ["en-us", "Hello there, how are you today?"],
    ["en-gb", "Hello there, how are you today?"],
    ["de", "Guten Tag, wie geht es Ihnen heute?"],
    ["fr-fr", "Bonjour, comment allez-vous aujourd'hui ?"],
    ["es", "Buenos días, ¿cómo está usted hoy?"],
    ["ru", "Здравствуйте, как ваши дела сегодня?"],
    ["el", "Καλημέρα, τι κάνετε σήμερα;"],
    ["ar", "مرحبا بالعالم كيف حالك اليوم"],
    ["he", "שלום, מה שלומך היום?"],
    ["hi", "नमस्ते, आज आप कैसे हैं?"],
    ["th", "สวัสดีวันนี้อากาศดี"],
    ["ko", "안녕하세요, 오늘 어떻게 지내세요?"],
    ["ja", "こんにちは、おげんきですか。"],
    ["cmn", "你好,你今天好吗?"],
    ["yue", "你好,你今日好嗎?"],
  ])("is heard in %s", async (voice, text) => {
    const { pcm, sampleRate, words } = await speak(url, { text, voice });
    expect(loudness(pcm)).toBeGreaterThan(1000);
    expect(pcm.length / sampleRate).toBeGreaterThan(1);
    expect(pcm.length / sampleRate).toBeLessThan(5);
    expect(words.length).toBeGreaterThan(1);
  });

  test("has a hundred languages", async () => {
    const response = await fetch(new URL("/v1/voices", url));
    const { voices } = (await response.json()) as { voices: { id: string; language: string }[] };
    expect(voices.length).toBeGreaterThan(100);
    const ids = voices.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(["en-us", "en-gb", "en-gb-x-rp", "de", "fr-fr", "pt-br", "cmn", "ja"]));
  });

  test.each([
    ["en-us", "Hello 😀 big world.", ["Hello", "😀", "big", "world"]],
    ["en-us", "One 𝒳 two.\r\nThree\tfour", ["One", "𝒳", "two", "Three", "four"]],
    ["en-us", "He\u0301llo cafe\u0301 end", ["He\u0301llo", "cafe\u0301", "end"]],
    ["en-us", "one\uFFFD \uD800 two", ["one", "two"]],
    ["de", "Straße und Öl – Äpfel.", ["Straße", "und", "Öl", "Äpfel"]],
    ["ru", "Привет, мир! Как дела?", ["Привет", "мир", "Как", "дела"]],
    ["ar", "مرحبا بالعالم كيف حالك", ["مرحبا", "بالعالم", "كيف", "حالك"]],
    ["ko", "안녕하세요 세계.", ["안녕하세요", "세계"]],
    ["cmn", "😀世界。今天", ["世", "界", "今", "天"]],
  ])("places the words of %s %j", async (voice, text, words) => {
    expect(await wordsOf(voice, text)).toEqual(words);
  });

  test("says a word's time in the audio", async () => {
    const { words, pcm } = await speak(url, { text: "Yes. No.", voice: "en-us" });
    const [, no] = words;
    const from = (sample: number, to: number) => loudness(pcm.subarray(sample, to));
    expect(no!.sample).toBeGreaterThan(22_050 / 4);
    expect(from(no!.sample - 3000, no!.sample - 500)).toBeLessThan(50);
    expect(from(no!.sample, no!.sample + 5000)).toBeGreaterThan(1000);
  });

  test("speaks markup, phonemes and control characters as text", async () => {
    expect(await wordsOf("en-us", "a < b & c")).toEqual(["a", "b", "&", "c"]);
    expect(await wordsOf("en-us", "<break time='5s'/> hi")).toContain("time");
    expect(await wordsOf("en-us", "[[h@l'oU]] there")).toContain("there");
    const [plain, command] = await Promise.all([
      speak(url, { text: " 400S hello world and more", voice: "en-us" }),
      speak(url, { text: "\u0001400S hello world and more", voice: "en-us" }),
    ]);
    expect(Math.abs(command.pcm.length - plain.pcm.length)).toBeLessThan(500);
    const cut = await speak(url, { text: "hello\0 world and more", voice: "en-us" });
    expect(cut.words).toHaveLength(4);
  });

  test("keeps voices and speeds of concurrent requests apart", async () => {
    const text = "One two three four, information, restaurant.";
    const asked = ["en-us", "de", "fr-fr"].flatMap((voice) => [0.8, 1, 1.5].map((speed) => ({ text, voice, speed })));
    const alone: ReturnType<typeof identity>[] = [];
    for (const request of asked) alone.push(identity(await speak(url, request)));
    expect(new Set(alone.map(({ sha256 }) => sha256)).size).toBe(asked.length);
    for (let round = 0; round < 5; round++) {
      const together = await Promise.all(asked.map((request) => speak(url, request)));
      expect(together.map((speech) => identity(speech))).toEqual(alone);
    }
  });

  test("has its first audio within a moment", async () => {
    await speak(url, { text: LONG, voice: "en-us" });
    const began = performance.now();
    const client = new AbortController();
    await untilFirstAudio(await post(url, { text: LONG, voice: "en-us" }, client.signal));
    expect(performance.now() - began).toBeLessThan(500);
    client.abort();
  });
});

describe("a reader that takes nothing", () => {
  test("holds no thread with a request of usual length", async () => {
    const url = await started();
    const unread = await post(url, { text: LONG.slice(0, 1000), voice: "en-us" });
    expect((await speak(url, { text: "Hello", voice: "en-us" })).error).toBeUndefined();
    expect((await readSpeech(unread)).error).toBeUndefined();
  });

  test("is cut off after a while", async () => {
    const url = await started({ stalledMs: 500 });
    const unread = await post(url, { text: ENDLESS, voice: "cmn" });
    expect((await info(url)).syntheses_active).toBe(1);
    await untilIdle(url);
    await expect(readSpeech(unread)).rejects.toThrow("terminated");
    expect((await speak(url, { text: "Hello", voice: "en-us" })).error).toBeUndefined();
  });

  test("gets all of it when it reads on", async () => {
    const url = await started();
    const slow = await post(url, { text: ENDLESS, voice: "cmn" });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await info(url)).syntheses_active).toBe(1);
    const { pcm, error } = await readSpeech(slow);
    expect(error).toBeUndefined();
    expect(pcm.length / 22_050).toBeGreaterThan(500);
  });
});

test("a thread that crashes ends its own request alone, and is replaced", async () => {
  const threads: Worker[] = [];
  const onWorker = (worker: Worker) => threads.push(worker);
  process.on("worker", onWorker);
  onTestFinished(() => void process.off("worker", onWorker));
  const url = await started({ threads: 2 });
  expect(threads).toHaveLength(2);

  const unread = await Promise.all([0, 1].map(() => post(url, { text: ENDLESS, voice: "cmn" })));
  const queued = await post(url, { text: "Hello", voice: "en-us" });
  await until("both threads work", async () => (await info(url)).syntheses_active === 2);
  await threads[0]!.terminate();
  expect((await readSpeech(queued)).error).toBeUndefined();
  const speeches = await Promise.all(unread.map((answer) => readSpeech(answer)));
  const errors = speeches.map(({ error }) => error).filter((error) => error !== undefined);
  expect(errors).toEqual([{ reason: "engine_crashed", message: "the synthesis crashed", retryable: true }]);
  expect(threads).toHaveLength(3);
  expect((await info(url)).syntheses_active).toBe(0);
});

describe("the process", () => {
  test("ends on SIGTERM once what it speaks is spoken", async () => {
    const { child, exit, url } = await runEspeak();
    const unfinished = await post(url, { text: ENDLESS, voice: "cmn" });
    child.kill("SIGTERM");
    await until("it accepts no more", () =>
      fetch(new URL("/healthz", url), { headers: { connection: "close" } }).then(
        () => false,
        () => true,
      ),
    );
    expect((await readSpeech(unfinished)).error).toBeUndefined();
    const began = performance.now();
    expect((await exit).code).toBe(0);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  test("says that its port is taken", async () => {
    const { url } = await runEspeak();
    const { port } = new URL(url);
    const { code, stderr } = await spawnEspeak({ PORT: port }).exit;
    expect(code).toBe(1);
    expect(stderr).toContain(`espeak: cannot listen on 127.0.0.1:${port}`);
  });

  test("says which setting is wrong", async () => {
    const { code, stderr } = await spawnEspeak({ THREADS: "many" }).exit;
    expect(code).toBe(1);
    expect(stderr).toBe('espeak: THREADS must be a whole number from 1 to 256, not "many"\n');
  });
});
